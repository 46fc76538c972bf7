"""The place of a node in the text it was read from.

A span lives in the node's `meta`, which sqlglot copies along with the node and leaves out when it compares trees. So it
survives `copy()`, and `transform()` for every node that the transformation keeps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace.errors import Span

if TYPE_CHECKING:
    from sqlglot import exp

_START = "start"
_END = "end"


def span_of(node: exp.Expr | None) -> Span | None:
    """Give the place of a node, quotes and closing brackets included; None for a node that was not read from text."""
    if node is None:
        return None
    meta = node._meta  # not `meta`, which makes a dict for each node that has none
    if not meta or _START not in meta:
        return None
    return Span(meta[_START], meta[_END])


def set_span(node: exp.Expr, span: Span) -> None:
    """Note where a node stands; `span.end` is exclusive."""
    meta = node.meta
    meta[_START] = span.start
    meta[_END] = span.end


def place_all(tree: exp.Expression, span: Span) -> None:
    """Say of a whole tree, read from another text, that it stands at one place of this text."""
    for node in tree.walk():
        set_span(node, span)


def nearest_span(node: exp.Expr | None) -> Span | None:
    """Give the place of a node or, where it has none, of the nearest node around it that has."""
    while node is not None:
        span = span_of(node)
        if span is not None:
            return span
        node = node.parent
    return None
