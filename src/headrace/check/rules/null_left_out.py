"""`<>` and NOT IN in WHERE over a column that may be null."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from headrace.check.nulls import may_be_null, spoken_of
from headrace.check.rule import Finding, Rule
from headrace.errors.codes.lint import NULL_LEFT_OUT
from headrace.sql import print_query
from headrace.sql.spans import nearest_span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.check.program import CheckedProgram


def _find(checked: CheckedProgram) -> Iterator[Finding]:
    for select in checked.selects:
        where = select.node.args.get("where")
        if where is None:
            continue
        known = spoken_of(select)
        for node in where.find_all(exp.NEQ, exp.Not):
            if node.find_ancestor(exp.Select) is not select.node:
                continue
            for side in _compared(node):
                if side not in known and may_be_null(checked, select, side):
                    name = print_query(side) if isinstance(side, exp.Expression) else "it"
                    way_out = "write `IS DISTINCT FROM`, or add `IS NOT NULL` if that is meant"
                    if isinstance(node, exp.Not):
                        way_out = f"add `OR {name} IS NULL`, or `AND {name} IS NOT NULL` if that is meant"
                    yield Finding(nearest_span(node), f"rows in which `{name}` is null are left out", way_out)
                    break


def _compared(node: exp.Expr) -> list[exp.Expr]:
    """Give what must not be null for `<>`, or for NOT IN a list of values, to be true."""
    if isinstance(node, exp.NEQ):
        return [] if isinstance(node.expression, exp.Null) else [node.this, node.expression]
    inner = node.this.unnest()
    # A list with NULL in it is never true at all: that is another rule's.
    listed = isinstance(inner, exp.In) and not any(isinstance(item, exp.Null) for item in inner.expressions)
    return [inner.this] if listed and inner.expressions else []


RULE = Rule(
    NULL_LEFT_OUT,
    "CREATE TABLE orders(_key string, country string) FORMAT(STRING, JSON);\n"
    "INSERT INTO abroad\nSELECT STREAM country\nFROM orders\nWHERE country <> 'GR';",
    "CREATE TABLE orders(_key string, country string) FORMAT(STRING, JSON);\n"
    "INSERT INTO abroad\nSELECT STREAM country\nFROM orders\nWHERE country IS DISTINCT FROM 'GR';",
    _find,
    typed=True,
)
