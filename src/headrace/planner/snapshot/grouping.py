"""GROUP BY, and where an aggregate may not stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from headrace.errors.codes import plan as codes
from headrace.planner.faults import refusal
from headrace.planner.snapshot.aggregates import is_aggregate
from headrace.sql.spans import nearest_span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.planner.expressions import Expressions

_QUERIES = (exp.Subquery, exp.Select, exp.SetOperation)


def group(node: exp.Group, within: Expressions) -> exp.Group:
    """Compile GROUP BY."""
    if node.args.get("all"):
        return exp.Group(all=True)
    return exp.Group(expressions=[_item(part, within) for part in node.expressions])


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
    for name, parts in clauses.items():
        for part in parts:
            for found in _own(part) if part is not None else ():
                if isinstance(found, exp.Window):
                    message = f"a function over a window cannot stand in {name}"
                    way_out = "filter its results with QUALIFY" if name == "WHERE" else None
                    raise refusal(codes.BAD_GROUPING, message, nearest_span(found), way_out)
                if is_aggregate(found, within):
                    message = f"an aggregate cannot stand in {name}"
                    way_out = "filter groups with HAVING" if name == "WHERE" else None
                    raise refusal(codes.BAD_GROUPING, message, nearest_span(found), way_out)


def nested_aggregate(call: exp.Expression, within: Expressions) -> exp.Expression | None:
    """Give an aggregate inside the arguments of an aggregate, if there is one."""
    parts = (found for argument in call.expressions for found in _own(argument))
    return next((found for found in parts if is_aggregate(found, within)), None)


def _item(node: exp.Expression, within: Expressions) -> exp.Expression:
    if isinstance(node, exp.Literal) and node.is_int:
        return node.copy()
    if isinstance(node, exp.Tuple | exp.Rollup | exp.Cube | exp.GroupingSets):
        return type(node)(expressions=[_item(part, within) for part in node.expressions])
    return within.value(node).node


def _own(node: exp.Expression) -> Iterator[exp.Expression]:
    """Give the nodes of a clause without those of queries inside it."""
    stack = [node]
    while stack:
        found = stack.pop()
        if isinstance(found, _QUERIES):
            continue
        yield found
        stack += [child for child in found.iter_expressions() if isinstance(child, exp.Expression)]
