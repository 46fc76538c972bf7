"""Asks DuckDB which rows of a batch a query fails for, all at once.

A query that fails for one row fails for its batch and does not say for which row. Trying halves finds a few bad rows fast,
but for a flood of them it costs two queries a row. The probe is the same query with every expression under TRY: slower over
good rows, and many times faster over bad ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from headrace.plan.topology import ROW

if TYPE_CHECKING:
    from collections.abc import Iterable

_BAD = "_bad"
_PASSES = "_passes"
_UNDERSTOOD = {"expressions", "from_", "where", "kind"}


def probe_query(query: str) -> str | None:
    """Give a query for the `_row` of the rows that a pipeline's query fails for; None where it cannot be asked so."""
    try:
        node = sqlglot.parse_one(query, dialect="duckdb")
    except SqlglotError:
        return None
    levels: list[exp.Select] = []
    while True:
        if not isinstance(node, exp.Select) or not _plain(node):
            return None
        levels.append(node)
        source = node.args["from_"].this
        if not isinstance(source, exp.Subquery):
            break
        node = source.this
    inner = f"(SELECT *, false AS {_BAD} FROM {_text(source)})"
    wrapped: frozenset[str] = frozenset()
    for select in reversed(levels):
        inner, wrapped = _level(select, inner, wrapped)
    return f"SELECT DISTINCT {ROW} FROM {inner} WHERE {_BAD}"


def _plain(select: exp.Select) -> bool:
    return all(key in _UNDERSTOOD or not value for key, value in select.args.items())


def _level(select: exp.Select, inner: str, wrapped: frozenset[str]) -> tuple[str, frozenset[str]]:
    """Give a SELECT with each value in a list of one: no list means that the expression failed, a list of null is a null."""
    columns, tried = [ROW, _BAD], []
    names = []
    for item in select.expressions:
        name, body = item.alias_or_name, _unwrapped(item.unalias(), wrapped)
        if name == ROW:
            continue
        names.append(name)
        if body.find(exp.Unnest, exp.Explode):
            columns.append(f"[{_text(body)}] AS {name}")
            continue
        columns.append(f"TRY([{_text(body)}]) AS {name}")
        tried.append(name)
    where = select.args.get("where")
    # Inside CASE, as in WHERE, the second side of an OR is not computed where the first decides.
    condition = (
        f"CASE WHEN {_text(_unwrapped(where.this, wrapped))} THEN true ELSE false END" if where else "true"
    )
    columns.append(f"TRY([{condition}]) AS {_PASSES}")
    failed = " OR ".join([_BAD, f"{_PASSES} IS NULL", *_failed(tried)])
    kept = ", ".join([ROW, *names, f"{failed} AS {_BAD}"])
    level = f"(SELECT {', '.join(columns)} FROM {inner})"
    return f"(SELECT {kept} FROM {level} WHERE {_BAD} OR {_PASSES} IS NULL OR {_PASSES}[1])", frozenset(names)


def _failed(names: Iterable[str]) -> Iterable[str]:
    return (f"{name} IS NULL" for name in names)


def _unwrapped(node: exp.Expression, wrapped: frozenset[str]) -> exp.Expression:
    """Take the values that come from the level below out of their lists."""

    def take(part: exp.Expression) -> exp.Expression:
        if isinstance(part, exp.Column) and part.name in wrapped:
            return exp.Anonymous(this="list_extract", expressions=[part.copy(), exp.Literal.number(1)])
        return part

    return node.copy().transform(take)


def _text(node: exp.Expression) -> str:
    return node.sql(dialect="duckdb")
