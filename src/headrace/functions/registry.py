"""Finds functions by name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from headrace.functions import (
    aggregate,
    array,
    date,
    form,
    general,
    geo,
    hash,
    header,
    json,
    map,
    number,
    obfuscation,
    string,
    url,
)
from headrace.functions.declaration import MACRO_PREFIX, Function, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

FAMILIES: Final = (
    general,
    string,
    number,
    date,
    json,
    array,
    map,
    url,
    geo,
    header,
    obfuscation,
    hash,
    aggregate,
)

_FORMS: Final = {function.name: function for function in form.FUNCTIONS}


def _index() -> dict[str, tuple[Function, ...]]:
    found: dict[str, tuple[Function, ...]] = {}
    for family in FAMILIES:
        for function in family.FUNCTIONS:
            for name in (function.name, *function.aliases):
                found[name] = (*found.get(name, ()), function)
    return found


_BY_NAME: Final = _index()
_MACROS: Final = {
    function.macro_name: statement
    for family in FAMILIES
    for function in family.FUNCTIONS
    if (statement := function.setup_sql()) is not None
}
_CALL: Final = re.compile(rf"\b({MACRO_PREFIX}\w+)\s*\(", re.IGNORECASE)


def all_functions() -> tuple[Function, ...]:
    """Give every function, family by family."""
    return tuple(function for family in FAMILIES for function in family.FUNCTIONS)


def forms() -> tuple[Function, ...]:
    """Give what is written like a function and known by its place in the query: it is for telling of, `lookup` has none."""
    return form.FUNCTIONS


def form_named(name: str) -> Function | None:
    """Find a form by name, in any case."""
    return _FORMS.get(name.upper())


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


def lookup_all(name: str) -> tuple[Function, ...]:
    """Give all functions and forms of a name or alias, in any case: `MAX` is an aggregate, and a function of several numbers."""
    found = _FORMS.get(name.upper())
    return _BY_NAME.get(name.upper(), ()) if found is None else (found,)


def macros_in(query: str) -> frozenset[str]:
    """Give the names of our macros that a DuckDB query calls."""
    return frozenset(name for name in (text.lower() for text in _CALL.findall(query)) if name in _MACROS)


def setup_sql(macros: Iterable[str] | None = None) -> tuple[str, ...]:
    """Give the statements that create our macros on a DuckDB connection.

    Args:
        macros: the ones that are needed, see `macros_in`; all if None. Each costs a connection more than a millisecond, and
            a processor opens several before it reads its first record.
    """
    return tuple(_MACROS[name] for name in (_MACROS if macros is None else sorted(macros)))
