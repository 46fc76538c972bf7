"""One SELECT over the rows of its source: groups, ranks, functions OVER rows, an order, and columns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from headrace.errors import Diagnostic
from headrace.errors.codes import plan as codes
from headrace.plan.operators import Emit
from headrace.plan.topology import Facet
from headrace.planner.expressions import Expressions
from headrace.planner.faults import refusal
from headrace.planner.joins.names import JoinNames
from headrace.planner.projection import projection
from headrace.planner.relations import Relation, SelectRelation
from headrace.planner.rules.extract_formats import Extracted
from headrace.planner.rules.refuse_stateful import emit_span
from headrace.planner.scope import Scope
from headrace.planner.select_rows import SelectRows
from headrace.planner.stateful.calls import aggregates_in
from headrace.planner.stateful.drafts import need_old_rows, only_identity
from headrace.planner.stateful.frames import aggregates_over, frames_of
from headrace.planner.stateful.grouped import Rows, grouped, is_grouped, is_grouped_by_words
from headrace.planner.stateful.over import OverDraft, OverResults, OverRows, over_rows
from headrace.planner.stateful.rank import (
    RankDraft,
    Ranking,
    ranked,
    ranked_by,
    row_number,
    shown,
    with_meaning_of_aliases,
)
from headrace.planner.stateful.sort import in_order, refuse_beside_order
from headrace.planner.stateful.windows import window_node
from headrace.sql.nodes import Mode
from headrace.sql.spans import nearest_span

if TYPE_CHECKING:
    from collections.abc import Callable

    from headrace.planner.typed import Typed


@dataclass(slots=True)
class Selects(SelectRows):
    """Compiles SELECTs.

    Args:
        emit: when aggregates give results, unless they say it themselves.
    """

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
        node, over = row_number(select), aggregates_over(select)
        if node is not None and over:
            message = f"{shown(node)} and an aggregate OVER rows cannot stand in one SELECT of a stream"
            raise refusal(codes.NOT_YET, message, nearest_span(over[0]), "compute one of them in a WITH")
        if node is not None or over:
            ordered = self._in_order(select, sources, formats, mode or Mode.TABLE)
            return [] if ordered is None else [ordered]
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

    def _grouped(
        self, select: exp.Select, sources: list[tuple[Relation, str]], formats: Extracted, mode: str | None
    ) -> list[SelectRelation]:
        rows = self._rows_of_all(select, sources, formats, mode or Mode.TABLE)
        if rows is None:
            return []
        place = emit_span(select, self.source)
        result = grouped(select, rows, self.names, self.emit, place, self.faults)
        if result is None:
            return []
        self._check_key(result)
        return [result]

    def _in_order(
        self, select: exp.Select, sources: list[tuple[Relation, str]], formats: Extracted, mode: str
    ) -> SelectRelation | None:
        """Compile a SELECT with functions OVER rows of all branches of its source; None if something in it is wrong."""
        rows = self._rows_of_all(select, sources, formats, mode)
        if rows is None:
            return None
        select = with_meaning_of_aliases(select, rows[0].within)
        node, alias = row_number(select), sources[0][1]
        if node is not None:
            return self._projected(select, Extracted(None), self._ranked(select, rows, node, alias))
        nodes = aggregates_over(select)
        self._refuse_beside(select, "an aggregate OVER rows", nodes[0], rows[0].within)
        frames = frames_of(nodes)
        time = select.args.get("eventtime")
        branches = [OverRows(row.relation, row.within, time, select) for row in rows]
        relation, calls = over_rows(branches, frames, self.names)
        draft = relation.reads
        assert isinstance(draft, OverDraft)
        results = OverResults(draft, calls)
        parts = self._over_all(select, rows, relation, alias, results.bound)
        projected = self._projected(select, Extracted(None), parts)
        results.complete(branches, frames)
        return projected

    def _over_all(
        self,
        select: exp.Select,
        rows: list[Rows],
        relation: Relation,
        alias: str,
        bound: Callable[[exp.Expression, Expressions], Typed | None],
    ) -> Rows:
        """Compile QUALIFY over what an operator gives for the rows of all branches.

        Args:
            select: its text.
            rows: that went in.
            relation: what the operator gives.
            alias: its name.
            bound: gives the results of functions OVER rows.
        """
        within = Expressions(Scope(relation, alias), self.typer, self.source, bound=bound)
        qualify = select.args.get("qualify")
        condition = Extracted(qualify.this if qualify is not None else None)
        conditions, good = self._conditions(condition, within, "QUALIFY")
        built = SelectRelation(relation, (), conditions, (), self.names, star=False, table=relation.has_kinds)
        return Rows(built, within, good and all(row.good for row in rows))

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
        return self._over_all(
            select, rows, relation, alias, lambda part, _: draft.number() if part == node else None
        )

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

    @staticmethod
    def _refuse_beside(select: exp.Select, what: str, node: exp.Expression, within: Expressions) -> None:
        """Refuse LATERAL and joins in a SELECT that takes rows in an order."""
        if select.args.get("laterals"):
            message = f"{what} and LATERAL cannot stand in one SELECT of a stream"
            raise refusal(codes.NOT_YET, message, nearest_span(node), "write LATERAL in a WITH")
        if isinstance(within.scope, JoinNames):
            message = f"{what} and a join cannot stand in one SELECT of a stream"
            raise refusal(codes.NOT_YET, message, nearest_span(node), "write the join in a WITH")

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
