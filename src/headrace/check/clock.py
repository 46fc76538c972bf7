"""Which SELECTs go by the clock of the machine, as far as their text tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

if TYPE_CHECKING:
    from headrace.check.program import Select


def says_clock(time: exp.Expr) -> bool:
    """Say whether what EVENTTIME BY takes is PROCTIME()."""
    while isinstance(time, exp.Paren):
        time = time.this
    return isinstance(time, exp.Anonymous) and str(time.this).upper() == "PROCTIME"


def goes_by_clock(select: Select) -> bool:
    """Say whether a SELECT, or the one named query that it reads, has its time from PROCTIME()."""
    node: exp.Expr = select.node
    seen: set[str] = set()
    while isinstance(node, exp.Select):
        time = node.args.get("eventtime")
        if time is not None:
            return says_clock(time)
        # What groups and joins give has times of its own.
        source = node.args.get("from_") if not node.args.get("joins") else None
        if source is None or (node is not select.node and node.args.get("group") is not None):
            return False
        below = source.this
        if isinstance(below, exp.Subquery):
            node = below.this
        elif isinstance(below, exp.Table) and below.name in select.names and below.name not in seen:
            seen.add(below.name)
            node = select.names[below.name].query
        else:
            return False
    return False
