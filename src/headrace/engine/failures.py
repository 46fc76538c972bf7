"""Says what kind of failure an expression had, without the values that the messages of DuckDB and Arrow hold."""

from __future__ import annotations

from typing import Final

import duckdb

from headrace.plan.operators import NO_EVENT_TIME
from headrace.planner.constants import words_of_user_function

_STREAMED: Final[dict[str, type[duckdb.Error]]] = {
    "Conversion Error:": duckdb.ConversionException,
    "Out of Range Error:": duckdb.OutOfRangeException,
    "Invalid Input Error:": duckdb.InvalidInputException,
    "Out of Memory Error:": duckdb.OutOfMemoryException,
}
"""How the text of DuckDB's errors begins: those of a result that streams come through Arrow as errors of input and output."""

_EMPTY_REDUCED: Final = "Cannot perform list_reduce on an empty input list"
"""An error of DuckDB that has no kind."""


def failure_of(error: Exception) -> str:
    """Give the reason in words that may be logged."""
    if isinstance(error, OSError):
        error = next(
            (kind(str(error)) for begin, kind in _STREAMED.items() if begin in str(error)),
            duckdb.Error(str(error)),
        )
    if isinstance(error, duckdb.Error) and (own := words_of_user_function(error)):
        return own
    if isinstance(error, duckdb.InvalidInputException) and str(error).endswith(NO_EVENT_TIME):
        return f"the {NO_EVENT_TIME}"
    if isinstance(error, duckdb.Error) and "ivision by zero" in str(error):
        return "division by zero"
    if isinstance(error, duckdb.ConversionException):
        return "a value cannot be converted to the type that the query asks for"
    if isinstance(error, duckdb.OutOfRangeException):
        return "a number is out of the range of its type"
    if isinstance(error, duckdb.InvalidInputException) and "More than one row returned by a subquery" in str(
        error
    ):
        return "a query inside an expression gives more than one row"
    if isinstance(error, duckdb.InvalidInputException) or _EMPTY_REDUCED in str(error):
        return "a function does not accept a value"
    if isinstance(error, duckdb.NotImplementedException) and "Unknown TimeZone" in str(error):
        return "a time zone is not known"
    if isinstance(error, duckdb.Error) and "SELECT list is empty" in str(error):
        return "it has no columns: there are no values for PIVOT to make them of"
    if isinstance(error, duckdb.Error):
        return f"the query failed ({type(error).__name__})"
    return "a value does not fit the type of the target topic"
