"""The joins of a SELECT, from left to right: each becomes an operator over what stands on its left and the next source."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from sqlglot import exp

from headrace.errors import Diagnostic, ProgramError, Severity
from headrace.errors.codes import plan as codes
from headrace.plan.operators import Changes, JoinKind
from headrace.plan.topology import Facet
from headrace.planner.expressions import Expressions
from headrace.planner.faults import refusal
from headrace.planner.joins.clauses import is_comma, kind_of, need_filter, refuse_grace
from headrace.planner.joins.clauses import within as within_of
from headrace.planner.joins.conditions import Conditions, Key, add_part, key_of, split
from headrace.planner.joins.draft import JoinDraft, JoinRelation, SideRows, Sort
from headrace.planner.joins.foreign import need_identity, restored
from headrace.planner.joins.intervals import interval_of
from headrace.planner.joins.intervals import within as said_by
from headrace.planner.joins.names import JoinNames
from headrace.planner.joins.placement import is_key, is_of_key, is_single, place
from headrace.planner.joins.semi import OTHER, KeptRows
from headrace.planner.joins.sorts import sides, sort_of
from headrace.planner.joins.windows import in_windows, join_window
from headrace.planner.laterals import need_single_rows
from headrace.planner.relations import SelectRelation, TopicReads
from headrace.planner.rules.extract_formats import conjuncts
from headrace.planner.scope import Scope
from headrace.planner.stateful.calls import brought
from headrace.planner.stateful.drafts import Branch, FeedDraft, need_old_rows, only_identity
from headrace.planner.stateful.formats import formats_of
from headrace.planner.stateful.grouping import refuse_aggregates
from headrace.planner.stateful.table import deletion, materialised
from headrace.planner.window_rows import bound_of
from headrace.sql.nodes import Join, Mode
from headrace.sql.spans import nearest_span, set_span, span_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.errors import Source
    from headrace.plan.operators import JoinWindow
    from headrace.planner.duckdb_types import Typer
    from headrace.planner.faults import Faults
    from headrace.planner.joins.semi import Asked, Compared, Found
    from headrace.planner.relations import Names, Relation
    from headrace.planner.typed import Typed

_KEEP_LEFT: Final = (JoinKind.INNER, JoinKind.LEFT)
"""Kinds of which no row comes out without a row of the left side."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Something that a FROM or JOIN names: its rows, its name, its text, and the other branches of a UNION ALL."""

    relation: Relation
    alias: str
    node: exp.Expression
    further: tuple[Relation, ...] = ()


@dataclass(slots=True)
class _Side:
    """One side of a join before it: what was joined so far, or a source."""

    relation: Relation
    scopes: list[Scope]
    shown: str
    node: exp.Expression | None = None
    merged: dict[str, Typed] = field(default_factory=dict)
    hidden: set[tuple[str, str]] = field(default_factory=set)
    conditions: list[exp.Expression] = field(default_factory=list)
    further: tuple[Relation, ...] = ()
    joined: bool = False
    """It is a join that is behind: `_key` is that of its rows."""

    def names(self) -> JoinNames:
        """Give what names mean over its rows."""
        return JoinNames(self.scopes, self.relation, self.merged, self.hidden, joined=self.joined)


@dataclass(slots=True)
class Joins:
    """Compiles the joins of SELECTs.

    Args:
        typer: asks DuckDB for types.
        names: makes the names of columns.
        source: the text, for messages.
        faults: takes warnings.
    """

    typer: Typer
    names: Names
    source: Source
    faults: Faults

    def compile(
        self,
        first: Origin,
        others: Sequence[tuple[Join, Origin]],
        where: exp.Expression | None,
        mode: str | None,
    ) -> tuple[JoinRelation, exp.Expression | None]:
        """Give the rows of all joins, and what is left of WHERE.

        Args:
            first: what FROM names.
            others: the joins in the order of the text, each with its source.
            where: conditions on the result; those that rows of one side alone must meet go into that side.
            mode: the word after SELECT; None if there is none.

        Raises:
            ProgramError: what is wrong.
        """
        rest = conjuncts(where)
        side = _side(first)
        seen = {first.alias}
        for index, (node, origin) in enumerate(others):
            if origin.alias in seen:
                message = f"two sources are called `{origin.alias}`"
                way_out = f"give one of them another name: `{origin.alias} AS other`"
                raise refusal(codes.NAME_TWICE, message, span_of(origin.node), way_out)
            seen.add(origin.alias)
            later = [kind_of(other) for other, _ in others[index + 1 :]]
            keeps = all(kind in _KEEP_LEFT for kind in later)
            side, rest = self._joined(side, node, origin, rest, mode, first=index == 0, keeps=keeps)
        assert isinstance(side.relation, JoinRelation)
        return side.relation, _all(rest)

    def kept(
        self,
        first: Origin,
        found: Found,
        asked: Asked,
        where: exp.Expression | None,
        mode: str | None,
    ) -> tuple[Relation, exp.Expression | None]:
        """Give the rows of a source of which another one has a row, or has none; and what is left of WHERE.

        Args:
            first: the source; rows of a join keep the names of their sources.
            found: what is compared of the other one.
            asked: the condition.
            where: other conditions on the source.
            mode: the word after SELECT; None if there is none.

        Raises:
            ProgramError: what is wrong.
        """
        compared, pairs = found.compared, []
        for (mine, theirs), name in zip(compared.pairs, compared.names, strict=True):
            column, said = exp.column(name, quoted=True), nearest_span(theirs)
            if said is not None:
                set_span(column, said)
            pairs.append(exp.EQ(this=mine.copy(), expression=column))
        node = Join(this=exp.to_table(OTHER), pairs=pairs)
        node.set(*(("side", "LEFT") if asked.negated else ("kind", "INNER")))
        place = nearest_span(asked.node)
        if place is not None:
            set_span(node, place)
        origin = Origin(found.rows, OTHER, node.this)
        side, rest = self._joined(
            _side(first), node, origin, conjuncts(where), mode, first=True, keeps=True, window=found.window
        )
        joined = side.relation
        assert isinstance(joined, JoinRelation)
        draft = joined.reads
        if isinstance(draft, JoinDraft) and draft.sort is not Sort.TABLES:
            draft.keep_key()
        *own, others = joined.scopes
        missing: tuple[exp.Expression, ...] = ()
        if asked.negated:
            value = others.relation.pull(Facet.VALUE, (compared.names[0],))
            missing = (exp.Is(this=value.node, expression=exp.Null()),)
            need_old_rows(joined)
        if isinstance(first.relation, JoinRelation):
            return replace(joined, scopes=own, where=missing), _all(rest)
        rows: Relation = KeptRows(draft, scope=own[0])
        if missing:
            rows = SelectRelation(rows, (), missing, (), self.names, star=True, table=rows.table)
        return rows, _all(rest)

    def window_of(
        self, asked: Asked, compared: Compared, outside: Origin, other: Origin
    ) -> tuple[JoinWindow, list[str | None]]:
        """Give the window in which rows meet, and of which parts of the other side it is `start` or `end`.

        Raises:
            ProgramError: the windows of both sides differ, or are not compared.
        """
        mine, theirs = (self._within(_side(each).names()) for each in (outside, other))
        key = key_of(compared.pairs, mine, theirs)
        window = join_window(asked.node, key, outside.relation, other.relation)
        bounds = [bound_of(other.relation, part.node) for part in key.said[1]]
        return window, bounds

    def tells_apart(self, other: Relation, compared: Compared) -> bool:
        """Say whether what is compared of a table comes once by itself: it is what tells its rows apart."""
        rows = SelectRelation(other, (), (), (), self.names, star=True, table=True)
        return is_key(rows, [other.pull(Facet.VALUE, (name,)) for name in compared.names])

    def _joined(
        self,
        left: _Side,
        node: Join,
        origin: Origin,
        where: list[exp.Expression],
        mode: str | None,
        *,
        first: bool,
        keeps: bool,
        window: JoinWindow | None = None,
    ) -> tuple[_Side, list[exp.Expression]]:
        join = kind_of(node)
        right = _side(origin)
        whole = bool(node.args.get("broadcast"))
        if whole:
            self._need_topic(node, right, mode)
        else:
            node, where = self._by_time(node, join, (left, right), where, mode)
        tables = sides(node, join, mode, (left.relation.table, True if whole else right.relation.table))
        unions = left.further or right.further
        windowed = window is not None or (not unions and in_windows(node, left.relation, right.relation))
        sort = sort_of(node, join, tables, mode, (left.shown, right.shown), windowed=windowed)
        if sort is not Sort.STREAMS:
            refuse_grace(node)
        for side, table in zip((left, right), tables, strict=True):
            if table and side.further:
                message = f"`{side.shown}` is a UNION ALL, which has no key to tell rows apart by"
                way_out = "write it to a topic with INSERT INTO, and join that"
                raise refusal(codes.BAD_JOIN, message, nearest_span(side.node or node), way_out)
        for side, table in zip((left, right), tables, strict=True):
            if table:
                need_single_rows(side.relation)
            if table and side.relation.table is None:
                if mode is None:
                    self._warn(side)
                side.relation = as_table(side.relation)
                side.scopes = [Scope(side.relation, side.shown)]
        both = JoinNames([*left.scopes, *right.scopes], left.relation, left.merged, left.hidden, joined=False)
        pairs = node.args.get("pairs")
        on = conjuncts(node.args.get("on"))
        found = (
            split(on, both) if pairs is None else Conditions([(part.this, part.expression) for part in pairs])
        )
        table_at = 0 if tables[0] else 1
        matching: list[exp.Expression] = []
        if sort is Sort.LOOKUP and join is not JoinKind.INNER:
            # A row of the stream meets one of the table at most: what it does not meet for these is as if it were not there.
            self._only_key(found, (left, right)[table_at], table_at)
            matching = [*(found.right if tables[0] else found.left), *found.both]
            found.both = []
            found.left, found.right = (found.left, []) if tables[0] else ([], found.right)
        self._own_conditions(join, found, left, right)
        below = left if first and keeps and join in _KEEP_LEFT else None
        after = right if keeps and join in (JoinKind.INNER, JoinKind.RIGHT) else None
        where = self._from_where(found if is_comma(node) else None, where, both, below, after)
        if sort is Sort.LOOKUP and join is JoinKind.INNER and keeps:
            self._only_key(found, (left, right)[table_at], table_at)
        if found.both:
            need_filter(join, found.both, keeps=keeps)
            where = [*found.both, *where]
        key = self._key(node, found, left, right)
        if sort is Sort.TABLES:
            self._kept(node, left, key.said[0])
            self._kept(node, right, key.said[1])
            key = self._key(node, found, left, right)
        elif sort is Sort.LOOKUP:
            self._need_key(node, (left, right)[table_at], key.said[table_at])
        relation = self._operator(node, join, sort, (left, right), key, tables, found, window)
        if matching:
            self._match(relation, matching)
        shown = f"{left.shown} and {right.shown}"
        return _Side(relation, relation.scopes, shown, None, relation.merged, relation.hidden), where

    def _by_time(
        self,
        node: Join,
        join: JoinKind,
        both: tuple[_Side, _Side],
        where: list[exp.Expression],
        mode: str | None,
    ) -> tuple[Join, list[exp.Expression]]:
        """Take conditions that say between which times rows of two streams meet for WITHIN."""
        known = [side.relation.table for side in both]
        if node.args.get("within") is not None or True in known or (mode != Mode.STREAM and None in known):
            return node, where
        if both[0].further or both[1].further:
            return node, where
        on = conjuncts(node.args.get("on"))
        parts = [*on, *where] if join is JoinKind.INNER else on
        sides = both[0].relation, both[1].relation
        names = [self._within(side.names()) for side in both]
        found = interval_of(parts, sides, lambda side, part: names[side].value(part))
        said = said_by(found)
        if said is None:
            return node, where
        length, exact = said
        if found.is_empty:
            message = "no time lies in the interval, so no row finds a partner"
            place, way_out = nearest_span(found.conditions[0]), "the earlier bound comes first"
            self.faults.add([Diagnostic(codes.JOIN_CONDITION, message, place, way_out, (), Severity.WARNING)])
        if not exact and join is not JoinKind.INNER:
            message = f"in a {join.name} JOIN the interval of times contains the time of the row itself"
            way_out = "let it reach from before to after, and filter the result; or write an INNER JOIN"
            raise refusal(codes.JOIN_CONDITION, message, nearest_span(found.conditions[0]), way_out)
        taken = found.conditions if exact else ()
        made = node.copy()
        made.set("within", length)
        left = [part for part in on if not any(part is other for other in taken)]
        made.set("on", _all(left) if left else None)
        return made, [part for part in where if not any(part is other for other in taken)]

    def _warn(self, side: _Side) -> None:
        message = f"`{side.shown}` is read as a table: of each key the latest record counts, and records without a key do not"
        way_out = "write SELECT STREAM to join each record, or SELECT TABLE to say that this is meant"
        assert side.node is not None
        place = span_of(side.node.this) or span_of(side.node)
        self.faults.add([Diagnostic(codes.READ_AS_A_TABLE, message, place, way_out, (), Severity.WARNING)])

    # Conditions

    def _from_where(
        self,
        comma: Conditions | None,
        where: list[exp.Expression],
        both: JoinNames,
        left: _Side | None,
        right: _Side | None,
    ) -> list[exp.Expression]:
        """Take the conditions of WHERE that concern this join; give the others.

        Args:
            comma: takes equalities, where the join has none of its own.
            where: the conditions.
            both: names of both sides.
            left: takes conditions on its rows alone; None where rows that fail them play a part in the result.
            right: the same.
        """
        rest: list[exp.Expression] = []
        for part in where:
            refuse_aggregates(part, "WHERE", self._within(both))
            try:
                given = split([part], both)
            except ProgramError:
                # It names a source further on, or an element of LATERAL; what means nothing at all is found by the SELECT.
                rest.append(part)
                continue
            if comma is not None and given.pairs:
                comma.pairs += given.pairs
            elif given.left and left is not None:
                left.conditions.append(part)
            elif given.right and right is not None:
                right.conditions.append(part)
            else:
                rest.append(part)
        return rest

    @staticmethod
    def _own_conditions(join: JoinKind, found: Conditions, left: _Side, right: _Side) -> None:
        """Let conditions of ON on one side alone choose the rows of that side."""
        for side, parts, preserving in (
            (left, found.left, (JoinKind.LEFT, JoinKind.FULL)),
            (right, found.right, (JoinKind.RIGHT, JoinKind.FULL)),
        ):
            if parts and join in preserving:
                message = (
                    f"a condition on `{side.shown}` alone cannot stand in ON of a {join.name} JOIN in a stream: "
                    "rows that fail it would come out without a partner"
                )
                way_out = "write it in WHERE, if they are not to come out at all; else `CASE WHEN … THEN x END = y` in ON"
                raise refusal(codes.JOIN_CONDITION, message, nearest_span(parts[0]), way_out)
            side.conditions += parts

    # Key

    def _key(self, node: Join, found: Conditions, left: _Side, right: _Side) -> Key:
        within = self._within(left.names()), self._within(right.names())
        key = key_of(found.pairs, *within)
        for name in node.args.get("using") or ():
            values = within[0].value(exp.column(name.copy())), within[1].value(exp.column(name.copy()))
            shown = f"{left.shown}.{name.name}", f"{right.shown}.{name.name}"
            add_part(key, name.name, values, shown, span_of(name))
        if key.names:
            return key
        if node.args.get("on") is not None or is_comma(node):
            message = f"nothing in the join makes a row of `{left.shown}` equal to one of `{right.shown}`"
            place = nearest_span(node.args.get("on") or node)
            way_out = f"write an equality between both sides: `ON {left.shown}.x = {right.shown}.y`"
            raise refusal(codes.JOIN_CONDITION, message, place, way_out)
        mine, theirs = left.relation.pull(Facet.KEY, ()), right.relation.pull(Facet.KEY, ())
        add_part(
            key, "_key", (mine, theirs), (f"{left.shown}._key", f"{right.shown}._key"), nearest_span(node)
        )
        return key

    def _within(self, names: JoinNames) -> Expressions:
        return Expressions(names, self.typer, self.source)

    # The operator

    def _operator(
        self,
        node: Join,
        join: JoinKind,
        sort: Sort,
        both: tuple[_Side, _Side],
        key: Key,
        tables: tuple[bool, bool],
        found: Conditions,
        window: JoinWindow | None,
    ) -> JoinRelation:
        rows = tuple(self._rows(side, table) for side, table in zip(both, tables, strict=True))
        unique = [is_key(found, parts) for found, parts in zip(rows, key.said, strict=True)]
        feeds = []
        for index, (each, table, single) in enumerate(zip(rows, tables, unique, strict=True)):
            parts = (key.left, key.right)[index]
            feeds.append(_feed(each, parts, table=table, single=single))
            feeds[-1].branches += self._further(node, both[index], index, found, parts)
            for branch in feeds[-1].branches:
                branch.words = [*key.names]
        key_format, value_format = formats_of(feeds[0].branches[0].rows, key.left)
        whole = bool(node.args.get("broadcast"))
        if whole:
            key_format = rows[0].reads.key_format
        order = (0, 1)
        if sort is Sort.LOOKUP and tables[0]:
            order = (1, 0)
            join = JoinKind.LEFT if join is JoinKind.RIGHT else join
        feeds = [feeds[index] for index in order]
        for feed, label in zip(feeds, ("left", "right"), strict=True):
            feed.label = label
        if not whole:
            place(feeds[0], feeds[1], join)
        elif both[0].further:
            # Several topics feed one operator by way of one that they are sent to.
            feeds[0].repartition = max(reads.partitions for reads in feeds[0].reads)
        within = None
        if sort is Sort.STREAMS:
            left, right = (each.source for each in rows)
            if window is None and node.args.get("within") is None:
                window = join_window(node, key, left, right)
            within = within_of(node, window)
        draft = JoinDraft(
            self.names,
            feeds,
            key_format,
            value_format,
            sort=sort,
            join=join,
            within=within,
            key_names=key.names,
            broadcast=whole,
        )
        scopes = []
        for index, side in enumerate(both):
            for scope in side.scopes:
                rows_of = SideRows(draft, order.index(index), scope.relation, scope.alias, None, side.further)
                scopes.append(Scope(rows_of, scope.alias))
        relation = JoinRelation(draft, scopes=scopes)
        relation.hidden |= both[0].hidden
        for name, column in both[0].merged.items():
            relation.merged[name] = draft.carry(order.index(0), column, name)
        for part in node.args.get("using") or ():
            relation.merged[part.name] = draft.key_part(key.names.index(part.name))
            relation.hidden |= {(scope.alias, part.name) for scope in both[1].scopes}
        if sort is Sort.TABLES and not all(unique):
            labels = both[0].scopes[0].alias, both[1].scopes[0].alias
            # The one row of an aggregate without groups is met at most once, whatever it is joined on.
            once = unique[0] or is_single(rows[0]), unique[1] or is_single(rows[1])
            return restored(relation, draft, (rows[0], rows[1]), labels, once, self.names)
        return relation

    def _further(
        self, node: Join, side: _Side, index: int, found: Conditions, key: list[Typed]
    ) -> list[Branch]:
        """Draft the other branches of a UNION ALL that is the left (0) or right (1) side."""
        branches = []
        for relation in side.further:
            again = _Side(relation, [Scope(relation, side.shown)], side.shown, conditions=side.conditions)
            within = self._within(again.names())
            parts = [within.value(pair[index]) for pair in found.pairs]
            parts += [within.value(exp.column(name.copy())) for name in node.args.get("using") or ()]
            parts = parts or [relation.pull(Facet.KEY, ())]
            keys = [brought(part, kind.type) for part, kind in zip(parts, key, strict=True)]
            branches.append(Branch(self._rows(again, table=False), keys, []))
        return branches

    @staticmethod
    def _need_topic(node: Join, side: _Side, mode: str | None) -> None:
        """Refuse to read anything but a topic as a table that is whole in every thread."""
        place = span_of(node.this) or nearest_span(node)
        if mode == Mode.TABLE:
            message = "a GLOBAL TABLE is joined with a stream, and SELECT TABLE reads tables"
            raise refusal(codes.BAD_JOIN, message, place, "write SELECT STREAM, or leave out GLOBAL TABLE")
        reads = side.relation.reads
        if side.relation.table is False or not isinstance(reads, TopicReads) or not reads.broadcast:
            message = f"`{side.shown}` is no table of a topic, so it cannot be read whole everywhere"
            raise refusal(
                codes.BAD_JOIN, message, place, "write it to a topic with INSERT INTO, and join that"
            )

    def _only_key(self, found: Conditions, side: _Side, index: int) -> None:
        """Look up by the key of the table alone; equalities beside it filter the result.

        Args:
            found: the conditions; those of the key stay pairs.
            side: the table.
            index: whether it is the left (0) or the right one.
        """
        rows = self._rows(side, table=True)
        within = self._within(side.names())
        of_key = [is_of_key(rows, within.value(pair[index])) for pair in found.pairs]
        if all(of_key) or not any(of_key):
            return
        others = [pair for pair, fits in zip(found.pairs, of_key, strict=True) if not fits]
        found.both += [exp.EQ(this=mine.copy(), expression=theirs.copy()) for mine, theirs in others]
        found.pairs = [pair for pair, fits in zip(found.pairs, of_key, strict=True) if fits]

    def _match(self, relation: JoinRelation, conditions: list[exp.Expression]) -> None:
        """Let rows of a table that was looked up count only where conditions are met."""
        within = self._within(JoinNames(relation.scopes, relation, relation.merged, joined=False))
        met = _all([exp.Paren(this=within.condition(part, "ON")) for part in conditions])
        for scope in relation.scopes:
            if isinstance(scope.relation, SideRows) and scope.relation.side == 1:
                scope.relation.when = met

    def _need_key(self, node: Join, side: _Side, key: list[Typed]) -> None:
        """Refuse to look up rows of a table by something that is not its key."""
        rows = self._rows(side, table=True)
        if is_key(rows, key):
            return
        need_identity(rows, side.shown, nearest_span(node.args.get("on") or node))
        message = f"`{side.shown}` is looked up by something other than its key, which tells its rows apart"
        way_out = f"join on `{side.shown}._key`, or write the table to a topic with that key first"
        raise refusal(codes.JOIN_CONDITION, message, nearest_span(node.args.get("on") or node), way_out)

    def _kept(self, node: Join, side: _Side, key: list[Typed]) -> None:
        """Let a table that is not joined on its key be kept, so that its old rows can be taken back."""
        rows = self._rows(side, table=True)
        if is_key(rows, key):
            return
        place = nearest_span(node.args.get("on") or node)
        if rows.has_kinds:
            need_identity(rows, side.shown, place)
            need_old_rows(rows)
            return
        side.relation = materialised(rows, self.names, place)
        side.scopes = [Scope(side.relation, side.shown)]
        side.conditions = []

    def _rows(self, side: _Side, table: bool) -> SelectRelation:
        """Give the rows of a side that go into the join."""
        within = self._within(side.names())
        where = []
        for part in side.conditions:
            refuse_aggregates(part, "ON", within)
            where.append(within.condition(part, "ON"))
        relation = side.relation
        if isinstance(relation, JoinRelation):
            where += relation.where
        keep: tuple[exp.Expression, ...] = ()
        if table and not relation.has_kinds and not relation.table:
            keep = (_has_key(relation),)
        if table and relation.has_kinds and not only_identity(relation, where):
            need_old_rows(relation)
        return SelectRelation(relation, (), tuple(where), keep, self.names, star=table, table=table)


def _side(origin: Origin) -> _Side:
    relation = origin.relation
    if isinstance(relation, JoinRelation):
        return _Side(
            relation,
            relation.scopes,
            origin.alias,
            origin.node,
            relation.merged,
            relation.hidden,
            joined=True,
        )
    return _Side(relation, [Scope(relation, origin.alias)], origin.alias, origin.node, further=origin.further)


def _feed(rows: SelectRelation, key: list[Typed], *, table: bool, single: bool) -> FeedDraft:
    """Draft the input of a join. `single`: a table of which each key has one row."""
    if not table:
        return FeedDraft([Branch(rows, key, [])])
    if not single:
        return FeedDraft([Branch(rows, key, [])], Changes.RETRACT)
    op = None if rows.has_kinds else deletion(rows)
    return FeedDraft([Branch(rows, key, [], op)], Changes.UPSERT)


def _all(parts: Sequence[exp.Expression]) -> exp.Expression | None:
    """Give the condition that all of these are met; None for none."""
    found: exp.Expression | None = None
    for part in parts:
        found = part if found is None else exp.And(this=found, expression=part)
    return found


def as_table(relation: Relation) -> Relation:
    """Give rows that no word calls a stream or a table as those of a table."""
    if not isinstance(relation, SelectRelation) or relation.table is not None:
        return relation
    return replace(
        relation,
        source=as_table(relation.source),
        keep=(*relation.keep, _has_key(relation.source)),
        table=True,
    )


def _has_key(relation: Relation) -> exp.Expression:
    """Give the condition that a record has a key: a table has no rows without."""
    size = relation.pull(Facet.META, ("__keysize",)).node
    return exp.Not(this=exp.Is(this=size, expression=exp.Null()))
