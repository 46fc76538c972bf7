"""Dotted names as a list: `a.b.c`, however sqlglot splits it over tables, catalogs and dots."""

from __future__ import annotations

from sqlglot import exp


def column_path(node: exp.Expr | None) -> list[exp.Identifier] | None:
    """Give the parts of a dotted name in the order of the text; None for anything else (a bracket, a call, a star)."""
    tail: list[exp.Identifier] = []
    while isinstance(node, exp.Dot):
        if not isinstance(node.expression, exp.Identifier):
            return None
        tail.append(node.expression)
        node = node.this
    if not isinstance(node, exp.Column):
        return None
    parts = [node.args.get(key) for key in ("catalog", "db", "table", "this")]
    head = [part for part in parts if isinstance(part, exp.Identifier)]
    if not isinstance(node.this, exp.Identifier):
        return None
    return head + tail[::-1]


def column_of(path: list[exp.Identifier]) -> exp.Expression:
    """Make the node of a dotted name, the way sqlglot has it: at most four parts in a column, dots for the others."""
    keys = ("this", "table", "db", "catalog")
    head = path[:4]
    node: exp.Expression = exp.Column(**dict(zip(keys, reversed(head), strict=False)))
    for part in path[4:]:
        node = exp.Dot(this=node, expression=part)
    return node
