"""Expressions of the language into DuckDB expressions with types.

Bottom up: each operator and call is typed as soon as its operands are, so the first thing that DuckDB does not take is
the smallest part of the text that is wrong, and the message can say it in the user's own names.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa
from sqlglot import exp

from headrace.errors import ProgramError
from headrace.errors.codes import plan as codes
from headrace.errors.codes.function import CANNOT_COMPILE
from headrace.errors.suggest import did_you_mean
from headrace.functions import lookup
from headrace.functions.date_math import interval, millis
from headrace.plan.topology import Facet
from headrace.planner import calls, operators
from headrace.planner.constants import constant_calls
from headrace.planner.duckdb_types import BindError, Typer
from headrace.planner.faults import placed, refusal
from headrace.planner.relations import NoSuchField, pack
from headrace.planner.scope import Header, Rows
from headrace.planner.typed import Typed
from headrace.sql.nodes import Duration
from headrace.sql.paths import column_path
from headrace.sql.spans import nearest_span, set_span
from headrace.types.sql import arrow_type, duckdb_type, is_integer, is_text, type_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from headrace.errors import Source, Span

_UNKNOWN = pa.null()
_PATTERNS = (exp.Like, exp.ILike, exp.Glob, exp.SimilarTo, exp.Escape)


class Names(Protocol):
    """What names mean: a `Scope`, or the sources of a snapshot query."""

    @property
    def alias(self) -> str:
        """Name of the rows, for messages."""

    @property
    def relation(self) -> Rows:
        """The rows."""

    def resolve(self, parts: Sequence[exp.Identifier]) -> Typed | Header:
        """Give what a dotted name means."""

    def star(self, parts: Sequence[exp.Identifier]) -> Facet | None:
        """Give which part of the record `name.*` means."""


_LATER: dict[type[exp.Expression], str] = {
    exp.Window: "OVER",
    exp.Filter: "FILTER",
    exp.WithinGroup: "WITHIN GROUP",
    exp.Distinct: "DISTINCT",
    exp.Subquery: "a query inside an expression",
    exp.Exists: "EXISTS (SELECT …)",
    exp.Any: "ANY (SELECT …)",
    exp.All: "ALL (SELECT …)",
    exp.Select: "a query inside an expression",
    exp.Placeholder: "a parameter",
}

_JOIN = "join with the rows that it must find, each key once: `JOIN (SELECT TABLE k FROM t GROUP BY k) AS found ON …`"
_IN_WHERE = "in a stream it stands in WHERE, joined to the other conditions by AND; a LEFT JOIN brings it into other places"
_INSTEAD: dict[type[exp.Expression], str] = {
    exp.Window: "it stands among the columns or in QUALIFY of a SELECT without GROUP BY: group in a WITH, and write it over that",
    exp.In: _IN_WHERE,
    exp.Exists: _IN_WHERE,
    exp.Any: _JOIN,
    exp.Subquery: _JOIN,
    exp.Select: _JOIN,
}
"""What to write in a stream in place of what cannot run there yet."""


@dataclass(slots=True)
class Expressions:
    """Compiles the expressions of one SELECT.

    Args:
        scope: its names.
        typer: asks DuckDB.
        source: the program's text, for messages.
        inner: takes what a stream cannot run yet (aggregates, windows, queries inside expressions) where a snapshot
            query can; None refuses them.
        bound: takes what has its value already: in a SELECT with GROUP BY, grouped expressions and aggregates.
    """

    scope: Names
    typer: Typer
    source: Source
    inner: Callable[[exp.Expression, Expressions], exp.Expression | None] | None = None
    bound: Callable[[exp.Expression, Expressions], Typed | None] | None = None
    _locals: dict[str, Typed] = field(default_factory=dict)
    """Arguments of the lambdas around, by name; of type null where only DuckDB knows what they are."""

    def value(self, node: exp.Expression) -> Typed:
        """Give the DuckDB expression and type of an expression.

        Raises:
            ProgramError: with the smallest part of it that is wrong.
        """
        # A nested expression is as deep as the stack: all of this is one frame.
        try:
            if self.bound is not None:
                known = self.bound(node, self)
                if known is not None:
                    return known
            if self.inner is not None:
                taken = self.inner(node, self)
                if taken is not None:
                    return self.typed(taken, nullable=True, origin=node)
            handler = _HANDLERS.get(type(node))
            if handler is not None:
                return handler(self, node)
            later = _LATER.get(type(node))
            if isinstance(node, exp.In) and not node.args.get("query"):
                return operators.among(self, node)
            if later is not None or isinstance(node, exp.In):
                raise self._not_yet(node, later or "IN (SELECT …)")
            return self._generic(node)
        except ProgramError as fault:
            if all(item.span is not None for item in fault.diagnostics):
                raise
            raise self._placed(fault, node) from fault

    def _placed(self, fault: ProgramError, node: exp.Expression) -> ProgramError:
        """Give what has no place that of an expression, or of the constant in it that is to blame."""
        of_a_constant = any(item.code is CANNOT_COMPILE for item in fault.diagnostics)
        to_blame = self._failing_constant(node) if of_a_constant else None
        return placed(fault, self.at(to_blame or node))

    def _failing_constant(self, node: exp.Expression) -> exp.Expression | None:
        """Give the innermost of the constant calls in an expression that have no value."""
        found = None
        for call in constant_calls(node):
            with contextlib.suppress(ProgramError):
                if call is not node and not self.typer.computes(self.value(call).node):
                    found = call
        return found

    def _not_yet(self, node: exp.Expression, what: str) -> ProgramError:
        if isinstance(node, exp.Placeholder):
            message, way_out = "a parameter has no value here", "write the value itself"
            return refusal(codes.NOT_YET, message, nearest_span(node), way_out)
        in_a_stream = self.inner is None
        message = f"{what} cannot run {'in a stream yet' if in_a_stream else 'here'}"
        if in_a_stream and isinstance(node, exp.In | exp.Exists):
            message = f"{what} cannot stand here in a stream"
        return refusal(
            codes.NOT_YET, message, nearest_span(node), _INSTEAD.get(type(node)) if in_a_stream else None
        )

    def condition(self, node: exp.Expression, clause: str) -> exp.Expression:
        """Give the DuckDB expression of a condition; it must be true, false or null."""
        found = self.value(node)
        operators.need_boolean(self, found, node, clause)
        try:
            self.typer.filter_by(found.node)
        except ProgramError as fault:
            raise self._placed(fault, node) from fault
        return found.node

    def typed(self, node: exp.Expression, *, nullable: bool, origin: exp.Expression) -> Typed:
        """Type an expression whose parts fit; a refusal names no types, since none of the parts is to blame."""
        try:
            return self.bind(node, nullable=nullable)
        except BindError:
            message = f"`{self.words(origin)}` cannot be computed from these types"
            raise refusal(codes.TYPE_MISMATCH, message, nearest_span(origin)) from None

    def bind(self, node: exp.Expression, *, nullable: bool) -> Typed:
        """Type an expression. Raises BindError."""
        if self.inside_lambda:
            # The type of the lambda's argument is known to DuckDB alone: the whole call is typed instead.
            return Typed(node, _UNKNOWN, nullable=True)
        return Typed(node, self.typer.type_of(node), nullable)

    def words(self, node: exp.Expression) -> str:
        """Give the user's own text of a node, on one line, cut if it is long."""
        span = nearest_span(node)
        if span is None:
            return node.sql()
        shown = " ".join(self.source.text[span.start : span.end].split()).strip("`")
        return shown if len(shown) <= 40 else shown[:37] + "…"

    def describe(self, node: exp.Expression, found: Typed) -> str:
        """Give what a message says of an operand: its text and type."""
        return f"`{self.words(node)}` ({type_name(found.type)})"

    def at(self, node: exp.Expression) -> Span | None:
        """Give the place of a node, or of the nearest around it."""
        return nearest_span(node)

    @property
    def inside_lambda(self) -> bool:
        """Say whether types are not known here."""
        return any(pa.types.is_null(found.type) for found in self._locals.values())

    def headers(self, node: exp.Expression) -> Typed:
        """Give the headers of the record; results of operators have none."""
        try:
            return self.scope.relation.pull(Facet.HEADERS, ())
        except NoSuchField:
            message = "the result of an aggregate or a join has no headers"
            raise refusal(codes.UNKNOWN_COLUMN, message, self.at(node)) from None

    def arguments(self, call: exp.Anonymous) -> list[Typed]:
        """Compile the arguments of a call; those of a lambda get the type of the elements of the array beside it."""
        found: list[Typed] = []
        for node in call.expressions:
            if isinstance(node, exp.Lambda) and found and pa.types.is_list(found[0].type):
                kinds = _lambda_types(str(call.this), found[0].type.value_type, len(node.expressions))
                found.append(self._lambda(node, kinds))
            elif isinstance(node, exp.PropertyEQ | exp.Kwarg):
                inner = self.value(node.expression)
                named = type(node)(this=node.this.copy(), expression=inner.node)
                found.append(Typed(named, inner.type, inner.nullable))
            else:
                found.append(self.value(node))
        return found

    # Leaves

    def _column(self, node: exp.Expression) -> Typed:
        parts = column_path(node)
        if parts is not None:
            local = self._locals.get(parts[0].name)
            if local is not None:
                return self._local(local, parts)
            found = self.scope.resolve(parts)
            return self._header(found, node) if isinstance(found, Header) else _placed(found, node)
        if isinstance(node, exp.Dot):
            return self._field(self.value(node.this), node)
        message = f"`{self.words(node)}` cannot stand here"
        raise refusal(codes.UNKNOWN_COLUMN, message, self.at(node))

    def _local(self, found: Typed, parts: Sequence[exp.Identifier]) -> Typed:
        found = Typed(found.node.copy(), found.type, found.nullable)
        for part in parts[1:]:
            found = self._field(found, exp.Dot(this=parts[0].copy(), expression=part.copy()))
        return found

    def _field(self, record: Typed, node: exp.Dot) -> Typed:
        name = node.expression.name
        if record.type.equals(_UNKNOWN):
            call = exp.Anonymous(
                this="struct_extract", expressions=[record.node.copy(), exp.Literal.string(name)]
            )
            return Typed(call, _UNKNOWN, nullable=True)
        fields = (
            [record.type.field(i).name for i in range(record.type.num_fields)] if _is_record(record) else []
        )
        if name not in fields:
            message = f"`{self.words(node.this)}` ({type_name(record.type)}) has no field `{name}`"
            raise refusal(codes.UNKNOWN_COLUMN, message, self.at(node.expression), did_you_mean(name, fields))
        return record.field(name)

    def _header(self, header: Header, node: exp.Expression) -> Typed:
        function = lookup("HEADERASSTRING", 1)
        assert function is not None
        headers = self.headers(node)
        rendered = function.render([headers.node, exp.Literal.string(header.name)], self.at(node))
        return self.typed(rendered, nullable=True, origin=node)

    def _literal(self, node: exp.Expression) -> Typed:
        return self.typed(node.copy(), nullable=False, origin=node)

    def _interval(self, node: exp.Expression) -> Typed:
        literal = node.this
        if isinstance(literal, exp.Literal) and not self.typer.converts(node, pa.duration("us")):
            message = f"`{self.words(node)}` is no length of time"
            raise refusal(codes.TYPE_MISMATCH, message, self.at(node), "for example `INTERVAL '3 days'`")
        return self._generic(node)

    def _null(self, node: exp.Expression) -> Typed:
        return Typed(exp.Null(), pa.null(), nullable=True)

    # Composites

    def _paren(self, node: exp.Expression) -> Typed:
        inner = self.value(node.this)
        return Typed(exp.Paren(this=inner.node), inner.type, inner.nullable)

    def _bracket(self, node: exp.Expression) -> Typed:
        return operators.element(self, self.value(node.this), node)

    def _array(self, node: exp.Expression) -> Typed:
        if not node.expressions:
            message = "an empty array has no type"
            raise refusal(codes.TYPE_MISMATCH, message, self.at(node), "write `CAST([] AS string[])`")
        items = [self.value(item) for item in node.expressions]
        operators.need_one_type(self, list(zip(node.expressions, items, strict=True)), "an array")
        return self.typed(exp.Array(expressions=[item.node for item in items]), nullable=False, origin=node)

    def _record(self, node: exp.Expression) -> Typed:
        names: list[str] = []
        for part in node.expressions:
            if any(part.this.name.lower() == name.lower() for name in names):
                message = f"field `{part.this.name}` stands twice in the record"
                raise refusal(codes.DUPLICATE_OUTPUT, message, self.at(part))
            names.append(part.this.name)
        return pack(names, [self.value(part.expression) for part in node.expressions])

    def _cast(self, node: exp.Expression) -> Typed:
        if isinstance(node.this, exp.Array) and not node.this.expressions:
            return self._empty_array(node)
        inner = self.value(node.this)
        try:
            target = arrow_type(node.args["to"])
        except ValueError:
            cast = type(node)(this=inner.node.copy(), to=node.args["to"].copy())
            return self.typed(cast, nullable=inner.nullable, origin=node)
        safe = isinstance(node, exp.TryCast)
        source = _between_instants(inner, target)
        cast_type = exp.TryCast if safe else exp.Cast
        to = exp.DataType.build(duckdb_type(target), dialect="duckdb")
        try:
            found = self.bind(cast_type(this=source, to=to), nullable=safe or inner.nullable)
        except BindError:
            found = None
        if pa.types.is_nested(inner.type) and not pa.types.is_nested(target) and not is_text(target):
            found = None
        if found is None or (
            isinstance(inner.node, exp.Literal) and not safe and not self.typer.converts(inner.node, target)
        ):
            message = f"{self.describe(node.this, inner)} cannot be converted to {type_name(target)}"
            raise refusal(codes.TYPE_MISMATCH, message, self.at(node.this))
        return Typed(found.node, target, found.nullable)

    def _empty_array(self, node: exp.Expression) -> Typed:
        """Compile `CAST([] AS type[])`: the one place where an array without elements has a type."""
        try:
            target = arrow_type(node.args["to"])
        except ValueError:
            target = pa.null()
        if not pa.types.is_list(target):
            message = "an empty array has no type"
            raise refusal(codes.TYPE_MISMATCH, message, self.at(node), "write `CAST([] AS string[])`")
        to = exp.DataType.build(duckdb_type(target), dialect="duckdb")
        return Typed(exp.Cast(this=exp.Array(), to=to), target, nullable=False)

    def _case(self, node: exp.Expression) -> Typed:
        return operators.case(self, node)

    def _call(self, node: exp.Expression) -> Typed:
        return calls.call(self, node)

    def _lambda(self, node: exp.Expression, kinds: Sequence[pa.DataType] = ()) -> Typed:
        outside = self._locals
        columns = [self.typer.local(kind) for kind in kinds] or [
            exp.column(item.name) for item in node.expressions
        ]
        kinds = kinds or [_UNKNOWN] * len(columns)
        own = {
            item.name: Typed(column, kind, nullable=True)
            for item, column, kind in zip(node.expressions, columns, kinds, strict=True)
        }
        self._locals = {**outside, **own}
        try:
            body = self.value(node.this)
        finally:
            self._locals = outside
        parts = [exp.to_identifier(column.name) for column in columns]
        return Typed(exp.Lambda(this=body.node, expressions=parts, colon=True), _UNKNOWN, nullable=False)

    def _sum(self, node: exp.Expression) -> Typed:
        if isinstance(node.expression, Duration):
            return self._date_math(node, self.value(node.this), node.expression)
        return operators.arithmetic(self, node)

    def _date_math(self, node: exp.Expression, base: Typed, duration: Duration) -> Typed:
        kind = base.type
        if is_integer(kind):
            try:
                step: exp.Expression = millis(duration)
            except ValueError as fault:
                message = f"{fault}, so it cannot be added to {self.describe(node.this, base)}"
                raise refusal(codes.TYPE_MISMATCH, message, self.at(node)) from None
        elif pa.types.is_temporal(kind):
            step = interval(duration)
        else:
            message = f"a duration cannot be added to {self.describe(node.this, base)}"
            way_out = "durations go with timestamps, dates, and milliseconds as a number"
            raise refusal(codes.TYPE_MISMATCH, message, self.at(node), way_out)
        return self.typed(type(node)(this=base.node, expression=step), nullable=base.nullable, origin=node)

    def _duration(self, node: exp.Expression) -> Typed:
        assert isinstance(node, Duration)
        return self.typed(interval(node), nullable=False, origin=node)

    def _compare(self, node: exp.Expression) -> Typed:
        return operators.comparison(self, node)

    def _arithmetic(self, node: exp.Expression) -> Typed:
        return operators.arithmetic(self, node)

    def _division(self, node: exp.Expression) -> Typed:
        return operators.division(self, node)

    def _logic(self, node: exp.Expression) -> Typed:
        return operators.logic(self, node)

    def _between(self, node: exp.Expression) -> Typed:
        return operators.between(self, node)

    def _generic(self, node: exp.Expression) -> Typed:
        """Take a node that needs no rule of its own: its parts compiled, the whole typed."""
        built = type(node)(**{key: value for key, value in node.args.items() if not _holds_nodes(value)})
        operands: list[tuple[exp.Expression, Typed]] = []
        for key, part in node.args.items():
            if isinstance(part, exp.Var | exp.DataType | exp.Identifier):
                built.set(key, part.copy())
            elif isinstance(part, exp.Expression):
                operands.append((part, self.value(part)))
                built.set(key, operands[-1][1].node)
            elif isinstance(part, list) and _holds_nodes(part):
                found = [(item, self.value(item)) for item in part]
                operands += found
                built.set(key, [item.node for _, item in found])
        try:
            return self.bind(built, nullable=any(item.nullable for _, item in operands))
        except BindError:
            raise self.misfit(node, operands) from None

    def misfit(self, node: exp.Expression, operands: Sequence[tuple[exp.Expression, Typed]]) -> ProgramError:
        """Make the refusal of an operator that does not take its operands."""
        shown = " and ".join(self.describe(part, found) for part, found in operands)
        name = operators.symbol(node)
        return refusal(
            codes.TYPE_MISMATCH,
            f"{name} does not take {shown}",
            self.at(node),
            None if isinstance(node, _PATTERNS) else operators.cast_help(self, operands),
        )


def _placed(found: Typed, node: exp.Expression) -> Typed:
    """Note in a column where the text names it: DuckDB's complaints name the column."""
    span = nearest_span(node)
    if span is None or not isinstance(found.node, exp.Column):
        return found
    column = found.node.copy()
    set_span(column, span)
    return Typed(column, found.type, found.nullable)


def _lambda_types(function: str, element: pa.DataType, count: int) -> list[pa.DataType]:
    """Give the types of a lambda's arguments, `count` of them: elements, and last their position if that is asked for."""
    elements = 2 if "reduce" in function.lower() else 1
    if count > elements + 1 or pa.types.is_null(element):
        return []
    return [element] * min(count, elements) + [pa.int64()] * (count - elements)


def _holds_nodes(value: object) -> bool:
    if isinstance(value, list):
        return any(isinstance(item, exp.Expression) for item in value)
    return isinstance(value, exp.Expression)


def _is_record(found: Typed) -> bool:
    return bool(pa.types.is_struct(found.type))


def _between_instants(inner: Typed, target: pa.DataType) -> exp.Expression:
    """Bridge what DuckDB does not cast: numbers are milliseconds since 1970 where they become or were a timestamp."""
    if pa.types.is_timestamp(target) and is_integer(inner.type):
        instant = exp.Anonymous(
            this="epoch_ms", expressions=[exp.cast(inner.node.copy(), "BIGINT", dialect="duckdb")]
        )
        return instant
    if is_integer(target) and pa.types.is_timestamp(inner.type):
        return exp.Anonymous(this="epoch_ms", expressions=[inner.node.copy()])
    return inner.node.copy()


_HANDLERS: dict[type[exp.Expression], Callable[[Expressions, exp.Expression], Typed]] = {
    exp.Column: Expressions._column,
    exp.Dot: Expressions._column,
    exp.Literal: Expressions._literal,
    exp.Boolean: Expressions._literal,
    exp.Null: Expressions._null,
    exp.Interval: Expressions._interval,
    exp.Paren: Expressions._paren,
    exp.Bracket: Expressions._bracket,
    exp.Array: Expressions._array,
    exp.Struct: Expressions._record,
    exp.Cast: Expressions._cast,
    exp.TryCast: Expressions._cast,
    exp.Case: Expressions._case,
    exp.Anonymous: Expressions._call,
    exp.Lambda: Expressions._lambda,
    Duration: Expressions._duration,
    exp.Add: Expressions._sum,
    exp.Sub: Expressions._sum,
    exp.Mul: Expressions._arithmetic,
    exp.Mod: Expressions._division,
    exp.Div: Expressions._division,
    exp.EQ: Expressions._compare,
    exp.NEQ: Expressions._compare,
    exp.LT: Expressions._compare,
    exp.LTE: Expressions._compare,
    exp.GT: Expressions._compare,
    exp.GTE: Expressions._compare,
    exp.NullSafeEQ: Expressions._compare,
    exp.NullSafeNEQ: Expressions._compare,
    exp.And: Expressions._logic,
    exp.Or: Expressions._logic,
    exp.Not: Expressions._logic,
    exp.Between: Expressions._between,
}
