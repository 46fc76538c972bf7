"""`= NULL` and the like."""

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
        for node in select.node.find_all(*_COMPARISONS):
            if node.find_ancestor(exp.Select) is not select.node:
                continue
            if isinstance(node.this, exp.Null) or isinstance(node.expression, exp.Null):
                way_out = "write `IS NOT NULL`" if isinstance(node, exp.NEQ) else "write `IS NULL`"
                yield Finding(nearest_span(node), "a comparison with NULL is never true", way_out)


RULE = Rule(
    COMPARED_WITH_NULL,
    "INSERT INTO open_orders\nSELECT STREAM *\nFROM orders\nWHERE shipped = NULL;",
    "INSERT INTO open_orders\nSELECT STREAM *\nFROM orders\nWHERE shipped IS NULL;",
    _find,
)
