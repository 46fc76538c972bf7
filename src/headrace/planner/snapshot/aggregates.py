"""What a snapshot query can and a stream cannot yet: aggregates, windows over rows, queries inside expressions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from headrace.errors.codes import plan as codes
from headrace.functions import Kind, lookup
from headrace.planner.faults import refusal
from headrace.sql.spans import nearest_span

if TYPE_CHECKING:
    from collections.abc import Callable

    from headrace.planner.expressions import Expressions

_RENAMED = {"ANYF": "any_value", "MAXK": "max", "MINK": "min"}
_COLLECT = {"COLLECT": False, "COLLECT_UNIQUE": True}


def aggregate(node: exp.Anonymous, within: Expressions) -> exp.Expression:
    """Compile the call of an aggregate, or of a function over a window."""
    name = str(node.this)
    arguments = [argument(item, within) for item in node.expressions]
    if name.upper() in _COLLECT and len(arguments) == 2:
        values = exp.Distinct(expressions=[arguments[0]]) if _COLLECT[name.upper()] else arguments[0]
        listed = exp.Anonymous(this="list", expressions=[values])
        return exp.Anonymous(this="list_slice", expressions=[listed, exp.Literal.number(1), arguments[1]])
    return exp.Anonymous(this=_RENAMED.get(name.upper(), name.lower()), expressions=arguments)


def is_aggregate(node: exp.Expression, within: Expressions) -> bool:
    """Say whether a call is an aggregate that DuckDB has, or that one of its aggregates can stand for."""
    if not isinstance(node, exp.Anonymous):
        return False
    name = str(node.this)
    function = lookup(name, len(node.expressions))
    if function is not None and function.kind is not Kind.AGGREGATE:
        return False
    known = within.typer.aggregates()
    return name.lower() in known or name.upper() in _RENAMED or name.upper() in _COLLECT


def argument(node: exp.Expression, within: Expressions) -> exp.Expression:
    """Compile an argument of an aggregate, with DISTINCT, ORDER BY and IGNORE NULLS."""
    if isinstance(node, exp.Star):
        return exp.Star()
    if isinstance(node, exp.Distinct):
        return exp.Distinct(expressions=[argument(item, within) for item in node.expressions])
    if isinstance(node, exp.Order):
        ordered = order(node, within)
        ordered.set("this", argument(node.this, within))
        return ordered
    if isinstance(node, exp.IgnoreNulls | exp.RespectNulls):
        return type(node)(this=argument(node.this, within))
    return within.value(node).node


def order(node: exp.Order, within: Expressions) -> exp.Order:
    """Compile ORDER BY."""
    items = []
    for item in node.expressions:
        part = item.this
        plain = isinstance(part, exp.Literal) and part.is_int
        built = exp.Ordered(
            this=part.copy() if plain else within.value(part).node,
            desc=bool(item.args.get("desc")),
            nulls_first=bool(item.args.get("nulls_first")),
        )
        items.append(built)
    return exp.Order(expressions=items)


def over(node: exp.Window, within: Expressions) -> exp.Expression:
    """Compile a function OVER a window."""
    call = node.this
    nulls = type(call) if isinstance(call, exp.IgnoreNulls | exp.RespectNulls) else None
    inner = call.this if nulls else call
    if isinstance(inner, exp.Filter):
        function: exp.Expression = filtered(inner, within)
    elif isinstance(inner, exp.Anonymous):
        function = aggregate(inner, within)
    else:
        raise refusal(codes.NOT_YET, "OVER follows the call of a function", nearest_span(node))
    built = exp.Window(this=nulls(this=function) if nulls else function, over="OVER")
    if node.args.get("alias") is not None:
        raise refusal(
            codes.NOT_YET,
            "named windows are not supported",
            nearest_span(node),
            "write the window behind OVER",
        )
    if node.args.get("partition_by"):
        built.set("partition_by", [within.value(item).node for item in node.args["partition_by"]])
    if node.args.get("order") is not None:
        built.set("order", order(node.args["order"], within))
    if node.args.get("spec") is not None:
        built.set("spec", _frame(node.args["spec"], within))
    return built


def filtered(node: exp.Filter, within: Expressions) -> exp.Expression:
    """Compile an aggregate with FILTER."""
    if not is_aggregate(node.this, within):
        raise refusal(codes.TYPE_MISMATCH, "FILTER goes with aggregates", nearest_span(node))
    condition = within.condition(node.expression.this, "FILTER")
    return exp.Filter(this=aggregate(node.this, within), expression=exp.Where(this=condition))


def within_group(node: exp.WithinGroup, within: Expressions) -> exp.Expression:
    """Compile an aggregate with WITHIN GROUP."""
    return exp.WithinGroup(this=aggregate(node.this, within), expression=order(node.expression, within))


def _frame(node: exp.WindowSpec, within: Expressions) -> exp.WindowSpec:
    built = node.copy()
    for key in ("start", "end"):
        part = node.args.get(key)
        if isinstance(part, exp.Expression):
            built.set(key, within.value(part).node)
    return built


RULES: dict[type[exp.Expression], Callable[..., exp.Expression]] = {
    exp.Window: over,
    exp.Filter: filtered,
    exp.WithinGroup: within_group,
}
