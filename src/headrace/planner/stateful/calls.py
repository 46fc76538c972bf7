"""The aggregates of a SELECT: found, checked, and turned into calls over the columns of the operator's input."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from headrace.errors.codes import plan as codes
from headrace.errors.suggest import did_you_mean
from headrace.functions import Kind, lookup
from headrace.functions.aggregate import AGGREGATES, Aggregate, aggregate_named
from headrace.plan.operators import AggregateCall
from headrace.planner.counts import values_kept
from headrace.planner.duckdb_types import storable
from headrace.planner.faults import refusal
from headrace.planner.operators import need_boolean
from headrace.planner.typed import Typed, text
from headrace.planner.user_functions import folded
from headrace.sql.calls import name_span
from headrace.sql.spans import nearest_span
from headrace.types.sql import duckdb_type

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.planner.expressions import Expressions

_QUERIES = (exp.Subquery, exp.Select, exp.SetOperation)


@dataclass(frozen=True, slots=True)
class ValueColumn:
    """A column that the operator takes: the text of it, and the type that it is brought to."""

    node: exp.Expression
    type: pa.DataType

    def over(self, within: Expressions) -> Typed:
        """Give the column over the rows of one branch."""
        return brought(within.value(self.node), self.type)


@dataclass(slots=True)
class Calls:
    """Collects the aggregates of one SELECT; the same call is computed once.

    Args:
        within: compiles arguments, over the rows that are grouped.
        over_table: the rows are changes of a table, so each row can be taken back.
    """

    within: Expressions
    over_table: bool
    found: list[AggregateCall] = field(default_factory=list)
    values: list[ValueColumn] = field(default_factory=list)
    _known: dict[str, int] = field(default_factory=dict)
    _places: dict[tuple[str, str], int] = field(default_factory=dict)
    """Of value columns, by what they are in DuckDB and their type."""

    def add(
        self, node: exp.Anonymous, condition: exp.Expression | None = None, *, records: bool = False
    ) -> int:
        """Take a call, and the condition of its FILTER; give its number.

        Args:
            node: the call.
            condition: of its FILTER.
            records: an order of records is wanted: field by field, as the operators have it.

        Raises:
            ProgramError: it is wrong.
        """
        aggregate = self._aggregate(node)
        arguments, distinct = self._arguments(node)
        limit, parameter = None, None
        if aggregate.constant is not None and len(arguments) == 2:
            if aggregate.constant == "limit":
                limit = values_kept(arguments.pop(), aggregate.name)
            else:
                parameter = self._parameter(arguments.pop(), aggregate)
        kinds = [self._argument(part, aggregate, records=records) for part in arguments]
        name = aggregate.name
        if distinct:
            name, distinct = self._distinct(aggregate, node)
        elif name == "COLLECT" and (found := self._folded(arguments[0])) is not None:
            name, parameter = "FOLD", found
        if condition is not None:
            need_boolean(self.within, self.within.value(condition), condition, "FILTER")
        call = AggregateCall(
            function=name,
            arguments=tuple(self._column(part, kind) for part, kind in zip(arguments, kinds, strict=True)),
            type=aggregate.result(kinds[0] if kinds else pa.null()),
            distinct=distinct,
            filter=None if condition is None else self._column(condition, pa.bool_()),
            limit=limit,
            parameter=parameter if parameter is not None or name != "STRING_AGG" else ",",
        )
        shown = repr((call.function, call.arguments, call.distinct, call.filter, call.limit, call.parameter))
        if shown not in self._known:
            self._known[shown] = len(self.found)
            self.found.append(call)
        return self._known[shown]

    def check(self, node: exp.Anonymous) -> list[exp.Expression]:
        """Give the arguments of a call that is computed by others.

        Raises:
            ProgramError: it is wrong.
        """
        aggregate = self._aggregate(node)
        arguments, distinct = self._arguments(node)
        for part in arguments:
            self._argument(part, aggregate)
        if distinct:
            self._distinct(aggregate, node)
        return arguments

    def _aggregate(self, node: exp.Anonymous) -> Aggregate:
        name = str(node.this)
        found = aggregate_named(name)
        if found is None:
            message = f"the aggregate `{name}` cannot run in a stream"
            known = [item.name for item in AGGREGATES]
            way_out = did_you_mean(name.upper(), known) or f"there are {', '.join(known)}"
            raise refusal(codes.UNKNOWN_FUNCTION, message, name_span(node), way_out)
        if self.over_table and not found.over_tables:
            message = f"`{found.name}` cannot be computed over a table: a row that leaves the table cannot be taken back from it"
            way_out = "read the topic as a stream (SELECT STREAM), or use MIN, MAX or COLLECT"
            raise refusal(codes.NOT_OVER_A_TABLE, message, nearest_span(node), way_out)
        return found

    def _arguments(self, node: exp.Anonymous) -> tuple[list[exp.Expression], bool]:
        found = list(node.expressions)
        distinct = False
        if found and isinstance(found[0], exp.Distinct):
            distinct = True
            found[:1] = found[0].expressions
        for part in found:
            if isinstance(part, exp.Order):
                message = "an aggregate of a stream takes values in the order in which they arrive"
                raise refusal(codes.NOT_YET, message, nearest_span(part), "leave out ORDER BY")
            if isinstance(part, exp.IgnoreNulls | exp.RespectNulls):
                message = "aggregates of a stream leave out nulls"
                raise refusal(codes.NOT_YET, message, nearest_span(part))
            inside = next((item for item in own_nodes(part) if is_aggregate(item, self.within)), None)
            if inside is not None:
                message = "an aggregate stands inside another"
                way_out = "compute the inner one in a WITH, or in a query in brackets in FROM"
                raise refusal(codes.BAD_GROUPING, message, nearest_span(inside), way_out)
        if str(node.this).upper() == "COUNT" and (not found or isinstance(found[0], exp.Star)):
            return [], distinct
        function = lookup(str(node.this))
        assert function is not None
        if not function.accepts(len(found)):
            function.render([exp.Null()] * len(found), nearest_span(node), str(node.this).upper())
        return found, distinct

    def _argument(self, node: exp.Expression, aggregate: Aggregate, *, records: bool = False) -> pa.DataType:
        """Check an argument and give the type that it is brought to."""
        within = self.within
        if isinstance(node, exp.Star):
            message = f"`*` goes with COUNT alone, not with `{aggregate.name}`"
            raise refusal(codes.TYPE_MISMATCH, message, nearest_span(node))
        found = within.value(node)
        wrong = aggregate.function.mismatch(
            [found.type, *[pa.null()] * (len(aggregate.function.signatures[0].parameters) - 1)]
        )
        if wrong is not None:
            wanted = " or ".join(kind.lower() for kind in wrong.expected)
            message = f"`{aggregate.name}` takes a {wanted}, not {within.describe(node, found)}"
            raise refusal(codes.TYPE_MISMATCH, message, within.at(node))
        if pa.types.is_null(found.type):
            message = f"`{within.words(node)}` has no type that `{aggregate.name}` could take"
            raise refusal(codes.TYPE_MISMATCH, message, within.at(node), "write a column")
        kind: pa.DataType = storable(found.type)
        if aggregate.ordered and not records and pa.types.is_nested(kind):
            message = f"`{aggregate.name}` compares values, and {within.describe(node, found)} has no order"
            raise refusal(codes.TYPE_MISMATCH, message, within.at(node), "name one of its fields")
        return aggregate.argument(kind)

    def _folded(self, node: exp.Expression) -> str | None:
        """Give the name of the user aggregate whose items are collected; long rows of them are folded into one.

        None if there is none, or if values go that it cannot subtract.
        """
        found = folded(node, self.within.typer.user)
        return None if found is None or (self.over_table and not found.subtracts) else found.name

    def _parameter(self, node: exp.Expression, aggregate: Aggregate) -> str:
        if aggregate.name == "STRING_AGG":
            if isinstance(node, exp.Literal) and node.is_string:
                return str(node.this)
            message = "the separator of `STRING_AGG` is a text in quotes"
            raise refusal(codes.NOT_CONSTANT, message, nearest_span(node))
        if isinstance(node, exp.Literal) and node.is_number and 0 <= float(node.this) <= 1:
            return str(float(node.this))
        message = f"the second argument of `{aggregate.name}` is a number from 0 to 1, such as 0.95"
        raise refusal(codes.NOT_CONSTANT, message, nearest_span(node))

    @staticmethod
    def _distinct(aggregate: Aggregate, node: exp.Anonymous) -> tuple[str, bool]:
        name = aggregate.distinct
        if name is None or not node.expressions[0].expressions:
            message = f"DISTINCT does not go with `{aggregate.name}`"
            way_out = "leave it out"
            if aggregate.name in ("TOPK", "BOTTOMK"):
                message += ": it counts how often each value comes, and DISTINCT would make it once"
                way_out = "leave it out: each value is in the result once; or write COLLECT_UNIQUE"
            raise refusal(codes.BAD_GROUPING, message, nearest_span(node), way_out)
        # What is greatest or least is the same with and without repetitions.
        return name, name == aggregate.name and name in ("COUNT", "SUM", "AVG")

    def _column(self, node: exp.Expression, kind: pa.DataType) -> int:
        place = (text(self.within.value(node).node), str(kind))
        if place not in self._places:
            self._places[place] = len(self.values)
            self.values.append(ValueColumn(node, kind))
        return self._places[place]


def brought(found: Typed, kind: pa.DataType) -> Typed:
    """Give a value converted to a type, if it is not of it already."""
    if found.type.equals(kind):
        return found
    to = exp.DataType.build(duckdb_type(kind), dialect="duckdb")
    return Typed(exp.Cast(this=found.node.copy(), to=to), kind, found.nullable)


def is_aggregate(node: exp.Expression, within: Expressions) -> bool:
    """Say whether a node is the call of an aggregate, ours or one of DuckDB's."""
    if not isinstance(node, exp.Anonymous):
        return False
    name = str(node.this)
    function = lookup(name, len(node.expressions))
    if function is not None:
        return function.kind is Kind.AGGREGATE
    return name.lower() in within.typer.aggregates() and name.lower() not in within.typer.functions()


def own_nodes(node: exp.Expression) -> Iterator[exp.Expression]:
    """Give the nodes of a clause without those of queries inside it, and of functions over windows only themselves."""
    stack = [node]
    while stack:
        found = stack.pop()
        if isinstance(found, _QUERIES):
            continue
        yield found
        if not isinstance(found, exp.Window):
            stack += [child for child in found.iter_expressions() if isinstance(child, exp.Expression)]


def aggregates_in(node: exp.Expression | None, within: Expressions) -> list[exp.Expression]:
    """Give the calls of aggregates in a clause."""
    if node is None:
        return []
    return [found for found in own_nodes(node) if is_aggregate(found, within)]
