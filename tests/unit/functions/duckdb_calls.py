"""Evaluates expressions of the language on a DuckDB that has our macros."""

from __future__ import annotations

import functools
from typing import Any

import duckdb
from sqlglot import exp

from headrace.functions import Kind, lookup, setup_sql
from headrace.functions.header import HEADERS
from headrace.sql import parse_query
from headrace.sql.nodes import Query
from headrace.sql.spans import span_of


@functools.cache
def connection() -> duckdb.DuckDBPyConnection:
    """Give a connection with the macros, as the planner makes it."""
    found = duckdb.connect(config={"threads": 1})
    found.execute("SET TimeZone = 'UTC'")
    for statement in setup_sql():
        found.execute(statement)
    return found


def parse(text: str) -> exp.Expression:
    """Read an expression of the language."""
    [query] = parse_query(f"SELECT {text} FROM t").statements
    assert isinstance(query, Query)
    expression: exp.Expression = query.query.expressions[0].unalias()
    return expression


def rendered(text: str) -> exp.Expression:
    """Give the DuckDB expression, every call of ours rendered from the inside out."""
    return _render(parse(text))


def _render(node: exp.Expression) -> exp.Expression:
    span = span_of(node)
    for child in list(node.iter_expressions()):
        child.replace(_render(child))
    if not isinstance(node, exp.Anonymous):
        return node
    function = lookup(str(node.this), len(node.expressions))
    if function is None:
        return node
    args = list(node.expressions)
    if function.kind is Kind.HEADER:
        args.insert(0, exp.column("_headers"))
    return function.render(args, span, str(node.this).upper())


def evaluate(text: str, *, plain: bool = False) -> tuple[str, Any]:
    """Give the type family and the value (timestamps as text) of an expression; `plain` takes it as DuckDB SQL."""
    sql = text if plain else rendered(text).sql(dialect="duckdb")
    return row(
        f"SELECT typeof(x), CAST(x AS VARCHAR) FROM (SELECT {sql} AS x FROM (SELECT {HEADERS} AS _headers))"
    )


def row(sql: str) -> tuple[str, Any]:
    """Run a query that gives a type and a text; types that differ in width alone count as one."""
    found = connection().execute(sql).fetchone()
    assert found is not None
    return _family(found[0], found[1])


def _family(name: str, value: str | None) -> tuple[str, Any]:
    if name == '"NULL"' or value is None:
        return "NULL", None
    if name.startswith("DECIMAL") or name in ("DOUBLE", "FLOAT", "BIGINT", "INTEGER", "SMALLINT", "TINYINT"):
        # NaN is not equal to itself.
        return "number", "NaN" if value.endswith("nan") else float(value)
    return name, value
