"""NOT IN a list with NULL, or a sub-query that may give it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from headrace.check.nulls import may_be_null, spoken_of
from headrace.check.rule import Finding, Rule
from headrace.errors.codes.lint import NOT_IN_NULL
from headrace.sql.spans import nearest_span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.check.program import CheckedProgram, Select


def _find(checked: CheckedProgram) -> Iterator[Finding]:
    for select in checked.selects:
        known = spoken_of(select)
        for node in select.node.find_all(exp.Not):
            inner = node.this.unnest()
            if not isinstance(inner, exp.In) or node.find_ancestor(exp.Select) is not select.node:
                continue
            if any(isinstance(item, exp.Null) for item in inner.expressions):
                yield Finding(
                    nearest_span(node), "NOT IN a list with NULL is never true", "take NULL out of the list"
                )
            elif any(item not in known and may_be_null(checked, select, item) for item in inner.expressions):
                yield Finding(
                    nearest_span(node),
                    "a column in the list may be null, and then NOT IN is never true",
                    "say in WHERE that it `IS NOT NULL`, or write `IS DISTINCT FROM` for each",
                )
            elif _gives_null(checked, select, inner):
                yield Finding(
                    nearest_span(node),
                    "the sub-query may give NULL, and then NOT IN is never true",
                    "add `WHERE … IS NOT NULL` to the sub-query, or use NOT EXISTS",
                )


def _gives_null(checked: CheckedProgram, select: Select, node: exp.In) -> bool:
    """Say whether the one column of the sub-query is known to be nullable, and its WHERE does not leave nulls out."""
    query = node.args.get("query")
    inner = query.this if isinstance(query, exp.Subquery) else None
    if not isinstance(inner, exp.Select) or len(inner.expressions) != 1:
        return False
    column = inner.expressions[0].unalias()
    known = checked.types.of(column, inner, select.names)
    if known is None or not (known.nullable and known.declared):
        return False
    where = inner.args.get("where")
    kept = where.find_all(exp.Not) if where is not None else ()
    return not any(isinstance(item.this, exp.Is) and item.this.this == column for item in kept)


RULE = Rule(
    NOT_IN_NULL,
    "INSERT INTO others\nSELECT STREAM *\nFROM orders\nWHERE country NOT IN ('GR', NULL);",
    "INSERT INTO others\nSELECT STREAM *\nFROM orders\nWHERE country NOT IN ('GR');",
    _find,
    typed=True,
)
