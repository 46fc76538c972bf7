"""The rows that a SELECT reads: WHERE, LATERAL, EVENTTIME BY, windows, and what it takes the rows for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from headrace.errors import Diagnostic, ProgramError, Severity, Span
from headrace.errors.codes import plan as codes
from headrace.plan.operators import NO_EVENT_TIME, OP
from headrace.plan.topology import Facet
from headrace.planner.clock import takes_clock
from headrace.planner.expressions import Expressions
from headrace.planner.faults import refusal
from headrace.planner.joins.draft import JoinRelation
from headrace.planner.joins.names import JoinNames, names_over
from headrace.planner.laterals import LateralRelation
from headrace.planner.relations import Names, Relation, SelectRelation
from headrace.planner.rules.extract_formats import Extracted, conjuncts
from headrace.planner.stateful.frames import over_time
from headrace.planner.stateful.grouped import Rows, is_grouped
from headrace.planner.stateful.grouping import refuse_aggregates
from headrace.planner.stateful.rank import RankDraft, bound_of, is_bounded, number_of
from headrace.planner.stateful.table import materialised
from headrace.planner.stateful.windows import refuse_window_of_rows, window_of
from headrace.planner.typed import Typed
from headrace.planner.window_rows import window_rows
from headrace.sql.nodes import ArrayLateral, Mode
from headrace.sql.spans import nearest_span, span_of
from headrace.types.sql import is_integer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from headrace.errors import Source
    from headrace.planner.duckdb_types import Typer
    from headrace.planner.faults import Faults
    from headrace.planner.scope import Scope


@dataclass(slots=True)
class SelectRows:
    """Compiles all of SELECTs but their columns.

    Args:
        typer: asks DuckDB for types.
        names: makes the names of columns.
        source: the text, for messages.
        faults: takes what is wrong; a SELECT with faults gives no relation.
    """

    typer: Typer
    names: Names
    source: Source
    faults: Faults

    def need_bound(self, relation: Relation, node: exp.Expression) -> None:
        """Refuse to read all numbers of a rank."""
        if is_bounded(relation):
            return
        reads = relation.reads
        assert isinstance(reads, RankDraft)
        name = f"{reads.function.value.upper()}()"
        message = f"{name} numbers all rows, and a stream keeps only the first of them"
        way_out = (
            f"say how many: `QUALIFY {name} OVER (…) <= 10`, or `WHERE number <= 10` in the query around it"
        )
        self.faults.add([Diagnostic(codes.BAD_RANK, message, span_of(node), way_out)])

    def _rows_of_all(
        self, select: exp.Select, sources: list[tuple[Relation, str]], formats: Extracted, mode: str
    ) -> list[Rows] | None:
        """Compile the rows that a SELECT takes in an order, of each branch; None if something in it is wrong."""
        rows = []
        for relation, alias in sources:
            found = self._rows(select, relation, alias, formats, mode)
            if found is None:
                return None
            self._note_bounds((formats.where,), found, found.relation)
            self.need_bound(found.relation, select)
            rows.append(found)
        return rows

    def _rows(
        self, select: exp.Select, relation: Relation, alias: str, formats: Extracted, mode: str
    ) -> Rows | None:
        """Compile the rows that a SELECT groups or ranks; None if they are of another kind than it says."""
        bare = select.args.get("mode") is None
        if bare and relation.table is False:
            mode = Mode.STREAM
        if mode == Mode.STREAM and relation.table:
            message = f"each change of the table `{alias}` counts as a row"
            way_out = "write SELECT TABLE to count its rows"
            place = _from_span(select)
            self.faults.add(
                [Diagnostic(codes.CHANGES_AS_FACTS, message, place, way_out, (), Severity.WARNING)]
            )
        if bare and mode == Mode.TABLE and relation.table is None:
            message = f"`{alias}` is read as a table: of each key the latest record counts, and records without a key do not"
            way_out = "write SELECT STREAM to count each record, or SELECT TABLE to say that this is meant"
            self.faults.add(
                [
                    Diagnostic(
                        codes.READ_AS_A_TABLE, message, _from_span(select), way_out, (), Severity.WARNING
                    )
                ]
            )
        if not self._readable(mode, relation, alias, select):
            return None
        return self._parts(select, relation, alias, formats, mode)

    def _readable(self, mode: str | None, relation: Relation, alias: str, select: exp.Select) -> bool:
        if mode != Mode.TABLE or relation.table is not False:
            return True
        message = f"`{alias}` is a stream, and SELECT TABLE reads topics and tables"
        self.faults.add([Diagnostic(codes.NOT_A_TABLE, message, span_of(select), "write SELECT STREAM")])
        return False

    def _parts(
        self,
        select: exp.Select,
        relation: Relation,
        alias: str,
        formats: Extracted,
        mode: str | None,
        *,
        rows: bool = True,
    ) -> Rows:
        """Compile all of a SELECT but its columns.

        Args:
            select: its text.
            relation: what it reads.
            alias: the name of that.
            formats: its WHERE.
            mode: what it takes the rows for.
            rows: old rows are needed where it is a table: a topic becomes one whose old rows are there. LATERAL needs them
                too, since the elements of the new row are others than those of the old one.
        """
        laterals = [item for item in select.args.get("laterals") or () if isinstance(item, ArrayLateral)]
        table = None if mode is None else mode == Mode.TABLE
        met = relation.where if isinstance(relation, JoinRelation) else ()
        good = True
        if (rows or laterals) and table and not relation.has_kinds:
            below: tuple[exp.Expression, ...] = ()
            if not laterals:
                # What does not meet WHERE is not kept at all.
                below, good = self._conditions(formats, self._expressions(relation, alias))
                formats = Extracted(None)
            keep = self._keep(mode, relation)
            kept = SelectRelation(relation, (), below, keep, self.names, star=True, table=True)
            relation = materialised(kept, self.names, span_of(select))
        scope = names_over(relation, alias)
        within = Expressions(scope, self.typer, self.source)
        for lateral in laterals:
            relation = self._lateral(lateral, relation, scope, within)
        time, clock = None, False
        try:
            time, clock = self._event_time(select, relation, within)
        except ProgramError as fault:
            self.faults.add(fault.diagnostics)
            good = False
        if not is_grouped(select, within):
            relation = self._windows(select, relation, scope, time)
        where, right = self._conditions(formats, within)
        keep = self._keep(mode, relation)
        built = SelectRelation(
            relation, (), (*met, *where), keep, self.names, star=False, time=time, clock=clock, table=table
        )
        return Rows(built, within, good and right)

    def _expressions(self, relation: Relation, alias: str) -> Expressions:
        return Expressions(names_over(relation, alias), self.typer, self.source)

    def _conditions(
        self, formats: Extracted, within: Expressions, clause: str = "WHERE"
    ) -> tuple[tuple[exp.Expression, ...], bool]:
        """Compile WHERE; the second part says whether all of it is right."""
        found: list[exp.Expression] = []
        good = True
        for part in conjuncts(formats.where):
            try:
                refuse_aggregates(part, clause, within)
                found.append(within.condition(part, clause))
            except ProgramError as fault:
                self.faults.add(fault.diagnostics)
                good = False
        return tuple(found), good

    def _note_bounds(
        self, conditions: Iterable[exp.Expression | None], parts: Rows, built: SelectRelation
    ) -> None:
        """Tell a rank below how many of its rows a SELECT with these conditions reads."""
        reads = built.reads
        if not isinstance(reads, RankDraft):
            return
        for part in (part for condition in conditions for part in conjuncts(condition)):
            found = bound_of(part)
            if found is not None and number_of(built.source, parts.within.value(found[0]).node) is reads:
                reads.bound(built, found[1])

    def _keep(self, mode: str | None, relation: Relation) -> tuple[exp.Expression, ...]:
        """Give the conditions that come with what a SELECT takes its rows for."""
        if mode == Mode.STREAM and relation.has_kinds:
            kind = relation.pull(Facet.META, (OP,)).node
            return (exp.GT(this=kind, expression=exp.Literal.number(0)),)
        return () if relation.has_kinds else self._keyed(mode, relation)

    @staticmethod
    def _keyed(mode: str | None, relation: Relation) -> tuple[exp.Expression, ...]:
        """A table has no rows without a key."""
        if mode != Mode.TABLE or relation.table:
            return ()
        size = relation.pull(Facet.META, ("__keysize",)).node
        return (exp.Not(this=exp.Is(this=size, expression=exp.Null())),)

    def _lateral(
        self, lateral: ArrayLateral, source: Relation, scope: Scope | JoinNames, within: Expressions
    ) -> LateralRelation:
        array = within.value(lateral.this)
        alias = lateral.args["alias"].name
        if not pa.types.is_list(array.type):
            message = f"LATERAL takes an array, and {within.describe(lateral.this, array)} is none"
            raise refusal(codes.TYPE_MISMATCH, message, nearest_span(lateral.this))
        relation = LateralRelation(source, array, alias, self.names, nearest_span(lateral.this))
        scope.relation = relation
        scope.laterals[alias] = relation.element
        return relation

    def _windows(
        self, select: exp.Select, source: Relation, scope: Scope | JoinNames, time: Typed | None
    ) -> Relation:
        """Give the rows of a SELECT with their windows, if it cuts time and has no groups."""
        if select.args.get("order") is not None or over_time(select):
            # Then GRACE BY is that of the rows that wait.
            return source
        window = window_of(select, self.faults)
        if window is None:
            return source
        refuse_window_of_rows(select, window, over_table=source.has_kinds)
        at = time or source.pull(Facet.META, ("timestamp",))
        relation = window_rows(source, at, window, self.names)
        scope.relation = relation
        return relation

    @staticmethod
    def _event_time(select: exp.Select, relation: Relation, within: Expressions) -> tuple[Typed | None, bool]:
        """Give what EVENTTIME BY takes, and whether it is the clock."""
        node = select.args.get("eventtime")
        if node is None:
            return None, False
        found = within.value(node)
        clock = takes_clock(relation, found.node, node)
        if is_integer(found.type):
            millis = found.node
        elif pa.types.is_timestamp(found.type) or pa.types.is_date(found.type):
            millis = exp.Anonymous(this="epoch_ms", expressions=[found.node])
        else:
            message = f"EVENTTIME BY takes a point in time, and {within.describe(node, found)} is none"
            raise refusal(codes.BAD_EVENT_TIME, message, nearest_span(node))
        time = exp.cast(millis.copy(), "BIGINT", dialect="duckdb")
        # A record without a time has no place in event-time order: it goes to the error policy, like one that cannot be decoded.
        missing = exp.Or(
            this=exp.Is(this=time.copy(), expression=exp.Null()),
            expression=exp.LT(this=time.copy(), expression=exp.Literal.number(0)),
        )
        failure = exp.Anonymous(this="error", expressions=[exp.Literal.string(NO_EVENT_TIME)])
        checked = exp.Case(ifs=[exp.If(this=missing, true=failure)], default=time)
        return Typed(checked, pa.int64(), nullable=False), clock


def _from_span(select: exp.Select) -> Span | None:
    return span_of(select.args["from_"].this) or span_of(select)
