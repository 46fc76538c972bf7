"""Functions OVER rows that give the value of one of them: LAG, FIRST_VALUE, LAST_VALUE, NTH_VALUE.

They are made of aggregates that keep values. Aggregates leave out nulls, so they are given records, which are there where the
value is null.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa
from sqlglot import exp

from headrace.errors.codes import plan as codes
from headrace.planner.faults import refusal
from headrace.planner.stateful.calls import brought
from headrace.planner.stateful.composed import Finish, call_instead, record_of
from headrace.planner.typed import Typed
from headrace.sql.spans import nearest_span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.planner.expressions import Expressions

_LAG: Final = "LAG"
_ARGUMENTS: Final = {_LAG: (1, 3), "FIRST_VALUE": (1, 1), "LAST_VALUE": (1, 1), "NTH_VALUE": (2, 2)}
"""How many there are at least and at most."""
_VALUE: Final = "value"


def _name(node: exp.Window) -> str:
    return str(node.this.this).upper() if isinstance(node.this, exp.Anonymous) else ""


def picks(node: exp.Window) -> bool:
    """Say whether a function over rows gives the value of one of them."""
    return _name(node) in _ARGUMENTS


def refuse_lead(node: exp.Window) -> None:
    """Refuse to look at rows that come later."""
    if _name(node) == "LEAD":
        message = "LEAD looks at rows that are not there yet"
        way_out = (
            "take LAG, which gives a value of the row before beside each row; "
            "MATCH_RECOGNIZE gives a row and the next one together, once that has come"
        )
        raise refusal(codes.BAD_OVER, message, nearest_span(node), way_out)


def rows_back(node: exp.Window) -> int | None:
    """Give how many rows before each LAG takes; None for any other function.

    Raises:
        ProgramError: it is called wrongly.
    """
    if _name(node) != _LAG:
        return None
    return _back(_arguments(node.this, _LAG))


def picked(node: exp.Window) -> tuple[exp.Anonymous, Finish]:
    """Give the aggregate that keeps the value, and what brings it out of the aggregate's result.

    Raises:
        ProgramError: the function is called wrongly.
    """
    call, name = node.this, _name(node)
    value, *others = _arguments(call, name)
    skips = isinstance(call.expressions[-1], exp.IgnoreNulls)
    if skips and name == _LAG:
        message = "LAG takes the rows as they come, those with nulls too"
        way_out = "leave out IGNORE NULLS, or the rows with nulls by WHERE"
        raise refusal(codes.NOT_YET, message, nearest_span(node), way_out)
    kept = value.copy() if skips else record_of({_VALUE: value}, call)

    def out(found: Typed) -> Typed:
        return found if skips else found.field(_VALUE)

    if name in ("FIRST_VALUE", "LAST_VALUE"):
        inner = call_instead(call, name.removesuffix("_VALUE"), [kept])
        return inner, lambda found, _: out(found)
    if name == "NTH_VALUE":
        place = _whole(others[0], 1, "the number of the row")
        inner = call_instead(call, "COLLECT", [kept, exp.Literal.number(place)])
        return inner, lambda found, _: out(_item(found, exp.Literal.number(place)))
    back = _back([value, *others])
    default = others[1] if len(others) > 1 else None

    def lag(found: Typed, above: Expressions) -> Typed:
        before = out(_item(found, exp.Neg(this=exp.Literal.number(back + 1))))
        if default is None:
            return before
        there = exp.GT(
            this=exp.Anonymous(this="len", expressions=[found.node.copy()]),
            expression=exp.Literal.number(back),
        )
        other = _default(default, before, above)
        case = exp.Case(ifs=[exp.If(this=there, true=before.node)], default=other.node)
        return Typed(case, before.type, before.nullable or other.nullable)

    return call_instead(call, "COLLECT", [kept]), lag


def _arguments(call: exp.Anonymous, name: str) -> list[exp.Expression]:
    least, most = _ARGUMENTS[name]
    found = list(call.expressions)
    if not least <= len(found) <= most or isinstance(found[0], exp.Star | exp.Distinct):
        wanted = f"{least}" if least == most else f"{least} to {most}"
        message = f"`{name}` takes {wanted} argument{'s' if most > 1 else ''}, the first of them a value"
        raise refusal(codes.BAD_OVER, message, nearest_span(call))
    if isinstance(found[-1], exp.IgnoreNulls | exp.RespectNulls):
        found[-1] = found[-1].this
    return found


def _back(arguments: Sequence[exp.Expression]) -> int:
    """Give how far LAG goes back."""
    return _whole(arguments[1], 0, "how far LAG goes back") if len(arguments) > 1 else 1


def _whole(node: exp.Expression, least: int, what: str) -> int:
    found = int(node.to_py()) if node.is_int else None
    if found is None or found < least:
        message = f"{what} is a whole number from {least}"
        raise refusal(codes.NOT_CONSTANT, message, nearest_span(node))
    return found


def _item(found: Typed, place: exp.Expression) -> Typed:
    """Give an item of an array; null if there is none."""
    assert pa.types.is_list(found.type)
    item = exp.Anonymous(this="list_extract", expressions=[found.node.copy(), place])
    return Typed(item, found.type.value_type, nullable=True)


def _default(node: exp.Expression, value: Typed, above: Expressions) -> Typed:
    found = above.value(node)
    fits = (
        found.type.equals(value.type)
        or pa.types.is_null(found.type)
        or (pa.types.is_integer(found.type) and _is_number(value.type))
    )
    if not fits:
        message = f"the default of LAG is not of the type of its value: it is {above.describe(node, found)}"
        raise refusal(codes.TYPE_MISMATCH, message, above.at(node), "write a CAST")
    return brought(found, value.type)


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
