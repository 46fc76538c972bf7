"""MATCH_RECOGNIZE over the rows of a stream, into an operator and a query over its matches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
from sqlglot import exp

from headrace.errors import Diagnostic, ProgramError
from headrace.errors.codes import plan as codes
from headrace.functions.aggregate import aggregate_named
from headrace.plan.operators import Changes, MatchMeasure
from headrace.plan.topology import Facet
from headrace.planner.duckdb_types import storable
from headrace.planner.expressions import Expressions
from headrace.planner.faults import refusal
from headrace.planner.joins.intervals import is_event_time, length_of
from headrace.planner.matching.conditions import Conditions
from headrace.planner.matching.draft import MatchDraft
from headrace.planner.matching.patterns import listed, pattern_data, skip_of, variables_of
from headrace.planner.matching.rows import Asked, MatchedRows
from headrace.planner.relations import Item, SelectRelation
from headrace.planner.scope import Scope
from headrace.planner.stateful.calls import brought
from headrace.planner.stateful.drafts import Branch, FeedDraft, OperatorRelation, together
from headrace.planner.stateful.formats import formats_of
from headrace.planner.stateful.grouping import column_name
from headrace.sql.paths import column_path
from headrace.sql.print_expressions import expression
from headrace.sql.spans import nearest_span, span_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from headrace.errors import Source
    from headrace.plan.operators import Take
    from headrace.planner.duckdb_types import Typer
    from headrace.planner.faults import Faults
    from headrace.planner.relations import Names, Relation
    from headrace.planner.typed import Typed
    from headrace.sql.nodes import MatchRecognize

_LIST_FUNCTIONS: Final = {"SUM": "sum", "AVG": "avg", "MIN": "min", "MAX": "max", "COUNT": "count"}


@dataclass(slots=True)
class Patterns:
    """Compiles MATCH_RECOGNIZE.

    Args:
        typer, source: as those of `Expressions`.
        names: makes the names of columns.
        faults: takes what is wrong.
    """

    typer: Typer
    names: Names
    source: Source
    faults: Faults

    def compile(self, node: MatchRecognize, relation: Relation, alias: str) -> SelectRelation | None:
        """Give the matches; None if something in the text is wrong, which `faults` then has.

        Args:
            node: the text.
            relation: the rows.
            alias: their name.

        Raises:
            ProgramError: what leaves nothing to go on with.
        """
        if relation.has_kinds or relation.table:
            message = f"`{alias}` is a table, and a pattern takes the rows of a stream"
            way_out = "read its changes as facts: `(SELECT STREAM * FROM …) MATCH_RECOGNIZE (…)`"
            raise refusal(codes.BAD_PATTERN, message, span_of(node.this), way_out)
        variables = variables_of(node.args["pattern"])
        below = SelectRelation(relation, (), (), (), self.names, star=False, table=False)
        rows = MatchedRows(below, alias, variables, self.typer, self.source)
        if alias in variables:
            message = f"`{alias}` is the name of the rows and of a variable"
            raise refusal(
                codes.NAME_TWICE, message, span_of(node.args["pattern"]), "give one of them another name"
            )
        key = [_stored(rows.within().value(part)) for part in node.args.get("partition_by") or ()]
        branch = Branch(below, key, [])
        feed = FeedDraft([branch], Changes.APPEND)
        if not together(below, key):
            feed.repartition = below.reads.partitions if key else 1
        draft = MatchDraft(self.names, [feed], *formats_of(below, key))
        draft.key_names = [column_name(part, rows.within()) for part in node.args.get("partition_by") or ()]
        draft.text = expression(node.args["pattern"])
        items = self._parts(node, rows, draft)
        if items is None:
            return None
        branch.value = rows.values
        branch.words = [*draft.key_names, *rows.words]
        return SelectRelation(
            OperatorRelation(draft), tuple(items), (), (), self.names, star=False, table=False
        )

    def _parts(self, node: MatchRecognize, rows: MatchedRows, draft: MatchDraft) -> list[Item] | None:
        """Compile all clauses; a fault of one does not hide those of others."""
        good = True
        items: list[Item] = []

        def attempt(work: Callable[..., None], *arguments: Any) -> None:
            nonlocal good
            try:
                work(*arguments)
            except ProgramError as fault:
                self.faults.add(fault.diagnostics)
                good = False

        def pattern() -> None:
            draft.pattern = pattern_data(node.args["pattern"], rows.variables)

        def skip() -> None:
            draft.skip = skip_of(node, rows.variables)

        def within() -> None:
            draft.within = _length(node)

        attempt(_check_order, node, rows)
        attempt(pattern)
        attempt(skip)
        attempt(within)
        for index, name in enumerate(draft.key_names):
            items.append(Item(Facet.VALUE, (name,), draft.part(index), None))
        measures = Measures(rows, draft, self.typer, self.source)
        for measure in node.args.get("measures") or ():
            attempt(measures.add, measure, items)
        conditions = Conditions(rows, self.names)
        draft.conditions = [None] * len(rows.variables)
        for definition in node.args.get("define") or ():
            attempt(_define, definition, conditions, draft)
        draft.references = conditions.references
        names = [item.path[0] for item in items]
        for item in items:
            if names.count(item.path[0]) > 1:
                message = f"column `{item.path[0]}` stands twice in the result of the match"
                place = item.span or nearest_span(node)
                self.faults.add([Diagnostic(codes.DUPLICATE_OUTPUT, message, place, "give one another name")])
                good = False
                break
        if not (node.args.get("measures") or draft.key_names):
            message = "a match gives nothing: it has neither MEASURES nor PARTITION BY"
            raise refusal(
                codes.BAD_PATTERN, message, nearest_span(node), "write for example `MEASURES a.id AS id`"
            )
        return items if good else None


@dataclass(slots=True)
class Measures:
    """Compiles MEASURES: what is asked of the rows of a match are columns of the operator, what is around it DuckDB computes.

    Args:
        rows: what goes into the pattern.
        draft: the operator.
        typer, source: as those of `Expressions`.
    """

    rows: MatchedRows
    draft: MatchDraft
    typer: Typer
    source: Source

    def add(self, measure: exp.Expression, items: list[Item]) -> None:
        """Add a column of the matches. Raises ProgramError."""
        scope = Scope(OperatorRelation(self.draft), "the match")
        within = Expressions(scope, self.typer, self.source, bound=self._bound)
        found = _stored(within.value(measure.this))
        items.append(Item(Facet.VALUE, (measure.alias,), found, span_of(measure)))

    def _bound(self, node: exp.Expression, within: Expressions) -> Typed | None:
        asked = self.rows.asked(node)
        if asked is None and column_path(node) is not None:
            variable = self.rows.variable_of(node)
            asked = Asked("LAST", variable, _stored(self.rows.within(variable).value(node)))
        if asked is None:
            return None
        if asked.function == "PREV":
            message = "PREV belongs to conditions: a measure names rows of the match"
            raise refusal(codes.NOT_YET, message, nearest_span(node), "write LAST")
        if asked.value is None:
            return self._column("count", asked, None, pa.int64(), node)
        place = self.rows.keep(asked.value, self.rows.within().words(node))
        kind = asked.value.type
        if asked.function in ("FIRST", "LAST"):
            return self._column("first" if asked.function == "FIRST" else "last", asked, place, kind, node)
        values = self._column("all", asked, place, pa.list_(kind), node)
        call = exp.Anonymous(
            this="list_aggregate",
            expressions=[values.node, exp.Literal.string(_LIST_FUNCTIONS[asked.function])],
        )
        aggregate = aggregate_named(asked.function)
        assert aggregate is not None
        found = within.typed(call, nullable=not aggregate.never_null, origin=node)
        return brought(found, aggregate.result(kind))

    def _column(
        self, take: Take, asked: Asked, place: int | None, kind: pa.DataType, node: exp.Expression
    ) -> Typed:
        offset = asked.offset if take in ("first", "last") else 0
        measure = MatchMeasure(take, asked.variable, place, offset)
        return self.draft.measure(measure, kind, self.rows.within().words(node))


def _define(definition: exp.Expression, conditions: Conditions, draft: MatchDraft) -> None:
    variables, name = conditions.rows.variables, definition.alias
    place = span_of(definition.args["alias"])
    if name not in variables:
        message = f"`{name}` is no variable of the pattern"
        raise refusal(codes.BAD_PATTERN, message, place, f"there are {listed(variables)}")
    number = variables.index(name)
    if draft.conditions[number] is not None:
        raise refusal(codes.NAME_TWICE, f"`{name}` is defined twice", place, "join the conditions by AND")
    draft.conditions[number] = conditions.compile(definition.this, number)


def _check_order(node: MatchRecognize, rows: MatchedRows) -> None:
    """Refuse any order but that of event time: rows are taken in the order in which they are processed."""
    order = node.args.get("order")
    way_out = "write `ORDER BY _meta.timestamp`"
    if order is None:
        message = (
            "MATCH_RECOGNIZE needs ORDER BY: it says that rows are taken in the order of their event time"
        )
        raise refusal(codes.BAD_PATTERN, message, nearest_span(node), way_out)
    (first, *more) = order.expressions
    if more or first.args.get("desc"):
        message = "the rows of a stream are taken in the order of their event time, and in no other"
        raise refusal(codes.BAD_PATTERN, message, nearest_span(order), way_out)
    found = rows.within().value(first.this)
    if not is_event_time(rows.relation.source, found.node):
        message = f"`{rows.within().words(first.this)}` is not the event time of `{rows.alias}`"
        way_out += (
            ", or give the rows this time: `(SELECT STREAM * FROM … EVENTTIME BY …) MATCH_RECOGNIZE (…)`"
        )
        raise refusal(codes.BAD_PATTERN, message, nearest_span(first), way_out)


def _length(node: MatchRecognize) -> int | None:
    """Give WITHIN in milliseconds."""
    length = node.args.get("within")
    if length is None:
        return None
    found = length_of(length)
    if found is None or found <= 0:
        message = "WITHIN takes a length of time that is known, and more than none"
        raise refusal(codes.BAD_PATTERN, message, nearest_span(length), "for example `WITHIN 10m`")
    return found


def _stored(found: Typed) -> Typed:
    return brought(found, storable(found.type))
