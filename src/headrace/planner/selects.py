"""One SELECT over the rows of its source: WHERE, LATERAL, EVENTTIME BY, groups, ranks and columns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from headrace.errors import Diagnostic, ProgramError, Severity, Span
from headrace.errors.codes import plan as codes
from headrace.plan.operators import NO_EVENT_TIME, OP, Emit
from headrace.plan.topology import Facet
from headrace.planner.clock import takes_clock
from headrace.planner.expressions import Expressions
from headrace.planner.faults import refusal
from headrace.planner.joins.draft import JoinRelation
from headrace.planner.joins.names import JoinNames, names_over
from headrace.planner.laterals import LateralRelation
from headrace.planner.projection import projection
from headrace.planner.relations import (
    Names,
    Relation,
    SelectRelation,
)
from headrace.planner.rules.extract_formats import Extracted, conjuncts
from headrace.planner.rules.refuse_stateful import emit_span
from headrace.planner.scope import Scope
from headrace.planner.stateful.calls import aggregates_in
from headrace.planner.stateful.drafts import need_old_rows, only_identity
from headrace.planner.stateful.grouped import Rows, grouped, is_grouped, is_grouped_by_words
from headrace.planner.stateful.grouping import refuse_aggregates
from headrace.planner.stateful.over import (
    OverDraft,
    OverResults,
    OverRows,
    aggregates_over,
    frames_of,
    over_rows,
)
from headrace.planner.stateful.rank import (
    RankDraft,
    Ranking,
    bound_of,
    is_bounded,
    number_of,
    ranked,
    ranked_by,
    row_number,
    shown,
    with_meaning_of_aliases,
)
from headrace.planner.stateful.sort import in_order, refuse_beside_order
from headrace.planner.stateful.table import materialised
from headrace.planner.stateful.windows import refuse_window_of_rows, window_node, window_of
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


@dataclass(slots=True)
class Selects:
    """Compiles SELECTs.

    Args:
        typer: asks DuckDB for types.
        names: makes the names of columns.
        source: the text, for messages.
        faults: takes what is wrong; a SELECT with faults gives no relation.
        emit: when aggregates give results, unless they say it themselves.
    """

    typer: Typer
    names: Names
    source: Source
    faults: Faults
    emit: Emit = Emit.COMMIT

    def compile(
        self, select: exp.Select, sources: list[tuple[Relation, str]], formats: Extracted, mode: str | None
    ) -> list[SelectRelation]:
        """Give the relations of a SELECT, one for each branch of its source, or one for them all where it groups.

        Args:
            select: its text.
            sources: the branches of what it reads, and the name of each.
            formats: its WHERE, without what it says of formats.
            mode: what it takes rows for; None where its text does not say it.
        """
        if select.args.get("order") is not None:
            refuse_beside_order(select, self._expressions(*sources[0]))
        if is_grouped(select, self._expressions(*sources[0])):
            return self._grouped(select, sources, formats, mode)
        if select.args.get("emit") == "FINAL":
            message = "EMIT FINAL gives the results of windows, and the SELECT has no aggregate"
            place = emit_span(select, self.source)
            self.faults.add([Diagnostic(codes.BAD_EMIT, message, place, "leave it out")])
        if select.args.get("order") is not None:
            built = self._sorted(select, sources, formats, mode)
            return [] if built is None else [built]
        node = row_number(select)
        if node is not None:
            beside = aggregates_over(select)
            if beside:
                message = f"{shown(node)} and an aggregate OVER rows cannot stand in one SELECT of a stream"
                raise refusal(
                    codes.NOT_YET, message, nearest_span(beside[0]), "compute one of them in a WITH"
                )
            ranks = self._over_ranks(select, sources, formats, mode or Mode.TABLE)
            return [] if ranks is None else [ranks]
        if aggregates_over(select):
            over = self._with_aggregates_over(select, sources, formats, mode or Mode.TABLE)
            return [] if over is None else [over]
        found = []
        for relation, alias in sources:
            built = self._over(select, relation, alias, formats, mode)
            if built is not None:
                found.append(built)
        return found

    def aggregates(self, select: exp.Select, relation: Relation) -> bool:
        """Say whether a SELECT has an aggregate among its columns, whatever rows it reads."""
        within = self._expressions(relation, "")
        return any(aggregates_in(item, within) for item in select.expressions)

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

    def _grouped(
        self, select: exp.Select, sources: list[tuple[Relation, str]], formats: Extracted, mode: str | None
    ) -> list[SelectRelation]:
        rows = []
        for relation, alias in sources:
            found = self._rows(select, relation, alias, formats, mode or Mode.TABLE)
            if found is None:
                return []
            self._note_bounds((formats.where,), found, found.relation)
            self.need_bound(found.relation, select)
            rows.append(found)
        place = emit_span(select, self.source)
        result = grouped(select, rows, self.names, self.emit, place, self.faults)
        if result is None:
            return []
        self._check_key(result)
        return [result]

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

    def _over_ranks(
        self, select: exp.Select, sources: list[tuple[Relation, str]], formats: Extracted, mode: str
    ) -> SelectRelation | None:
        """Compile a SELECT that ranks, over all branches of its source; None if something in it is wrong."""
        rows = self._rows_of_all(select, sources, formats, mode)
        if rows is None:
            return None
        select = with_meaning_of_aliases(select, rows[0].within)
        node = row_number(select)
        assert node is not None
        parts = self._ranked(select, rows, node, sources[0][1])
        return self._projected(select, Extracted(None), parts)

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

    def _qualified(self, select: exp.Select, within: Expressions) -> tuple[tuple[exp.Expression, ...], bool]:
        """Compile QUALIFY: gives its conditions, and whether nothing in them is wrong."""
        qualify = select.args.get("qualify")
        return self._conditions(Extracted(qualify.this if qualify is not None else None), within, "QUALIFY")

    def _ranked(self, select: exp.Select, rows: list[Rows], node: exp.Window, alias: str) -> Rows:
        """Compile the rows of a SELECT that ranks."""
        self._refuse_beside(select, shown(node), node, rows[0].within)
        named = (
            item.alias for item in select.expressions if isinstance(item, exp.Alias) and item.this == node
        )
        rankings = [Ranking(row.relation, *ranked_by(node, row.within)) for row in rows]
        relation = ranked(rankings, node, rows[0].within, next(named, None), self.names)
        draft = relation.reads
        assert isinstance(draft, RankDraft)
        scope = Scope(relation, alias)
        within = Expressions(
            scope, self.typer, self.source, bound=lambda part, _: draft.number() if part == node else None
        )
        conditions, good = self._qualified(select, within)
        built = SelectRelation(relation, (), conditions, (), self.names, star=False, table=True)
        return Rows(built, within, good and all(row.good for row in rows))

    def _sorted(
        self, select: exp.Select, sources: list[tuple[Relation, str]], formats: Extracted, mode: str | None
    ) -> SelectRelation | None:
        """Compile a SELECT with ORDER BY over all branches of its source; None if something in it is wrong."""
        rows = []
        for relation, alias in sources:
            self.need_bound(relation, select)
            if mode == Mode.TABLE or (mode is None and relation.table):
                message = "the rows of a table have no place among others"
                way_out = "read its changes, with SELECT STREAM; `headrace query` sorts what is there now"
                raise refusal(codes.BAD_ORDER, message, nearest_span(select.args["order"]), way_out)
            rows.append(self._parts(select, relation, alias, formats, Mode.STREAM, rows=False))
        if not all(row.good for row in rows):
            return None
        relation, alias = in_order(select, rows, self.names), sources[0][1]
        built = SelectRelation(relation, (), (), (), self.names, star=False, table=False)
        within = Expressions(Scope(relation, alias), self.typer, self.source)
        return self._projected(select, Extracted(None), Rows(built, within, good=True))

    def _with_aggregates_over(
        self, select: exp.Select, sources: list[tuple[Relation, str]], formats: Extracted, mode: str
    ) -> SelectRelation | None:
        """Compile a SELECT with aggregates OVER rows of all branches of its source; None if something in it is wrong."""
        rows = self._rows_of_all(select, sources, formats, mode)
        if rows is None:
            return None
        select = with_meaning_of_aliases(select, rows[0].within)
        nodes = aggregates_over(select)
        self._refuse_beside(select, "an aggregate OVER rows", nodes[0], rows[0].within)
        frames = frames_of(nodes)
        time = select.args.get("eventtime")
        branches = [OverRows(row.relation, row.within, time, select) for row in rows]
        relation, calls = over_rows(branches, frames, self.names)
        draft = relation.reads
        assert isinstance(draft, OverDraft)
        results = OverResults(draft, calls)
        within = Expressions(Scope(relation, sources[0][1]), self.typer, self.source, bound=results.bound)
        conditions, good = self._qualified(select, within)
        table = relation.has_kinds
        built = SelectRelation(relation, (), conditions, (), self.names, star=False, table=table)
        projected = self._projected(
            select, Extracted(None), Rows(built, within, good and all(row.good for row in rows))
        )
        results.complete(branches, frames)
        return projected

    @staticmethod
    def _refuse_beside(select: exp.Select, what: str, node: exp.Expression, within: Expressions) -> None:
        """Refuse LATERAL and joins in a SELECT that takes rows in an order."""
        if select.args.get("laterals"):
            message = f"{what} and LATERAL cannot stand in one SELECT of a stream"
            raise refusal(codes.NOT_YET, message, nearest_span(node), "write LATERAL in a WITH")
        if isinstance(within.scope, JoinNames):
            message = f"{what} and a join cannot stand in one SELECT of a stream"
            raise refusal(codes.NOT_YET, message, nearest_span(node), "write the join in a WITH")

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

    def _over(
        self, select: exp.Select, relation: Relation, alias: str, formats: Extracted, mode: str | None
    ) -> SelectRelation | None:
        """Compile a SELECT over one branch of its source; None if something in it is wrong."""
        if not self._readable(mode, relation, alias, select):
            return None
        if mode is None and relation.has_kinds:
            mode = Mode.TABLE
        parts = self._parts(select, relation, alias, formats, mode, rows=False)
        return self._projected(select, formats, parts)

    def _projected(self, select: exp.Select, formats: Extracted, parts: Rows) -> SelectRelation | None:
        """Compile the columns of a SELECT; None if something in it is wrong."""
        qualify = select.args.get("qualify")
        conditions = (formats.where, qualify.this if qualify is not None else None)
        self._note_bounds(conditions, parts, parts.relation)
        found = projection(select, parts.within, self.faults)
        if found is None or not parts.good:
            return None
        below = parts.relation
        built = replace(below, items=found.items, star=found.star, pulled={})
        self._note_bounds(conditions, parts, built)
        self._check_key(built)
        if built.has_kinds and (built.time is not None or not only_identity(below.source, built.where)):
            # What becomes of a row depends on columns that a mere deletion of its key does not have.
            need_old_rows(below.source)
        return built

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

    def _check_key(self, relation: SelectRelation) -> None:
        """Refuse a key that changes while the row of a table stays."""
        keys = relation.of(Facet.KEY)
        if not keys or not relation.has_kinds:
            return
        for item in keys:
            if not only_identity(relation.source, [item.value.node]):
                message = "the key is not made of what tells the rows of the table apart"
                way_out = "keep the key, or read the changes as a stream with SELECT STREAM"
                self.faults.add([Diagnostic(codes.KEY_OF_A_TABLE, message, item.span, way_out)])

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
        if select.args.get("order") is not None:
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


def mode_of(select: exp.Select, around: str | None) -> str | None:
    """Give whether a SELECT reads facts or a table; None where the text does not say it and both are the same.

    Args:
        select: its text.
        around: what the SELECT around it takes its rows for, if it is a table.
    """
    mode = select.args.get("mode")
    if mode is not None:
        return str(mode)
    if window_node(select) is not None:
        return Mode.STREAM
    keeps = is_grouped_by_words(select) or row_number(select) is not None or bool(aggregates_over(select))
    return around or (Mode.TABLE if keeps else None)


def _from_span(select: exp.Select) -> Span | None:
    return span_of(select.args["from_"].this) or span_of(select)
