"""Aggregates of streams that are made of others: the operator keeps the other one, and the result is brought out of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

import pyarrow as pa
from sqlglot import exp

from headrace.functions.aggregate import aggregate_named
from headrace.planner.typed import Typed
from headrace.sql.spans import nearest_span, set_span

if TYPE_CHECKING:
    from headrace.planner.expressions import Expressions

Finish = Callable[[Typed, "Expressions"], Typed]
"""Brings the result out of that of the other aggregate."""

Compose = Callable[
    [exp.Anonymous, list[exp.Expression], exp.Expression | None],
    tuple[exp.Anonymous, exp.Expression | None, Finish],
]
"""Gives the call of the other aggregate, and the condition of its FILTER, from a call, its arguments and its condition."""

_VALUE: Final = "value"
_BY: Final = "by"


def canonical(call: exp.Anonymous) -> str:
    """Give the name of an aggregate that a call may have an alias of."""
    known = aggregate_named(str(call.this))
    return "" if known is None else known.name


def call_instead(of: exp.Anonymous, name: str, arguments: list[exp.Expression]) -> exp.Anonymous:
    """Give the call of another function in the place of one."""
    built = exp.Anonymous(this=name, expressions=arguments)
    if (span := nearest_span(of)) is not None:
        set_span(built, span)
    return built


def record_of(fields: Mapping[str, exp.Expression], at: exp.Expression) -> exp.Struct:
    """Give a record of values; it is there where they are null, too."""
    made = exp.Struct(
        expressions=[
            exp.PropertyEQ(this=exp.to_identifier(name, quoted=True), expression=item.copy())
            for name, item in fields.items()
        ]
    )
    if (span := nearest_span(at)) is not None:
        set_span(made, span)
    return made


def _mode(
    call: exp.Anonymous, arguments: list[exp.Expression], condition: exp.Expression | None
) -> tuple[exp.Anonymous, exp.Expression | None, Finish]:
    def first(found: Typed, above: Expressions) -> Typed:
        assert pa.types.is_list(found.type)
        picked = exp.Anonymous(this="list_extract", expressions=[found.node, exp.Literal.number(1)])
        return Typed(picked, found.type.value_type, nullable=True)

    return call_instead(call, "TOPK", [arguments[0].copy(), exp.Literal.number(1)]), condition, first


def _median(
    call: exp.Anonymous, arguments: list[exp.Expression], condition: exp.Expression | None
) -> tuple[exp.Anonymous, exp.Expression | None, Finish]:
    def middle(found: Typed, above: Expressions) -> Typed:
        return above.bind(exp.Anonymous(this="list_median", expressions=[found.node]), nullable=True)

    # With the DISTINCT that may stand before the argument.
    return call_instead(call, "COLLECT", [item.copy() for item in call.expressions]), condition, middle


def _extreme(name: str) -> Compose:
    """Give the value beside the greatest or the least: records have an order, that of their first fields first."""

    def compose(
        call: exp.Anonymous, arguments: list[exp.Expression], condition: exp.Expression | None
    ) -> tuple[exp.Anonymous, exp.Expression | None, Finish]:
        value, by = arguments
        conditions: list[exp.Expression] = [
            exp.Not(this=exp.Is(this=exp.Paren(this=item.copy()), expression=exp.Null()))
            for item in (by, value)
        ]
        if condition is not None:
            conditions.append(exp.Paren(this=condition.copy()))
        record = record_of({_BY: by, _VALUE: value}, call)
        whole = exp.And(this=conditions[0], expression=conditions[1])
        for item in conditions[2:]:
            whole = exp.And(this=whole, expression=item)
        if (span := nearest_span(call)) is not None:
            set_span(whole, span)
        return call_instead(call, name, [record]), whole, lambda found, _: found.field(_VALUE)

    return compose


COMPOSED: Final[dict[str, Compose]] = {
    "MODE": _mode,
    "MEDIAN": _median,
    "ARG_MAX": _extreme("MAX"),
    "ARG_MIN": _extreme("MIN"),
}
