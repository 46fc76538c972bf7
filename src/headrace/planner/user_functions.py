"""User functions on a DuckDB connection: which a query calls, and how DuckDB gets to know them."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from duckdb.func import FunctionNullHandling, PythonUDFType
from sqlglot import exp

from headrace.errors import Diagnostic, ProgramError, Severity
from headrace.errors.codes import function as codes
from headrace.functions import lookup
from headrace.functions.user import EACH, PREFIX, TOTAL, UserFunctions, UserKind, from_file
from headrace.plan.operators import Changes
from headrace.sql.nodes import Insert, Named, Query, Set, With
from headrace.types.sql import duckdb_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import duckdb
    import pyarrow as pa

    from headrace.functions import Function
    from headrace.functions.user import DuckdbFunction, UserFunction
    from headrace.plan.operators import Operator
    from headrace.plan.topology import Pipeline
    from headrace.sql.nodes import Program

Planned = TypeVar("Planned", Insert, Named, Query, With)

_FILE: Final = "functions.file"
_CALL: Final = re.compile(rf"\b{PREFIX}(\w+?)(?:{EACH}|{TOTAL})?\s*\(", re.IGNORECASE)


def program_functions(
    program: Program, defaults: Mapping[str, str] | None = None, folder: Path | None = None
) -> UserFunctions:
    """Give the user functions that a program may call.

    Args:
        program: its last `SET functions.file` counts.
        defaults: settings from outside, by key; a relative path is one from the working folder.
        folder: where relative paths in the program begin; None: at its own file, else at the working folder.

    Raises:
        ProgramError: the file cannot be loaded.
    """
    sets = [item for item in program.statements if isinstance(item, Set) and ".".join(item.key) == _FILE]
    if not sets:
        outside = (defaults or {}).get(_FILE)
        return UserFunctions() if outside is None else from_file(outside)
    text = Path(program.source.name)
    if folder is None:
        folder = text.parent if text.is_file() else Path()
    try:
        return from_file(str(folder / str(sets[-1].value)), sets[-1].value_span)
    except ProgramError as fault:
        raise ProgramError(fault.diagnostics, program.source) from None


def calls_user_functions(
    program: Program, functions: UserFunctions, views: Iterable[exp.Expression] = ()
) -> bool:
    """Say whether a program, or a view that it may read, calls any of the functions."""
    queries = [*views]
    queries += [entry.query for item in program.statements for entry in getattr(item, "names", ())]
    queries += [item.query for item in program.statements if isinstance(item, Insert | Query)]
    names = {str(node.this) for query in queries for node in query.find_all(exp.Anonymous)}
    return any(lookup(name) is None and functions.find(name) is not None for name in names)


def called_in(query: str, functions: UserFunctions) -> tuple[UserFunction, ...]:
    """Give the user functions that a DuckDB query calls, by name."""
    names = sorted({name.upper() for name in _CALL.findall(query)})
    return tuple(found for name in names if (found := functions.find(name)) is not None)


def uncalled_methods(
    operators: Iterable[Operator], pipelines: Sequence[Pipeline], functions: UserFunctions
) -> Iterator[Diagnostic]:
    """Warn of user aggregates over tables with a method that takes rows back: it is not called."""
    feeds = [feed for item in operators for feed in item.feeds if feed.changes is not Changes.APPEND]
    queries = [feed.query for feed in feeds]
    queries += [item.query for item in pipelines if item.sink in {feed.source for feed in feeds}]
    for found in called_in(" ".join(queries), functions):
        if found.retraction is not None:
            message = f"`{found.name}` is over a table, and the method `{found.retraction}` of its class is not called"
            note = "a row that goes takes its own state along, so the result is right without it"
            yield Diagnostic(
                codes.UNCALLED_METHOD,
                message,
                help="call it `subtract`, and a group keeps one state instead of that of each row",
                notes=(note,),
                severity=Severity.WARNING,
            )


def folded(node: exp.Expression, functions: UserFunctions) -> UserFunction | None:
    """Give the user aggregate whose items a node makes, see `with_aggregates`; None if it makes none."""
    name = str(node.this).lower() if isinstance(node, exp.Anonymous) else ""
    if not name.startswith(PREFIX) or not name.endswith(EACH):
        return None
    return functions.find(name.removeprefix(PREFIX).removesuffix(EACH))


def declaration(name: str, functions: UserFunctions) -> Function | None:
    """Give the declaration of a user function, or of a part of an aggregate as `with_aggregates` writes it."""
    lower = name.lower()
    if lower.startswith(PREFIX) and lower.endswith((EACH, TOTAL)):
        part = 0 if lower.endswith(EACH) else 1
        found = functions.find(lower.removeprefix(PREFIX).removesuffix(EACH).removesuffix(TOTAL))
        return None if found is None else found.parts[part]
    found = functions.find(name)
    return None if found is None else found.declaration


def with_aggregates(statement: Planned, functions: UserFunctions) -> Planned:
    """Give a statement whose user aggregates are written out.

    `F(x)` becomes the result of the collected items of `x`, so that windows, restarts and tables know it without a word more:
    what they keep is an array. Operators fold it where they can, see `stateful.calls`.
    """
    changes: dict[str, Any] = {}
    for part in fields(statement):
        value = getattr(statement, part.name)
        if isinstance(value, exp.Expression):
            changes[part.name] = written_out(value, functions)
        elif part.name == "names":
            changes[part.name] = tuple(with_aggregates(entry, functions) for entry in value)
    return replace(statement, **changes)


def written_out(query: exp.Expression, functions: UserFunctions) -> exp.Expression:
    """Give a query whose user aggregates are written out, see `with_aggregates`."""

    def write(node: exp.Expression) -> exp.Expression:
        inner = node.this if isinstance(node, exp.Window) else node
        call = inner.this if isinstance(inner, exp.Filter) else inner
        found = _aggregate(call, functions)
        if found is None:
            return node
        if inner is not node:
            # The result is that of the states in the frame.
            framed = node.copy()
            framed.meta.update(node.meta)
            framed.set("this", write(inner).expressions[0])
            for part in ("partition_by", "order"):
                found_there = framed.args.get(part)
                for item in found_there if isinstance(found_there, list) else [found_there]:
                    if item is not None:
                        item.replace(item.transform(write))
            return _placed(call, PREFIX + found.name.lower() + TOTAL, [framed])
        arguments = [argument.transform(write) for argument in call.expressions]
        distinct = arguments[0].expressions if arguments and isinstance(arguments[0], exp.Distinct) else None
        each: exp.Expression = _placed(call, PREFIX + found.name.lower() + EACH, distinct or arguments)
        if distinct:
            each = exp.Distinct(expressions=[each])
        states: exp.Expression = _placed(call, "COLLECT", [each])
        if inner is not call:
            states = exp.Filter(this=states, expression=node.expression.transform(write))
            states.meta.update(node.meta)
        return _placed(node, PREFIX + found.name.lower() + TOTAL, [states])

    if not any(_aggregate(node, functions) for node in query.find_all(exp.Anonymous)):
        return query
    return query.transform(write)


def _aggregate(node: exp.Expression, functions: UserFunctions) -> UserFunction | None:
    if not isinstance(node, exp.Anonymous) or lookup(str(node.this)) is not None:
        return None
    found = functions.find(str(node.this))
    return found if found is not None and found.kind is UserKind.AGGREGATE else None


def _placed(origin: exp.Expression, name: str, arguments: list[exp.Expression]) -> exp.Anonymous:
    """Make a call that stands where another one does in the text."""
    made = exp.Anonymous(this=name, expressions=arguments)
    made.meta.update(origin.meta)
    return made


def register(connection: duckdb.DuckDBPyConnection, functions: Iterable[UserFunction]) -> None:
    """Make user functions known to a connection that has its own database. They run in the thread that runs the query."""
    parts = [part for function in functions for part in function.registrations]
    if parts:
        # DuckDB refuses while the last statement has a result that nobody has taken.
        connection.execute("SELECT 1").fetchall()
        for part in parts:
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
