"""`<>` in WHERE over a column that may be null."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from headrace.check.rule import Finding, Rule
from headrace.errors.codes.lint import NULL_LEFT_OUT
from headrace.sql import print_query
from headrace.sql.spans import nearest_span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.check.program import CheckedProgram, Select


def _find(checked: CheckedProgram) -> Iterator[Finding]:
    for select in checked.selects:
        where = select.node.args.get("where")
        if where is None:
            continue
        spoken_of = [node.this for node in where.find_all(exp.Is)]
        for node in where.find_all(exp.NEQ):
            if node.find_ancestor(exp.Select) is not select.node or isinstance(node.expression, exp.Null):
                continue
            for side in (node.this, node.expression):
                if _may_be_null(checked, select, side) and side not in spoken_of:
                    name = print_query(side) if isinstance(side, exp.Expression) else "it"
                    yield Finding(
                        nearest_span(node),
                        f"rows in which `{name}` is null are left out",
                        "write `IS DISTINCT FROM`, or add `IS NOT NULL` if that is meant",
                    )
                    break


def _may_be_null(checked: CheckedProgram, select: Select, node: exp.Expr) -> bool:
    """Say whether a schema says so of a column; a sample, in which any column may be null, tells nothing."""
    if not isinstance(node, exp.Column | exp.Dot):
        return False
    known = checked.types.of(node, select.node, select.names)
    return known is not None and known.nullable and known.declared


RULE = Rule(
    NULL_LEFT_OUT,
    "CREATE TABLE orders(_key string, country string) FORMAT(STRING, JSON);\n"
    "INSERT INTO abroad\nSELECT STREAM country\nFROM orders\nWHERE country <> 'GR';",
    "CREATE TABLE orders(_key string, country string) FORMAT(STRING, JSON);\n"
    "INSERT INTO abroad\nSELECT STREAM country\nFROM orders\nWHERE country IS DISTINCT FROM 'GR';",
    _find,
    typed=True,
)
