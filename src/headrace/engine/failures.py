"""Says what kind of failure an expression had, without the values that the messages of DuckDB and Arrow hold."""

from __future__ import annotations

import re
from typing import Final

import duckdb

from headrace.errors import Diagnostic, ProgramError
from headrace.errors.codes.function import CANNOT_COMPILE
from headrace.plan.operators import NO_EVENT_TIME

_STREAMED: Final[dict[str, type[duckdb.Error]]] = {
    "Conversion Error:": duckdb.ConversionException,
    "Out of Range Error:": duckdb.OutOfRangeException,
    "Invalid Input Error:": duckdb.InvalidInputException,
    "Out of Memory Error:": duckdb.OutOfMemoryException,
}
"""How the text of DuckDB's errors begins: those of a result that streams come through Arrow as errors of input and output."""

_KIND: Final = re.compile(r"[A-Z]\w+( \w+)* Error: ")
_USER_FUNCTION: Final = re.compile(r"UserFunctionError: (.*)")


def failure_of(error: Exception) -> str:
    """Give the reason in words that may be logged."""
    if isinstance(error, OSError):
        error = next(
            (kind(str(error)) for begin, kind in _STREAMED.items() if begin in str(error)),
            duckdb.Error(str(error)),
        )
    if isinstance(error, duckdb.Error) and (own := _USER_FUNCTION.search(str(error))):
        # Its words name a function and a place in it, never a value.
        return own[1]
    if isinstance(error, duckdb.InvalidInputException) and str(error).endswith(NO_EVENT_TIME):
        return f"the {NO_EVENT_TIME}"
    if isinstance(error, duckdb.Error) and "ivision by zero" in str(error):
        return "division by zero"
    if isinstance(error, duckdb.ConversionException):
        return "a value cannot be converted to the type that the query asks for"
    if isinstance(error, duckdb.OutOfRangeException):
        return "a number is out of the range of its type"
    if isinstance(error, duckdb.InvalidInputException):
        return "a function does not accept a value"
    if isinstance(error, duckdb.NotImplementedException) and "Unknown TimeZone" in str(error):
        return "a time zone is not known"
    if isinstance(error, duckdb.Error) and "SELECT list is empty" in str(error):
        return "it has no columns: there are no values for PIVOT to make them of"
    if isinstance(error, duckdb.Error):
        return f"the query failed ({type(error).__name__})"
    return "a value does not fit the type of the target topic"


def cannot_compile(error: duckdb.Error) -> ProgramError:
    """Make the error of a query that fails before it has read a record: only constants can be in DuckDB's words."""
    reason = _KIND.sub("", str(error).partition("\n")[0]).strip()
    if own := _USER_FUNCTION.search(reason):
        reason = own[1]
    way_out = "look at the constants that functions are given"
    return ProgramError(
        (Diagnostic(CANNOT_COMPILE, f"the query cannot be compiled: {reason}", help=way_out),)
    )
