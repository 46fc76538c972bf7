"""Constants that DuckDB refuses before it has read a record: it computes some of them while it compiles a query."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from sqlglot import exp

from headrace.errors import Diagnostic, ProgramError
from headrace.errors.codes.function import CANNOT_COMPILE

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

_KIND: Final = re.compile(r"[A-Z]\w+( \w+)* Error: ")
_USER_FUNCTION: Final = re.compile(r"UserFunctionError: (.*)")


def constant_calls(node: exp.Expression) -> Iterator[exp.Anonymous]:
    """Give the calls in an expression whose arguments name no column, the outer ones first."""
    for call in node.find_all(exp.Anonymous):
        if call.expressions and call.find(exp.Column) is None:
            yield call


def words_of_user_function(error: Exception) -> str | None:
    """Give what DuckDB says of a user function that fails: its name and a place in it, never a value; None for other errors."""
    own = _USER_FUNCTION.search(str(error))
    return None if own is None else own[1]


def cannot_compile(error: duckdb.Error) -> ProgramError:
    """Make the error of a query that fails before it has read a record: only constants can be in DuckDB's words.

    It has no place: who knows the text that the query comes from gives it one.
    """
    reason = _KIND.sub("", str(error).partition("\n")[0]).strip()
    way_out = "look at the constants that functions are given"
    message = f"the query cannot be compiled: {words_of_user_function(error) or reason}"
    return ProgramError((Diagnostic(CANNOT_COMPILE, message, help=way_out),))
