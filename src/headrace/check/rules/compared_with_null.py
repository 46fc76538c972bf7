"""`= NULL` and the like, and NULL in a list of IN."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from headrace.check.rule import Finding, Rule
from headrace.errors.codes.lint import COMPARED_WITH_NULL
from headrace.sql.spans import nearest_span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.check.program import CheckedProgram

_COMPARISONS = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Like, exp.ILike)


def _find(checked: CheckedProgram) -> Iterator[Finding]:
    for select in checked.selects:
        for listed in select.node.find_all(exp.In):
            inside_not = isinstance(_outside(listed), exp.Not)  # NOT IN is another rule's.
            if inside_not or listed.find_ancestor(exp.Select) is not select.node:
                continue
            if any(isinstance(item, exp.Null) for item in listed.expressions):
                yield Finding(
                    nearest_span(listed),
                    "NULL in the list of IN finds no row",
                    "write `OR … IS NULL` beside it",
                )
        for node in select.node.find_all(*_COMPARISONS):
            if node.find_ancestor(exp.Select) is not select.node:
                continue
            if isinstance(node.this, exp.Null) or isinstance(node.expression, exp.Null):
                way_out = "write `IS NOT NULL`" if isinstance(node, exp.NEQ) else "write `IS NULL`"
                yield Finding(nearest_span(node), "a comparison with NULL is never true", way_out)


def _outside(node: exp.Expr) -> exp.Expr | None:
    """Give what stands around an expression and its brackets."""
    around = node.parent
    while isinstance(around, exp.Paren):
        around = around.parent
    return around


RULE = Rule(
    COMPARED_WITH_NULL,
    "INSERT INTO open_orders\nSELECT STREAM *\nFROM orders\nWHERE shipped = NULL;",
    "INSERT INTO open_orders\nSELECT STREAM *\nFROM orders\nWHERE shipped IS NULL;",
    _find,
)
