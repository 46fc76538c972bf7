"""User functions on a DuckDB connection: which a query calls, and how DuckDB gets to know them."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from duckdb.func import FunctionNullHandling, PythonUDFType

from headrace.functions.user import PREFIX, UserFunctions, from_file
from headrace.types.sql import duckdb_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import duckdb
    import pyarrow as pa

    from headrace.errors import Source, Span
    from headrace.functions.user import DuckdbFunction, UserFunction

_CALL: Final = re.compile(rf"\b{PREFIX}(\w+?)(?:__each|__total)?\s*\(", re.IGNORECASE)


def program_functions(file: str | None, source: Source, span: Span | None) -> UserFunctions:
    """Give the user functions that a program may call.

    Args:
        file: the setting `functions.file`; a relative path counts from the folder of the program.
        source: the program.
        span: the place of the setting.

    Raises:
        ProgramError: the file cannot be loaded.
    """
    if file is None:
        return UserFunctions()
    program = Path(source.name)
    return from_file(str(program.parent / file) if program.is_file() else file, span)


def called_in(query: str, functions: UserFunctions) -> tuple[UserFunction, ...]:
    """Give the user functions that a DuckDB query calls, by name."""
    names = sorted({name.upper() for name in _CALL.findall(query)})
    return tuple(found for name in names if (found := functions.find(name)) is not None)


def register(connection: duckdb.DuckDBPyConnection, functions: Iterable[UserFunction]) -> None:
    """Make user functions known to a connection. They run in the thread that runs the query."""
    for function in functions:
        for part in function.registrations:
            connection.create_function(
                part.name,
                _callable(part),
                [duckdb_type(kind) for kind in part.parameters],
                duckdb_type(part.result),
                type=PythonUDFType.ARROW,
                # What null does is decided by the function itself, see `evaluate`.
                null_handling=FunctionNullHandling.SPECIAL,
                side_effects=part.volatile,
            )


def _callable(function: DuckdbFunction) -> Callable[..., pa.Array[Any]]:
    def call(*columns: pa.ChunkedArray[Any]) -> pa.Array[Any]:
        return function.evaluate(columns)

    # DuckDB counts the parameters of what it is given.
    call.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(f"a{index}", inspect.Parameter.POSITIONAL_OR_KEYWORD)
            for index in range(len(function.parameters))
        ]
    )
    return call
