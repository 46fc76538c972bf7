"""Operators: which operands they take, and how DuckDB is told what the language means by them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa
from sqlglot import exp

from headrace.errors.codes import plan as codes
from headrace.planner.duckdb_types import BindError
from headrace.planner.faults import refusal
from headrace.planner.typed import Typed
from headrace.types.sql import is_integer, is_text, type_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.planner.expressions import Expressions

    Operand = tuple[exp.Expression, Typed]

_SYMBOLS: Final[dict[type[exp.Expression], str]] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.Div: "/",
    exp.Mod: "%",
    exp.Pow: "^",
    exp.Neg: "-",
    exp.DPipe: "||",
    exp.Like: "LIKE",
    exp.ILike: "ILIKE",
    exp.Glob: "GLOB",
    exp.SimilarTo: "SIMILAR TO",
    exp.Not: "NOT",
    exp.And: "AND",
    exp.Or: "OR",
    exp.Between: "BETWEEN",
    exp.In: "IN",
    exp.Is: "IS",
    exp.Case: "CASE",
    exp.AtTimeZone: "AT TIME ZONE",
    exp.Extract: "EXTRACT",
}

_FAR: Final = 2**31 - 1
"""An index beyond every array."""

_NULL_SAFE: Final = (exp.NullSafeEQ, exp.NullSafeNEQ)


def symbol(node: exp.Expression) -> str:
    """Give the name of an operator for a message."""
    shown = _SYMBOLS.get(type(node))
    return f"`{shown}`" if shown else "the operator"


def comparison(within: Expressions, node: exp.Expression) -> Typed:
    """Compile `=`, `<` and the like."""
    left, right = _one_clock(
        (node.this, within.value(node.this)), (node.expression, within.value(node.expression))
    )
    never = isinstance(node, _NULL_SAFE)
    return _compared(
        within, node, type(node)(this=left[1].node, expression=right[1].node), left, right, never_null=never
    )


def between(within: Expressions, node: exp.Expression) -> Typed:
    """Compile BETWEEN."""
    value = (node.this, within.value(node.this))
    low = (node.args["low"], within.value(node.args["low"]))
    high = (node.args["high"], within.value(node.args["high"]))
    low, high = _one_clock(value, low)[1], _one_clock(value, high)[1]
    for bound in (low, high):
        need_comparable(within, node, value, bound)
    built = exp.Between(this=value[1].node, low=low[1].node, high=high[1].node)
    nullable = value[1].nullable or low[1].nullable or high[1].nullable
    return within.typed(built, nullable=nullable, origin=node)


def among(within: Expressions, node: exp.Expression) -> Typed:
    """Compile IN over a list."""
    value = (node.this, within.value(node.this))
    items = [(item, within.value(item)) for item in node.expressions]
    for item in items:
        need_comparable(within, node, value, item)
    built = exp.In(this=value[1].node, expressions=[item.node for _, item in items])
    nullable = value[1].nullable or any(item.nullable for _, item in items)
    return within.typed(built, nullable=nullable, origin=node)


def arithmetic(within: Expressions, node: exp.Expression) -> Typed:
    """Compile `+`, `-`, `*`."""
    left, right = _operands(within, node)
    built = type(node)(this=left[1].node, expression=right[1].node)
    return _bound(within, node, built, left, right, nullable=left[1].nullable or right[1].nullable)


def division(within: Expressions, node: exp.Expression) -> Typed:
    """Compile `/` and `%`. Whole numbers divide as in Java: towards zero, and by zero it is an error of the record."""
    left, right = _operands(within, node)
    kinds = (left[1].type, right[1].type)
    whole = all(is_integer(kind) for kind in kinds)
    built: exp.Expression
    if isinstance(node, exp.Div) and whole:
        built = exp.IntDiv(this=_closed(left[1].node), expression=_closed(right[1].node))
    elif isinstance(node, exp.Div):
        built = exp.Div(
            this=_closed(left[1].node), expression=_closed(right[1].node), typed=False, safe=False
        )
    else:
        built = exp.Mod(this=_closed(left[1].node), expression=_closed(right[1].node))
    return _bound(within, node, built, left, right, nullable=left[1].nullable or right[1].nullable)


def logic(within: Expressions, node: exp.Expression) -> Typed:
    """Compile AND, OR and NOT. Long chains are taken as a list, so that their length costs no depth."""
    if isinstance(node, exp.Not):
        inner = within.value(node.this)
        need_boolean(within, inner, node.this, "NOT")
        return Typed(exp.Not(this=_closed(inner.node)), pa.bool_(), inner.nullable)
    parts: list[exp.Expression] = []
    rest: exp.Expression = node
    while type(rest) is type(node):
        parts.append(rest.expression)
        rest = rest.this
    parts.append(rest)
    found = []
    for part in reversed(parts):
        value = within.value(part)
        need_boolean(within, value, part, symbol(node).strip("`"))
        found.append(value)
    built = found[0].node
    for value in found[1:]:
        built = type(node)(this=built, expression=value.node)
    return Typed(built, pa.bool_(), any(value.nullable for value in found))


def case(within: Expressions, node: exp.Expression) -> Typed:
    """Compile CASE with and without an operand."""
    subject = node.this
    value = (subject, within.value(subject)) if subject is not None else None
    built = exp.Case(this=value[1].node if value else None)
    branches: list[Operand] = []
    for branch in node.args["ifs"]:
        test = (branch.this, within.value(branch.this))
        if value is not None:
            need_comparable(within, branch, value, test)
        else:
            need_boolean(within, test[1], test[0], "WHEN")
        branches.append((branch.args["true"], within.value(branch.args["true"])))
        built.append("ifs", exp.If(this=test[1].node, true=branches[-1][1].node))
    default = node.args.get("default")
    nullable = default is None
    if default is not None:
        branches.append((default, within.value(default)))
        built.set("default", branches[-1][1].node)
    need_one_type(within, branches, "CASE")
    nullable = nullable or any(found.nullable for _, found in branches)
    return within.typed(built, nullable=nullable, origin=node)


def element(within: Expressions, holder: Typed, node: exp.Expression) -> Typed:
    """Compile `a[i]`: 0 is the first element of an array, a map is asked by key; null where there is none."""
    index_node = node.expressions[0]
    if isinstance(index_node, exp.Slice):
        return _slice(within, holder, index_node, node)
    index = within.value(index_node)
    kind = holder.type
    if pa.types.is_map(kind):
        call = exp.Anonymous(this="map_extract_value", expressions=[holder.node, index.node])
        return _bound(within, node, call, (node.this, holder), (index_node, index), nullable=True)
    if pa.types.is_struct(kind) and isinstance(index_node, exp.Literal) and index_node.is_string:
        if kind.get_field_index(index_node.name) < 0:
            message = f"`{within.words(node.this)}` has no field `{index_node.name}`"
            raise refusal(codes.UNKNOWN_COLUMN, message, within.at(index_node))
        return holder.field(index_node.name)
    if not pa.types.is_list(kind) and not pa.types.is_null(kind):
        message = f"{within.describe(node.this, holder)} has no elements"
        raise refusal(codes.TYPE_MISMATCH, message, within.at(node), "`[…]` goes with arrays and maps")
    if not is_integer(index.type) and not pa.types.is_null(index.type):
        message = f"an index is a whole number, not {within.describe(index_node, index)}"
        raise refusal(codes.TYPE_MISMATCH, message, within.at(index_node))
    call = exp.Anonymous(this="list_extract", expressions=[holder.node, _position(index.node)])
    return within.typed(call, nullable=True, origin=node)


def _slice(within: Expressions, holder: Typed, bounds: exp.Slice, node: exp.Expression) -> Typed:
    """Compile `a[from:to]`: from the element of index `from` up to, but without, that of index `to`; below 0 from the end."""
    kind = holder.type
    if not (pa.types.is_list(kind) or pa.types.is_null(kind) or is_text(kind)):
        message = f"{within.describe(node.this, holder)} has no parts"
        raise refusal(codes.TYPE_MISMATCH, message, within.at(node), "`[from:to]` goes with arrays and text")
    ends: list[exp.Expression] = []
    for key, open_end in (("this", exp.Literal.number(0)), ("expression", exp.Literal.number(_FAR))):
        part = bounds.args.get(key)
        index = within.value(part) if part is not None else Typed(open_end, pa.int64(), nullable=False)
        if part is not None and not is_integer(index.type) and not pa.types.is_null(index.type):
            message = f"an index is a whole number, not {within.describe(part, index)}"
            raise refusal(codes.TYPE_MISMATCH, message, within.at(part))
        ends.append(_end(index.node, last=key == "expression"))
    call = exp.Anonymous(this="list_slice", expressions=[holder.node, *ends])
    return within.typed(call, nullable=True, origin=node)


def _end(index: exp.Expression, *, last: bool) -> exp.Expression:
    """Give DuckDB's bound of a slice: it counts from 1, and takes the last element in."""
    if index.is_int:
        number = int(index.to_py())
        return exp.Literal.number(number - (number < 0) if last else number + (number >= 0))
    one = exp.Literal.number(1)
    moved = (
        exp.Sub(this=_closed(index), expression=one) if last else exp.Add(this=_closed(index), expression=one)
    )
    below = exp.LT(this=_closed(index.copy()), expression=exp.Literal.number(0))
    branches = (moved, index.copy()) if last else (index.copy(), moved)
    return exp.Case(ifs=[exp.If(this=below, true=branches[0])], default=branches[1])


def need_boolean(within: Expressions, found: Typed, node: exp.Expression, clause: str) -> None:
    """Refuse what is not true, false or null."""
    if pa.types.is_boolean(found.type) or pa.types.is_null(found.type):
        return
    message = f"{clause} takes a condition, and {within.describe(node, found)} is none"
    raise refusal(codes.NOT_A_CONDITION, message, within.at(node), _condition_help(within, found, node))


def need_one_type(within: Expressions, parts: Sequence[Operand], what: str) -> None:
    """Refuse values that have no common type; text and numbers have none, whatever a literal looks like."""
    known = [(node, found) for node, found in parts if not pa.types.is_null(found.type)]
    for node, found in known[1:]:
        first_node, first = known[0]
        if is_text(first.type) == is_text(found.type) and _family(first.type) == _family(found.type):
            continue
        if _literal_fits(within, found.node, first.type) or _literal_fits(within, first.node, found.type):
            continue
        message = f"{what} has values of different types: {within.describe(first_node, first)} and {within.describe(node, found)}"
        raise refusal(codes.TYPE_MISMATCH, message, within.at(node), "convert one of them with CAST")


def cast_help(within: Expressions, operands: Sequence[Operand]) -> str | None:
    """Give the CAST that would make operands fit, where one is text and the other is not."""
    if len(operands) != 2:
        return None
    (left_node, left), (right_node, right) = operands
    if is_text(left.type) == is_text(right.type):
        return None
    node, to = (left_node, right.type) if is_text(left.type) else (right_node, left.type)
    if isinstance(node, exp.Literal):
        return None
    return f"convert it: `CAST({within.words(node)} AS {type_name(to)})`"


def _operands(within: Expressions, node: exp.Expression) -> tuple[Operand, Operand]:
    left, right = (node.this, within.value(node.this)), (node.expression, within.value(node.expression))
    for mine, other in ((left, right), (right, left)):
        # DuckDB would read the text as a number when it runs.
        if is_text(mine[1].type) and not is_text(other[1].type) and not pa.types.is_null(other[1].type):
            raise within.misfit(node, [left, right])
    return left, right


def _one_clock(left: Operand, right: Operand) -> tuple[Operand, Operand]:
    """Bring an instant to milliseconds where it meets a number: `_meta.timestamp > NOW() - 1h`, or a long that holds a time."""
    if is_integer(left[1].type) and pa.types.is_timestamp(right[1].type):
        return left, (right[0], _millis(right[1]))
    if is_integer(right[1].type) and pa.types.is_timestamp(left[1].type):
        return (left[0], _millis(left[1])), right
    return left, right


def _millis(found: Typed) -> Typed:
    return Typed(exp.Anonymous(this="epoch_ms", expressions=[found.node]), pa.int64(), found.nullable)


def _compared(
    within: Expressions,
    node: exp.Expression,
    built: exp.Expression,
    left: Operand,
    right: Operand,
    *,
    never_null: bool,
) -> Typed:
    need_comparable(within, node, left, right)
    nullable = not never_null and (left[1].nullable or right[1].nullable)
    return _bound(within, node, built, left, right, nullable=nullable)


def need_comparable(within: Expressions, node: exp.Expression, left: Operand, right: Operand) -> None:
    """Refuse values that cannot be compared; text and numbers cannot. `node` is what compares them."""
    kinds = (left[1].type, right[1].type)
    if any(pa.types.is_null(kind) for kind in kinds):
        return
    if pa.types.is_nested(kinds[0]) != pa.types.is_nested(kinds[1]):
        pass
    elif is_text(kinds[0]) != is_text(kinds[1]) and not any(pa.types.is_binary(kind) for kind in kinds):
        text, other = (left, right) if is_text(kinds[0]) else (right, left)
        if _literal_fits(within, text[1].node, other[1].type):
            return
    else:
        try:
            within.bind(exp.EQ(this=left[1].node.copy(), expression=right[1].node.copy()), nullable=True)
        except BindError:
            pass
        else:
            return
    message = f"cannot compare {within.describe(*left)} with {within.describe(*right)}"
    raise refusal(codes.TYPE_MISMATCH, message, within.at(node), cast_help(within, [left, right]))


def _bound(
    within: Expressions,
    node: exp.Expression,
    built: exp.Expression,
    left: Operand,
    right: Operand,
    *,
    nullable: bool,
) -> Typed:
    try:
        return within.bind(built, nullable=nullable)
    except BindError:
        raise within.misfit(node, [left, right]) from None


def _literal_fits(within: Expressions, node: exp.Expression, kind: pa.DataType) -> bool:
    return isinstance(node, exp.Literal) and node.is_string and within.typer.converts(node, kind)


def _family(kind: pa.DataType) -> str:
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "number"
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return "instant"
    return type_name(kind).partition("(")[0]


def _position(index: exp.Expression) -> exp.Expression:
    """Give DuckDB's index, which begins with 1 and counts from the end below 0; 0 has no element."""
    if isinstance(index, exp.Literal) and index.is_int:
        place = int(index.name) + 1
        return exp.Literal.number(place if place <= _FAR else 0)
    following = exp.Add(this=_closed(index), expression=exp.Literal.number(1))
    return exp.Anonymous(this="greatest", expressions=[following, exp.Literal.number(0)])


def _closed(node: exp.Expression) -> exp.Expression:
    """Put brackets round an operand that could be torn apart when printed."""
    if isinstance(
        node, exp.Binary | exp.Unary | exp.Between | exp.In | exp.Case | exp.Interval
    ) and not isinstance(node, exp.Paren | exp.Dot):
        return exp.Paren(this=node)
    return node


def _condition_help(within: Expressions, found: Typed, node: exp.Expression) -> str | None:
    shown = within.words(node)
    if is_integer(found.type):
        return f"write `{shown} <> 0`"
    return f"write `{shown} IS NOT NULL`" if isinstance(node, exp.Column) else None
