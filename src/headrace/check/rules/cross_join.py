"""Two sources without a condition between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from headrace.check.rule import Finding, Rule
from headrace.errors.codes.lint import CROSS_JOIN
from headrace.sql.paths import column_path
from headrace.sql.spans import nearest_span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.check.program import CheckedProgram


def _find(checked: CheckedProgram) -> Iterator[Finding]:
    for select in checked.selects:
        where = select.node.args.get("where")
        for join in select.node.args.get("joins") or []:
            if not isinstance(join.this, exp.Table | exp.Subquery):
                continue
            on, comma = join.args.get("on"), not (join.kind or join.side or join.method)
            name = join.this.alias_or_name
            if comma and on is None and where is not None and _names(where, name):
                continue  # the condition stands in WHERE
            # A JOIN without ON joins by the keys.
            if (on is None and (comma or join.kind == "CROSS")) or (
                on is not None and not any(on.find_all(exp.Column))
            ):
                yield Finding(
                    nearest_span(join.this) or nearest_span(join),
                    f"each row of `{name}` is joined with every row before it",
                    "give the condition: `JOIN … ON …`",
                )


def _names(where: exp.Expr, source: str) -> bool:
    paths = (column_path(node) for node in where.find_all(exp.Column))
    return any(path[0].name == source for path in paths if path)


RULE = Rule(
    CROSS_JOIN,
    "SELECT o.amount, c.city\nFROM orders AS o, customers AS c;",
    "SELECT o.amount, c.city, o._key AS id\nFROM orders AS o\nJOIN customers AS c ON o.customer = c._key;",
    _find,
)
