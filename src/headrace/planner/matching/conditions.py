"""DEFINE: conditions on the row at hand, and on those that a match has taken before it.

What depends on the row at hand alone is computed by DuckDB, a column for each such part. What is asked of earlier rows depends on
how they were taken, so that the kernel computes it, and all around it: comparisons, arithmetic and logic.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
from sqlglot import exp

from headrace.errors.codes import plan as codes
from headrace.planner.duckdb_types import storable
from headrace.planner.faults import refusal
from headrace.planner.matching.rows import Asked, MatchedRows
from headrace.planner.relations import columns_in
from headrace.planner.stateful.calls import brought
from headrace.planner.typed import Typed
from headrace.sql.nodes import Duration
from headrace.sql.spans import nearest_span
from headrace.types.sql import is_text, type_name

if TYPE_CHECKING:
    from headrace.planner.expressions import Expressions
    from headrace.planner.relations import Names

Data = dict[str, Any] | str

_NULL: Final = "null"
_COMPARISONS: Final[dict[type[exp.Expression], str]] = {
    exp.EQ: "eq",
    exp.NEQ: "ne",
    exp.LT: "lt",
    exp.LTE: "le",
    exp.GT: "gt",
    exp.GTE: "ge",
}
_ARITHMETIC: Final[dict[type[exp.Expression], str]] = {
    exp.Add: "add",
    exp.Sub: "subtract",
    exp.Mul: "multiply",
    exp.Div: "divide",
    exp.Mod: "remainder",
}
_FUNCTIONS: Final = {
    "FIRST": "first",
    "LAST": "last",
    "COUNT": "count",
    "SUM": "sum",
    "AVG": "average",
    "MIN": "least",
    "MAX": "greatest",
}
_KNOWN: Final = "conditions on earlier rows have comparisons, `+ - * / %`, BETWEEN, IN with a list, IS NULL, AND, OR and NOT"
_MOST_SCALE: Final = 18


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a condition as the kernel reads it.

    Args:
        data: of the specification.
        kind: whole, floating, decimal, text, binary, bool, time or null.
        type: for messages.
        scale: digits of a decimal number behind the point.
    """

    data: Data
    kind: str
    type: pa.DataType
    scale: int = 0


@dataclass(slots=True)
class Conditions:
    """Compiles the conditions of all variables.

    Args:
        rows: what goes into the pattern.
        names: makes the names of columns.
        references: what conditions ask of earlier rows; the same is asked once.
    """

    rows: MatchedRows
    names: Names
    references: list[dict[str, Any]] = field(default_factory=list)
    _variable: int = 0
    _known: dict[str, tuple[Data, Typed]] = field(default_factory=dict)
    """By what is asked of earlier rows: the data, and the column that stands for it."""
    _parts: dict[str, _Part] = field(default_factory=dict)
    """By name of such a column."""

    def compile(self, node: exp.Expression, variable: int) -> dict[str, Any]:
        """Give the condition of a variable.

        Raises:
            ProgramError: it is no condition, or one that cannot be computed.
        """
        self._variable = variable
        within = self.rows.within(variable)
        within.bound = self._bound
        within.condition(node, "DEFINE")
        found = self._part(node, within).data
        assert isinstance(found, dict)
        return found

    def _bound(self, node: exp.Expression, _: Expressions) -> Typed | None:
        """Give the column that stands for what a node asks of earlier rows; None if it asks for nothing."""
        asked = self.rows.asked(node)
        if asked is None:
            other = self.rows.variable_of(node)
            if other is None or other == self._variable:
                return None
            found = self.rows.within(other).value(node)
            asked = Asked("LAST", other, brought(found, storable(found.type)))
        if asked.function == "PREV":
            return self._previous(asked, node)
        return self._reference(asked, node)

    def _previous(self, asked: Asked, node: exp.Expression) -> Typed:
        if asked.variable not in (None, self._variable):
            message = "PREV looks at the rows before the one at hand, whatever they were taken for"
            raise refusal(
                codes.BAD_PATTERN, message, nearest_span(node), "write LAST for rows of another variable"
            )
        assert asked.value is not None
        part = self._readable(asked.value, node)
        place = self.rows.keep(brought(asked.value, part.type), self.rows.within().words(node))
        return self._stand_in({"previous": [place, asked.offset]}, part, asked.value.type)

    def _reference(self, asked: Asked, node: exp.Expression) -> Typed:
        value = asked.value
        # What the kernel keeps of each row, and what comes of it.
        stored: pa.DataType = pa.bool_()
        result = _Part({}, "whole", pa.int64())
        if asked.function == "COUNT" and value is not None:
            # Whatever its type, only nulls matter.
            null = exp.Is(this=exp.Paren(this=value.node.copy()), expression=exp.Null())
            there = exp.Case(ifs=[exp.If(this=exp.Not(this=null), true=exp.true())])
            value = Typed(there, stored, nullable=True)
        elif asked.function == "AVG":
            stored, result = pa.float64(), _Part({}, "floating", pa.float64())
        elif value is not None:
            result = self._readable(value, node)
            stored = result.type
            if asked.function == "SUM" and result.kind == "whole":
                result = replace(result, type=pa.int64())
            elif asked.function == "SUM" and result.kind == "decimal":
                result = replace(result, type=pa.decimal128(38, result.scale))
        words = self.rows.within().words(node)
        reference = {
            "function": _FUNCTIONS[asked.function],
            "variable": asked.variable,
            "column": None if value is None else self.rows.keep(brought(value, stored), words),
            "offset": asked.offset,
        }
        if reference not in self.references:
            self.references.append(reference)
        data = {"reference": self.references.index(reference)}
        return self._stand_in(data, result, result.type)

    def _stand_in(self, data: dict[str, Any], part: _Part, kind: pa.DataType) -> Typed:
        key = repr(data)
        if key not in self._known:
            column = self.names.column("x", kind)
            self._known[key] = data, Typed(column, kind, nullable=True)
            self._parts[column.name] = _Part(data, part.kind, kind, part.scale)
        found = self._known[key][1]
        return Typed(found.node.copy(), found.type, found.nullable)

    # From the text to what the kernel reads

    def _part(self, node: exp.Expression, within: Expressions) -> _Part:
        found = within.value(node)
        used = columns_in([found.node]) & self._parts.keys()
        if not used:
            return self._own(found, node, within)
        if isinstance(found.node, exp.Column):
            return self._parts[found.node.name]
        if isinstance(node, exp.Paren):
            return self._part(node.this, within)
        if type(node) in _COMPARISONS:
            left, right = self._part(node.this, within), self._part(node.expression, within)
            return self._compared(_COMPARISONS[type(node)], left, right, node)
        if isinstance(node, exp.Add | exp.Sub | exp.Mul | exp.Div | exp.Mod):
            return self._computed(node, within)
        return self._joined(node, within)

    def _joined(self, node: exp.Expression, within: Expressions) -> _Part:
        """Give conditions that are made of conditions."""
        if isinstance(node, exp.And | exp.Or):
            parts = [self._part(part, within).data for part in (node.this, node.expression)]
            return _condition({"and" if isinstance(node, exp.And) else "or": parts})
        if isinstance(node, exp.Not):
            return _condition({"not": self._part(node.this, within).data})
        if isinstance(node, exp.Is) and isinstance(node.expression, exp.Null):
            return _condition({"is_null": self._part(node.this, within).data})
        if isinstance(node, exp.Between):
            value = self._part(node.this, within)
            low, high = (self._part(node.args[key], within) for key in ("low", "high"))
            bounds = [
                self._compared(by, value, bound, node).data for by, bound in (("ge", low), ("le", high))
            ]
            return _condition({"and": bounds})
        if isinstance(node, exp.In) and not node.args.get("query"):
            value = self._part(node.this, within)
            items = [
                self._compared("eq", value, self._part(item, within), node).data for item in node.expressions
            ]
            return _condition({"or": items})
        if isinstance(node, exp.Neg):
            part = self._part(node.this, within)
            found = part if part.kind == "whole" else self._floating(part, node)
            return _Part({"negate": found.data}, found.kind, found.type)
        message = f"`{within.words(node)}` cannot be computed of rows that were taken before"
        raise refusal(codes.NOT_YET, message, nearest_span(node), _KNOWN)

    def _own(self, found: Typed, node: exp.Expression, within: Expressions) -> _Part:
        """Give what is computed of the row at hand alone: a constant, or a column of it."""
        if found.is_null:
            return _Part({"constant": _NULL}, "null", pa.null())
        constant = _constant(found)
        if constant is not None:
            return constant
        part = self._readable(found, node)
        place = self.rows.keep(brought(found, part.type), within.words(node))
        return _Part({"column": place}, part.kind, part.type, part.scale)

    def _readable(self, found: Typed, node: exp.Expression) -> _Part:
        """Give the kind of a value, and the type to which it is brought for the kernel."""
        kind = storable(found.type)
        for name, test in (
            ("bool", pa.types.is_boolean),
            ("floating", pa.types.is_floating),
            ("text", is_text),
            ("binary", pa.types.is_binary),
            ("time", pa.types.is_date),
            ("time", pa.types.is_timestamp),
        ):
            if test(kind):
                return _Part({}, name, pa.timestamp("us", tz="UTC") if _has_zone(kind) else kind)
        if pa.types.is_integer(kind) and not pa.types.is_uint64(kind):
            return _Part({}, "whole", kind)
        if pa.types.is_decimal(kind):
            return _Part({}, "decimal", kind, kind.scale)
        shown = self.rows.within(self._variable).describe(node, Typed(found.node, found.type, found.nullable))
        message = f"{shown} cannot be compared with values of other rows"
        raise refusal(
            codes.TYPE_MISMATCH,
            message,
            nearest_span(node),
            "name numbers, text, booleans, dates or timestamps",
        )

    def _compared(self, by: str, left: _Part, right: _Part, node: exp.Expression) -> _Part:
        numbers = ("whole", "decimal", "floating")
        if "null" not in (left.kind, right.kind):
            if left.kind in numbers and right.kind in numbers:
                left, right = self._alike(left, right, node)
            elif left.kind != right.kind or (left.kind == "time" and not left.type.equals(right.type)):
                message = (
                    f"{type_name(left.type)} and {type_name(right.type)} of different rows cannot be compared"
                )
                raise refusal(
                    codes.TYPE_MISMATCH, message, nearest_span(node), "convert one of them with CAST"
                )
        return _condition({"compare": [by, left.data, right.data]})

    def _alike(self, left: _Part, right: _Part, node: exp.Expression) -> tuple[_Part, _Part]:
        """Bring two numbers to one kind."""
        kinds = (left.kind, right.kind)
        if kinds == ("whole", "whole"):
            return left, right
        scale = max(left.scale, right.scale)
        if "floating" in kinds or scale > _MOST_SCALE:
            return self._floating(left, node), self._floating(right, node)
        return _decimal(left, scale), _decimal(right, scale)

    def _computed(self, node: exp.Expression, within: Expressions) -> _Part:
        left = self._part(node.this, within)
        length = node.expression
        if isinstance(length, Duration):
            if left.kind != "whole":
                message = "a length of time is added to a time in milliseconds, as `_meta.timestamp` is"
                raise refusal(codes.NOT_YET, message, nearest_span(node))
            right = _Part({"constant": {"int": length.millis}}, "whole", pa.int64())
        else:
            right = self._part(length, within)
        if (left.kind, right.kind) != ("whole", "whole"):
            left, right = self._floating(left, node), self._floating(right, node)
        data = {"arithmetic": [_ARITHMETIC[type(node)], left.data, right.data]}
        return _Part(data, left.kind, left.type)

    def _floating(self, part: _Part, node: exp.Expression) -> _Part:
        if part.kind in ("floating", "null"):
            return part
        if part.kind not in ("whole", "decimal"):
            message = f"{type_name(part.type)} of different rows cannot be computed with"
            raise refusal(codes.TYPE_MISMATCH, message, nearest_span(node), "convert it with CAST")
        return _Part({"float": [part.data, part.scale]}, "floating", pa.float64())


def _condition(data: dict[str, Any]) -> _Part:
    return _Part(data, "bool", pa.bool_())


def _decimal(part: _Part, scale: int) -> _Part:
    return _Part({"decimal": [part.data, scale - part.scale]}, "decimal", part.type, scale)


def _has_zone(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) and kind.tz is not None)


def _constant(found: Typed) -> _Part | None:
    """Give a literal; what is computed of literals is a column like any other."""
    node = found.node
    if isinstance(node, exp.Boolean):
        return _Part({"constant": {"bool": bool(node.this)}}, "bool", pa.bool_())
    if not isinstance(node, exp.Literal):
        return None
    if node.is_string:
        return _Part({"constant": {"text": node.name}}, "text", pa.string())
    if node.is_int and abs(int(node.name)) < 2**63:
        return _Part({"constant": {"int": int(node.name)}}, "whole", pa.int64())
    if pa.types.is_decimal(found.type):
        scale = found.type.scale
        digits = int(Decimal(node.name).scaleb(scale))
        return _Part({"constant": {"decimal": str(digits)}}, "decimal", found.type, scale)
    return _Part({"constant": {"float": float(node.name)}}, "floating", pa.float64())
