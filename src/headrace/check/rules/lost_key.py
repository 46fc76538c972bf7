"""A join by another column than the stream's key, whose result does not keep that key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from headrace.check.program import alias_of, tables_of
from headrace.check.rule import Finding, Rule
from headrace.errors.codes.lint import LOST_KEY
from headrace.sql.nodes import Insert, Target, With
from headrace.sql.paths import column_path
from headrace.sql.spans import nearest_span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.check.program import CheckedProgram

_KEY = "_key"


def _find(checked: CheckedProgram) -> Iterator[Finding]:
    for select in checked.selects:
        if not isinstance(select.statement, Insert | With):
            continue  # nobody reads the result of a query by its key
        node = select.node
        joins = [join for join in node.args.get("joins") or [] if join.args.get("on") is not None]
        source = node.args.get("from_")
        if not joins or source is None or node.args.get("group") is not None or not tables_of(node):
            continue
        if all(join.args.get("broadcast") for join in joins):
            continue  # the result has the key of the stream
        alias = alias_of(source.this)
        names_key = any(
            _is_key(part, alias) for join in joins for part in join.args["on"].find_all(exp.Column)
        )
        if names_key or any(_keeps(item, alias) for item in node.expressions):
            continue
        yield Finding(
            nearest_span(source.this) or nearest_span(node),
            f"the key of `{alias}` is not among the columns of the join",
            f"keep it: `{alias}.{_KEY} AS id`, or say which key the result has: `AS {_KEY}`",
        )


def _keeps(item: exp.Expr, alias: str) -> bool:
    """Say whether a column holds the key of the stream, or says what the key of the result is."""
    if isinstance(item, Target) and item.expressions[0].name == _KEY:
        return True
    if isinstance(item, exp.Alias) and item.alias == _KEY:
        return True
    return any(_is_key(part, alias) for part in item.find_all(exp.Column))


def _is_key(node: exp.Column, alias: str) -> bool:
    path = [part.name for part in column_path(node) or []]
    return path[:2] == [alias, _KEY] or path[:1] == [_KEY]


RULE = Rule(
    LOST_KEY,
    "INSERT INTO shipped\nSELECT STREAM o.amount, c.city\nFROM orders AS o\nJOIN customers AS c ON o.customer = c._key;",
    "INSERT INTO shipped\nSELECT STREAM o._key AS order_id, o.amount, c.city\nFROM orders AS o\n"
    "JOIN customers AS c ON o.customer = c._key;",
    _find,
)
