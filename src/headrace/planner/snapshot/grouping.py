"""GROUP BY, and where an aggregate may not stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from headrace.errors.codes import plan as codes
from headrace.planner.faults import refusal
from headrace.planner.snapshot.aggregates import is_aggregate, own_nodes
from headrace.sql.spans import nearest_span

if TYPE_CHECKING:
    from collections.abc import Iterable

    from headrace.planner.expressions import Expressions


def group(node: exp.Group, within: Expressions, columns: int) -> exp.Group:
    """Compile GROUP BY of a SELECT with so many columns."""
    if node.args.get("all"):
        return exp.Group(all=True)
    check_ordinals(node.expressions, columns)
    return exp.Group(expressions=[_item(part, within) for part in node.expressions])


def check_ordinals(nodes: Iterable[exp.Expression], columns: int) -> None:
    """Refuse a number that stands for a column which is not there.

    Raises:
        ProgramError: there is one.
    """
    for node in nodes:
        if isinstance(node, exp.Literal) and node.is_int and not 1 <= int(node.name) <= columns:
            message = f"there is no column {node.name}: the SELECT has {columns}"
            raise refusal(codes.UNKNOWN_COLUMN, message, nearest_span(node))


def refuse_misplaced(select: exp.Select, within: Expressions) -> None:
    """Refuse aggregates, and functions over windows, in clauses that choose the rows which are grouped.

    Raises:
        ProgramError: there is one.
    """
    clauses = {
        "WHERE": [select.args.get("where")],
        "ON": [join.args.get("on") for join in select.args.get("joins") or ()],
        "GROUP BY": [select.args.get("group")],
    }
    having = select.args.get("having")
    if having is not None and select.args.get("group") is None:
        parts = [*select.expressions, having]
        if not any(is_aggregate(found, within) for part in parts for found in own_nodes(part)):
            message = "HAVING filters groups, and there are none"
            raise refusal(codes.BAD_GROUPING, message, nearest_span(having), "write WHERE")
    for name, parts in clauses.items():
        for part in parts:
            for found in own_nodes(part) if part is not None else ():
                if isinstance(found, exp.Window):
                    message = f"a function over a window cannot stand in {name}"
                    way_out = "filter its results with QUALIFY" if name == "WHERE" else None
                    raise refusal(codes.BAD_GROUPING, message, nearest_span(found), way_out)
                if name != "ON" and isinstance(found, exp.Anonymous) and str(found.this).lower() == "unnest":
                    message = f"`{found.this}` makes rows, which {name} cannot"
                    raise refusal(
                        codes.BAD_GROUPING, message, nearest_span(found), "write it in SELECT or FROM"
                    )
                if is_aggregate(found, within):
                    message = f"an aggregate cannot stand in {name}"
                    way_out = "filter groups with HAVING" if name == "WHERE" else None
                    raise refusal(codes.BAD_GROUPING, message, nearest_span(found), way_out)


def _item(node: exp.Expression, within: Expressions) -> exp.Expression:
    if isinstance(node, exp.Literal) and node.is_int:
        return node.copy()
    if isinstance(node, exp.Tuple | exp.Rollup | exp.Cube | exp.GroupingSets):
        return type(node)(expressions=[_item(part, within) for part in node.expressions])
    return within.value(node).node
