"""Queries into relations: one relation for each branch of UNION ALL, whatever WITH and sub-queries stand between."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from sqlglot import exp

from headrace.catalog import format_named, windowed_name
from headrace.errors import ProgramError, Span
from headrace.errors.codes import catalog as catalog_codes
from headrace.errors.codes import plan as codes
from headrace.errors.suggest import did_you_mean
from headrace.formats.windowed import windowed
from headrace.plan.operators import Emit
from headrace.plan.topology import Facet
from headrace.planner.change_records import as_table
from headrace.planner.expressions import Expressions
from headrace.planner.faults import refusal
from headrace.planner.joins.join import Joins, Origin
from headrace.planner.joins.names import names_over
from headrace.planner.joins.semi import (
    Asked,
    Compared,
    Found,
    asked_in,
    compared,
    first_in_windows,
    need_columns,
    need_no_nulls,
    need_plain,
    query_for,
    table_of,
)
from headrace.planner.laterals import need_single_rows
from headrace.planner.matching.matched import Patterns
from headrace.planner.relations import (
    Relation,
    SelectRelation,
    TopicRelation,
)
from headrace.planner.rules.extract_formats import Extracted, extract_formats
from headrace.planner.rules.refuse_stateful import refuse_set_operation, refuse_stateful
from headrace.planner.scope import Scope
from headrace.planner.selects import Selects, mode_of
from headrace.planner.stateful.drafts import OperatorDraft
from headrace.planner.stateful.rank import is_bounded
from headrace.planner.unions import alike
from headrace.planner.window_rows import windows_below
from headrace.sql.nodes import MatchRecognize, Mode, Named, Window, Within
from headrace.sql.spans import nearest_span, span_of
from headrace.types.shape import field_names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headrace.formats.interface import Windowing
    from headrace.planner.faults import Faults
    from headrace.planner.joins.names import JoinNames
    from headrace.planner.relations import TopicReads
    from headrace.planner.topics import Topics

_THE_JOIN: Final = "the join"
"""Name of the rows of a SELECT with joins, for messages."""


@dataclass(slots=True)
class Queries:
    """Turns queries into relations.

    Args:
        topics: what the topics hold, and what the program reads of them.
        selects: compiles each SELECT.
        joins: compiles what stands between its sources.
        faults: takes what is wrong; a query with faults gives no relation.
    """

    topics: Topics
    selects: Selects
    joins: Joins
    faults: Faults
    broken: set[str] = field(default_factory=set)
    """WITH names whose query has faults: what reads them is not looked at, since all its faults would come from theirs."""
    _open: list[str] = field(default_factory=list)
    _whole: bool = False
    """Topics are read for a GLOBAL TABLE."""
    _bare: str | None = None
    _table: bool = False
    """What FROM names is read as a table."""
    """What a SELECT without STREAM or TABLE takes its rows for, inside one that says it."""
    _shared: dict[int, list[SelectRelation]] = field(default_factory=dict)
    """Queries of WITH that end in operators, by identity of their text: all that read them read the same operator."""

    def check(self, entry: Named, named: Mapping[str, Named]) -> None:
        """Look for faults in a query of WITH, used or not."""
        self._open.append(entry.name)
        try:
            _refuse_shape(entry)
            found = self.branches(entry.query, named)
            self._share(entry, found)
            if not found:
                self.broken.add(entry.name)
        except ProgramError as fault:
            self.broken.add(entry.name)
            self.faults.add(fault.diagnostics)
        finally:
            self._open.pop()

    def insertion(self, query: exp.Expression, named: Mapping[str, Named]) -> list[SelectRelation]:
        """Give the relations whose rows an INSERT writes."""
        found = self.branches(query, named)
        for relation in found:
            self.selects.need_bound(relation, query)
            if relation.has_kinds:
                need_single_rows(relation)
        return [relation for relation in found if is_bounded(relation)]

    def branches(self, query: exp.Expression, named: Mapping[str, Named]) -> list[SelectRelation]:
        """Give the relations of a query.

        Args:
            query: SELECT, UNION ALL, either of them in brackets.
            named: the WITH names that it may use.

        Raises:
            ProgramError: the first fault of those that leave nothing to go on with; others go to `faults`.
        """
        with_ = query.args.get("with_")
        if with_ is not None:
            named = self._own_names(with_, named)
        if isinstance(query, exp.Subquery):
            return self.branches(query.this, named)
        if isinstance(query, exp.SetOperation):
            self.faults.add(refuse_set_operation(query))
            left, right = self.branches(query.this, named), self.branches(query.expression, named)
            if not left or query.args.get("by_name"):
                return [*left, *right]
            return [*left, *(alike(left[0], branch, query.expression) for branch in right)]
        if isinstance(query, exp.Select):
            return self._select(query, named)
        message = "VALUES has no topic to read from"
        raise refusal(
            codes.NOT_IN_A_PROCESSOR, message, nearest_span(query), "write records with `headrace produce`"
        )

    def _own_names(self, with_: exp.Expression, named: Mapping[str, Named]) -> Mapping[str, Named]:
        from_here = dict(named)
        for entry in with_.expressions:
            own = _named(entry, recursive=bool(with_.args.get("recursive")))
            _refuse_shape(own)
            from_here[entry.alias] = own
        return from_here

    def _select(self, select: exp.Select, named: Mapping[str, Named]) -> list[SelectRelation]:
        self.faults.add(refuse_stateful(select))
        where = select.args.get("where")
        formats = extract_formats(where.this if where is not None else None)
        outside = self._bare
        mode = mode_of(select, outside)
        self._bare = Mode.TABLE if mode == Mode.TABLE else None
        within, self._table = self._table, mode == Mode.TABLE
        clause = select.args.get("from_")
        if clause is None:
            message = "a stream is read from a topic: SELECT needs FROM"
            raise refusal(codes.NOT_IN_A_PROCESSOR, message, span_of(select))
        joins = select.args.get("joins") or ()
        nodes = [clause.this, *(join.this for join in joins)]
        whole = [self._whole, *(self._whole or bool(join.args.get("broadcast")) for join in joins)]
        try:
            origins = [
                self._source(node, named, formats, whole=all_)
                for node, all_ in zip(nodes, whole, strict=True)
            ]
        finally:
            self._bare, self._table = outside, within
        if not all(origins):
            return []
        asked, where = asked_in(formats.where)
        formats = replace(formats, where=where)
        if len(origins) > 1:
            return self._joined(select, nodes, origins, asked, formats, named, mode)
        if not asked:
            return self.selects.compile(select, origins[0], formats, mode)
        (relation, alias), *further = origins[0]
        self.selects.need_bound(relation, clause.this)
        first = Origin(relation, alias, clause.this, tuple(each for each, _ in further))
        return self._kept(select, first, asked, formats, named, mode)

    def _joined(
        self,
        select: exp.Select,
        nodes: list[exp.Expression],
        origins: list[list[tuple[Relation, str]]],
        asked: list[Asked],
        formats: Extracted,
        named: Mapping[str, Named],
        mode: str | None,
    ) -> list[SelectRelation]:
        """Compile a SELECT with joins."""
        sources = []
        for node, found in zip(nodes, origins, strict=True):
            (relation, alias), *further = found
            for each, _ in found:
                self.selects.need_bound(each, node)
            sources.append(Origin(relation, alias, node, tuple(each for each, _ in further)))
        select = self._with_sliding(select, sources)
        joins = zip(select.args["joins"], sources[1:], strict=True)
        relation, where = self.joins.compile(sources[0], list(joins), formats.where, mode)
        if asked:
            said = formats.where
            first = Origin(relation, _THE_JOIN, nodes[0])
            return self._kept(select, first, asked, replace(formats, where=where), named, mode, said)
        if select.args.get("mode") is None:
            mode = Mode.TABLE if relation.table else Mode.STREAM
        return self.selects.compile(select, [(relation, _THE_JOIN)], replace(formats, where=where), mode)

    def _kept(
        self,
        select: exp.Select,
        first: Origin,
        asked: list[Asked],
        formats: Extracted,
        named: Mapping[str, Named],
        mode: str | None,
        said: exp.Expression | None = None,
    ) -> list[SelectRelation]:
        """Compile a SELECT whose WHERE asks whether other sources have rows; `said`: all that WHERE says besides."""
        where = formats.where
        said = said or where
        for each in asked:
            at_once = mode == Mode.STREAM or first.relation.table is False
            found = self._other(each, first, said, named, at_once=at_once)
            if found is None:
                return []
            kept, where = self.joins.kept(first, found, each, where, mode)
            first = Origin(kept, first.alias, first.node)
        if select.args.get("mode") is None:
            mode = Mode.TABLE if first.relation.table else Mode.STREAM
        source = first.relation, first.alias
        return self.selects.compile(select, [source], replace(formats, where=where), mode)

    def _other(
        self,
        asked: Asked,
        first: Origin,
        where: exp.Expression | None,
        named: Mapping[str, Named],
        *,
        at_once: bool,
    ) -> Found | None:
        """Give what a condition compares of another source, each value once; None if something in it is wrong.

        `at_once`: rows of a stream look it up, each at its time, so that changes cannot wait for a commit.
        """
        plain = asked.plain
        rows = [] if plain is None else self._rows_of(plain.args["from_"].this, plain, named)
        if plain is not None and rows and self.selects.aggregates(plain, rows[0][0]):
            plain = None
        need_plain(asked, plain)
        source = table_of(asked.query) if plain is None else plain.args["from_"].this
        rows = self._rows_of(source, None, named) if plain is None else rows
        if not rows:
            return None
        relation, alias = rows[0]
        outside, other = names_over(first.relation, first.alias), Scope(relation, alias)
        windowed = windows_below(first.relation) is not None and windows_below(relation) is not None
        if windowed and plain is not None:
            sides = first, Origin(relation, alias, source)
            found = compared(asked, other, outside)
            self._need_no_nulls(asked, found, where, outside, other)
            return self._in_windows(asked, found, sides, named)
        if relation.table is False or (plain is not None and plain.args.get("mode") == Mode.STREAM):
            message = f"`{alias}` is a stream: whether it has such a row is not known before its end"
            way_out = "read it as a table (`SELECT TABLE`), or write a JOIN that says how far apart rows may be: `WITHIN 10m`"
            raise refusal(codes.BAD_JOIN, message, nearest_span(asked.node), way_out)
        found = self._columns_of(asked, relation) if plain is None else compared(asked, other, outside)
        self._need_no_nulls(asked, found, where, outside, other)
        own = self.branches(query_for(source, found, Mode.TABLE, once=False), named)
        if len(own) == 1 and self.joins.tells_apart(own[0], found):
            return Found(own[0], found)
        emit = self.selects.emit
        self.selects.emit = Emit.RECORD if at_once else emit
        try:
            once = self.branches(query_for(source, found, Mode.TABLE, once=True), named) if own else []
        finally:
            self.selects.emit = emit
        return Found(once[0], found) if once else None

    def _need_no_nulls(
        self,
        asked: Asked,
        found: Compared,
        where: exp.Expression | None,
        outside: Scope | JoinNames,
        other: Scope,
    ) -> None:
        """Refuse NOT IN of values that may be null."""
        typer, source = self.selects.typer, self.selects.source
        need_no_nulls(
            asked, found, where, Expressions(outside, typer, source), Expressions(other, typer, source)
        )

    def _in_windows(
        self,
        asked: Asked,
        found: Compared,
        sides: tuple[Origin, Origin],
        named: Mapping[str, Named],
    ) -> Found | None:
        """Give what a condition compares of the rows of equal windows, each value once in a window."""
        window, bounds = self.joins.window_of(asked, found, *sides)
        cut = windows_below(sides[1].relation)
        assert cut is not None
        source = sides[1].node
        if asked.negated:
            # A row without a partner comes out once, whatever the others have.
            rows = self.branches(query_for(source, found, Mode.STREAM, once=False), named)
            return Found(rows[0], found, window) if rows else None
        emit, self.selects.emit = self.selects.emit, Emit.RECORD
        try:
            rows = self.branches(first_in_windows(source, found, bounds, cut.window), named)
        finally:
            self.selects.emit = emit
        return Found(rows[0], found, window) if rows else None

    def _rows_of(
        self, source: exp.Expression, plain: exp.Select | None, named: Mapping[str, Named]
    ) -> list[tuple[Relation, str]]:
        """Give the rows that a condition asks for, read as a table."""
        where = plain.args.get("where") if plain is not None else None
        formats = extract_formats(where.this if where is not None else None)
        outside = self._bare, self._table
        self._bare, self._table = Mode.TABLE, True
        try:
            return self._source(source, named, formats, whole=False)
        finally:
            self._bare, self._table = outside

    @staticmethod
    def _columns_of(asked: Asked, relation: Relation) -> Compared:
        """Compare the values of IN with the columns that a query gives."""
        names = field_names(relation.type_of(Facet.VALUE))
        need_columns(asked, len(names))
        columns = [exp.column(name, quoted=True) for name in names]
        return Compared(list(zip(asked.values, columns, strict=True)))

    def _with_sliding(self, select: exp.Select, sources: list[Origin]) -> exp.Select:
        """Take GROUP BY SLIDING without an aggregate for WITHIN of the join, which it was in 2018."""
        group = select.args.get("group")
        window = group.expressions[0] if group is not None and len(group.expressions) == 1 else None
        if not isinstance(window, Window) or window.args["kind"] != "SLIDING" or len(sources) != 2:
            return select
        if select.args["joins"][0].args.get("within") is not None or self.selects.aggregates(
            select, sources[0].relation
        ):
            return select
        found = select.copy()
        found.set("group", None)
        found.args["joins"][0].set("within", Within(this=window.args["size"].copy()))
        return found

    def _source(
        self, origin: exp.Expression, named: Mapping[str, Named], formats: Extracted, *, whole: bool
    ) -> list[tuple[Relation, str]]:
        """Give the rows that a name or query of FROM or JOIN stands for, each branch with its name.

        `whole`: as every thread reads them, all partitions of a topic.
        """
        outside, self._whole = self._whole, whole
        try:
            return self._read(origin, named, formats)
        finally:
            self._whole = outside

    def _read(
        self, origin: exp.Expression, named: Mapping[str, Named], formats: Extracted
    ) -> list[tuple[Relation, str]]:
        alias = origin.alias_or_name
        if isinstance(origin, exp.Subquery):
            inner: list[Relation] = list(self.branches(origin.this, named))
            return [(relation, origin.alias or "the query") for relation in inner]
        if isinstance(origin, MatchRecognize):
            return self._matches(origin, named, formats)
        if not isinstance(origin, exp.Table) or not isinstance(origin.this, exp.Identifier):
            call = origin.this if isinstance(origin, exp.Table) else None
            if isinstance(call, exp.Anonymous) and str(call.this).upper() == "GLOBAL":
                message, way_out = "GLOBAL stands before TABLE", "write `JOIN GLOBAL TABLE (SELECT …)`"
                raise refusal(codes.BAD_JOIN, message, nearest_span(origin), way_out)
            raise refusal(codes.NOT_YET, "a function cannot be read as a stream", nearest_span(origin))
        name, span = origin.this.name, span_of(origin.this)
        if name in self.broken:
            return []
        if name in named:
            return [(relation, alias) for relation in self._with(named[name], named)]
        topic = self._topic(name, span, named, formats)
        return [(as_table(topic) if self._table or self._whole else topic, alias)]

    def _matches(
        self, origin: MatchRecognize, named: Mapping[str, Named], formats: Extracted
    ) -> list[tuple[Relation, str]]:
        """Give the matches of a pattern. Whatever reads them, it takes the rows of a stream."""
        outside, self._table, self._bare = (self._table, self._bare), False, None
        try:
            rows = self._read(origin.this, named, formats)
        finally:
            self._table, self._bare = outside
        if not rows:
            return []
        if len(rows) > 1:
            message = "a pattern takes the rows of one source, not of a UNION ALL"
            way_out = "write the union to a topic of its own with INSERT INTO, and read that"
            raise refusal(codes.NOT_YET, message, nearest_span(origin.this), way_out)
        patterns = Patterns(self.selects.typer, self.selects.names, self.selects.source, self.faults)
        found = patterns.compile(origin, *rows[0])
        return [] if found is None else [(found, origin.alias or "the match")]

    def _with(self, entry: Named, named: Mapping[str, Named]) -> list[Relation]:
        # What stands before it in the text is all that it may use, itself excluded.
        before = {}
        for name, other in named.items():
            if name == entry.name:
                break
            before[name] = other
        known = self._shared.get(id(entry.query))
        if known is not None:
            return list(known)
        self._open.append(entry.name)
        try:
            found = self.branches(entry.query, before)
        finally:
            self._open.pop()
        self._share(entry, found)
        return list(found)

    def _share(self, entry: Named, found: list[SelectRelation]) -> None:
        if any(isinstance(branch.reads, OperatorDraft) for branch in found):
            self._shared[id(entry.query)] = found

    def _topic(
        self, name: str, span: Span | None, named: Mapping[str, Named], formats: Extracted
    ) -> TopicRelation:
        if name in self._open:
            message = f"`{name}` reads itself"
            raise refusal(codes.FORWARD_REFERENCE, message, span)
        window, key = None, None
        if formats.key:
            window, plain = windowed_name(formats.key.name)
            key = format_named(plain, formats.key.span)
        value = format_named(formats.value.name, formats.value.span) if formats.value else None
        reads = self.topics.read(name, span, key, value)
        if reads is not None:
            if window is not None:
                _put_window(reads, window, span)
            return TopicRelation(self.topics.whole(reads) if self._whole else reads)
        if name.upper() == "GLOBAL":
            message = "there is no topic `GLOBAL`"
            raise refusal(catalog_codes.UNKNOWN_TOPIC, message, span, "write `JOIN GLOBAL TABLE name`")
        later = self.topics.later_names
        if name in later:
            message = f"`{name}` is used before it is defined"
            raise refusal(codes.FORWARD_REFERENCE, message, span, "move its WITH up")
        if name in self.topics.declared:
            message = f"`{name}` is declared, but there is no such topic"
            way_out = (
                f"a declaration says what a topic holds; `headrace topics create {name}` makes the topic"
            )
            raise refusal(catalog_codes.UNKNOWN_TOPIC, message, span, way_out)
        known = [*named, *self.topics.all_names()]
        message = f"there is no topic `{name}`"
        raise refusal(catalog_codes.UNKNOWN_TOPIC, message, span, did_you_mean(name, known))


def _put_window(reads: TopicReads, window: Windowing, span: Span | None) -> None:
    """Read the keys of a topic with the windows that the query says they have behind them."""
    topic = reads.topic
    if topic.key.window is window:
        return
    if topic.key.window is not None or reads.columns:
        message = f"the keys of `{topic.name}` have other windows behind them elsewhere in the program"
        raise refusal(codes.AMBIGUOUS_SOURCE_FORMAT, message, span)
    reads.topic = replace(topic, key=windowed(topic.key, window))


def _named(entry: exp.Expression, *, recursive: bool) -> Named:
    alias = entry.args["alias"]
    place = span_of(alias.this) or Span(0, 0)
    columns = tuple(alias.args.get("columns") or ())
    return Named(entry.alias, entry.this, place, place, columns, recursive)


def _refuse_shape(entry: Named) -> None:
    """Refuse what a WITH of a snapshot query may have and a stream may not."""
    if entry.recursive:
        message = "a stream has no end that a recursion could reach"
        raise refusal(codes.NOT_YET, message, entry.name_span, "leave out RECURSIVE")
    if entry.columns:
        message = "a name in WITH takes no list of columns in a stream"
        raise refusal(codes.NOT_YET, message, span_of(entry.columns[0]), "name the columns inside, by `AS`")
