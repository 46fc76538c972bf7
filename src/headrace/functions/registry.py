"""Finds functions by name."""

from __future__ import annotations

from typing import Final

from headrace.functions import (
    aggregate,
    array,
    date,
    general,
    hash,
    header,
    json,
    number,
    obfuscation,
    string,
)
from headrace.functions.declaration import Function, Kind

FAMILIES: Final = (general, string, number, date, json, array, header, obfuscation, hash, aggregate)


def _index() -> dict[str, tuple[Function, ...]]:
    found: dict[str, tuple[Function, ...]] = {}
    for family in FAMILIES:
        for function in family.FUNCTIONS:
            for name in (function.name, *function.aliases):
                found[name] = (*found.get(name, ()), function)
    return found


_BY_NAME: Final = _index()


def all_functions() -> tuple[Function, ...]:
    """Give every function, family by family."""
    return tuple(function for family in FAMILIES for function in family.FUNCTIONS)


def function_names() -> tuple[str, ...]:
    """Give every name and alias, for "did you mean"."""
    return tuple(sorted(_BY_NAME))


def lookup(name: str, arguments: int | None = None) -> Function | None:
    """Find a function by name or alias, in any case.

    Args:
        name: as written.
        arguments: the number of arguments, which tells `MAX(a)` (an aggregate) from `MAX(a, b)`. Without it an aggregate wins.

    Returns:
        None if it is none of ours; DuckDB may still have it.
    """
    found = _BY_NAME.get(name.upper())
    if found is None:
        return None
    if arguments is not None:
        for function in found:
            if function.accepts(arguments):
                return function
    return next((function for function in found if function.kind is Kind.AGGREGATE), found[0])


def setup_sql() -> tuple[str, ...]:
    """Give the statements that create our macros; they are run once on each DuckDB connection."""
    return tuple(text for function in all_functions() if (text := function.setup_sql()) is not None)
