"""SHOW FUNCTIONS and DESCRIBE FUNCTION: the functions of the language, of users, and of DuckDB."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from headrace.engine.statements.answers import Rows, texts
from headrace.engine.statements.patterns import like
from headrace.engine.statements.workspace import refused
from headrace.errors.codes import catalog as codes
from headrace.errors.suggest import did_you_mean
from headrace.functions import Function, all_functions, forms, function_names, lookup_all
from headrace.functions.declaration import MACRO_PREFIX
from headrace.planner.connection import connection

if TYPE_CHECKING:
    from headrace.errors import Span
    from headrace.functions.user import UserFunctions

_COLUMNS: Final = ("name", "family", "kind", "usage", "description")

_OF_DUCKDB: Final = f"""
    SELECT lower(function_name), function_type, parameters, parameter_types, varargs, return_type, description, examples
    FROM duckdb_functions()
    WHERE function_type IN ('scalar', 'macro', 'aggregate')
      AND regexp_full_match(function_name, '[A-Za-z][A-Za-z0-9_]*')
      AND NOT starts_with(lower(function_name), '{MACRO_PREFIX}')
    ORDER BY ALL
"""


@dataclass(frozen=True, slots=True)
class _Shown:
    """A function as it is listed and described."""

    name: str
    family: str
    kind: str
    usage: str
    description: str
    more: tuple[tuple[str, str], ...] = ()


def show_functions(pattern: str | None, user: UserFunctions) -> Rows:
    """List all functions with what they do: those of the language, of users, and of DuckDB by their own names."""
    shown = [*_ours(user), *_of_duckdb(user)]
    chosen = set(like([item.name for item in shown], pattern))
    shown.sort(key=lambda item: (item.name.upper(), item.kind))
    rows = [
        (item.name, item.family, item.kind, item.usage, item.description)
        for item in shown
        if item.name in chosen
    ]
    return texts(_COLUMNS, rows)


def describe_function(name: str, span: Span, user: UserFunctions) -> Rows:
    """Tell of one function; of several that share the name, one after the other.

    Raises:
        ProgramError: there is none of that name.
    """
    own = user.find(name)
    declared = [*lookup_all(name)] or ([own.declaration] if own is not None else [])
    found = [_shown(item) for item in declared]
    if not found:
        found = [item for item in _of_duckdb(user) if item.name == name.lower()]
    if not found:
        known = [*function_names(), *(item.name for item in forms()), *(item.name for item in user.all())]
        way_out = did_you_mean(name.upper(), known) or "`SHOW FUNCTIONS` lists all there are"
        raise refused(codes.NOT_DEFINED, f"there is no function `{name}`", span, way_out)
    rows: list[tuple[str, str]] = []
    for item in found:
        rows += [
            ("name", item.name),
            ("family", item.family),
            ("kind", item.kind),
            ("usage", item.usage),
            ("description", item.description),
            *item.more,
        ]
        if own is not None and item.name == own.name:
            rows.append(("from", own.origin))
    return texts(("property", "value"), rows)


def _ours(user: UserFunctions) -> list[_Shown]:
    """Give each function under its name and under each of its aliases."""
    found = []
    for item in (*all_functions(), *forms(), *(own.declaration for own in user.all())):
        shown = _shown(item)
        found.append(shown)
        for alias in item.aliases:
            usage = "\n".join(signature.describe(alias) for signature in item.signatures)
            found.append(_Shown(alias, shown.family, shown.kind, usage, f"Alias of {item.name}."))
    return found


def _shown(item: Function) -> _Shown:
    more = [("null arguments", str(item.nulls.value))]
    if item.aliases:
        more.append(("also called", ", ".join(item.aliases)))
    more += [("example", f"{example.call} = {example.result}") for example in item.examples]
    usage = "\n".join(item.usage())
    return _Shown(item.name, item.family, str(item.kind), usage, item.description, tuple(more))


def _of_duckdb(user: UserFunctions) -> list[_Shown]:
    """Give the functions that are called by DuckDB's names, those that ours or the user's hide left out."""
    hidden = {name.lower() for name in function_names()} | {item.name.lower() for item in user.all()}
    with closing(connection()) as duck:
        overloads = duck.execute(_OF_DUCKDB).fetchall()
    found: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
    for row in overloads:
        if row[0] not in hidden:
            kind = "aggregate" if row[1] == "aggregate" else "scalar"
            found.setdefault((row[0], kind), []).append(row)
    return [_duckdb_shown(name, kind, rows) for (name, kind), rows in found.items()]


def _duckdb_shown(name: str, kind: str, rows: list[tuple[Any, ...]]) -> _Shown:
    usage = list(dict.fromkeys(_usage(row) for row in rows))
    description = next((row[6] for row in rows if row[6]), "A function of DuckDB.")
    if kind == "aggregate":
        description += " In snapshot queries alone."
    examples = list(dict.fromkeys(example for row in rows for example in row[7] or ()))
    more = tuple(("example", example) for example in examples)
    return _Shown(name, "duckdb", kind, "\n".join(usage), description, more)


def _usage(row: tuple[Any, ...]) -> str:
    name, _, parameters, kinds, varargs, result, *_ = row
    shown = [
        f"{parameter} {kind}" if kind else str(parameter)
        for parameter, kind in zip(parameters, kinds, strict=True)
    ]
    if varargs:
        shown.append("…")
    return f"{name}({', '.join(shown)})" + (f" -> {result}" if result else "")
