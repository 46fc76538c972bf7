"""COUNT of a column that may be null."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from headrace.check.nulls import may_be_null, spoken_of
from headrace.check.rule import Finding, Rule
from headrace.errors.codes.lint import NULL_NOT_COUNTED
from headrace.sql import print_query
from headrace.sql.spans import nearest_span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.check.program import CheckedProgram


def _find(checked: CheckedProgram) -> Iterator[Finding]:
    for select in checked.selects:
        counts = [
            node
            for item in select.node.expressions
            for node in item.find_all(exp.Anonymous)
            if node.name.upper() == "COUNT" and node.find_ancestor(exp.Select) is select.node
        ]
        # Beside COUNT(*) the difference is meant; behind an outer join, COUNT of the partner's column is the right one.
        if any(isinstance(part, exp.Star) for node in counts for part in node.expressions):
            continue
        if any(join.side for join in select.node.args.get("joins") or []):
            continue
        known = spoken_of(select)
        for node in counts:
            counted = node.expressions[0] if len(node.expressions) == 1 else None
            # `_key` is counted as no declaration says that it is never null.
            if counted is None or counted in known or counted.name == "_key":
                continue
            if may_be_null(checked, select, counted):
                name = print_query(counted) if isinstance(counted, exp.Expression) else "it"
                yield Finding(
                    nearest_span(node),
                    f"rows in which `{name}` is null are not counted",
                    f"write `COUNT(*)` to count all rows, or `WHERE {name} IS NOT NULL` if that is meant",
                )


RULE = Rule(
    NULL_NOT_COUNTED,
    "CREATE TABLE orders(_key string, country string, coupon string) FORMAT(STRING, JSON);\n"
    "INSERT INTO per_minute\nSELECT STREAM country, COUNT(coupon) AS orders\nFROM orders\nWINDOW BY TUMBLE 1m\n"
    "GROUP BY country;",
    "CREATE TABLE orders(_key string, country string, coupon string) FORMAT(STRING, JSON);\n"
    "INSERT INTO per_minute\nSELECT STREAM country, COUNT(*) AS orders\nFROM orders\nWINDOW BY TUMBLE 1m\n"
    "GROUP BY country;",
    _find,
    typed=True,
)
