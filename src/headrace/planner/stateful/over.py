"""Aggregates OVER (… ROWS | RANGE BETWEEN … PRECEDING AND CURRENT ROW): an operator gives each row with their results."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pyarrow as pa
from sqlglot import exp

from headrace.errors.codes import plan as codes
from headrace.formats.interface import Format
from headrace.plan.operators import TIME, AggregateCall, Changes, Feed, Kernel, Order, Over, Stretch
from headrace.plan.topology import Facet
from headrace.planner.clock import fed_by_clock
from headrace.planner.duckdb_types import carried
from headrace.planner.faults import refusal
from headrace.planner.relations import NoSuchField, SelectRelation, pack
from headrace.planner.stateful.aggregate import NEVER_NULL
from headrace.planner.stateful.calls import Calls, is_aggregate
from headrace.planner.stateful.carrying import CarryingDraft, CarryingRelation, alike
from headrace.planner.stateful.composed import COMPOSED, canonical
from headrace.planner.stateful.drafts import (
    OWN_META,
    Branch,
    FeedDraft,
    OperatorDraft,
    need_old_rows,
    only_identity,
    together,
)
from headrace.planner.stateful.formats import formats_of
from headrace.planner.stateful.frames import grace_of
from headrace.planner.stateful.grouping import column_name
from headrace.planner.stateful.picking import picked, picks
from headrace.planner.stateful.rank import brought_value, is_ranking
from headrace.planner.stateful.table import TableDraft
from headrace.planner.typed import Typed
from headrace.sql.spans import nearest_span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.formats.interface import Path
    from headrace.planner.expressions import Expressions
    from headrace.planner.relations import Names
    from headrace.planner.stateful.frames import Frames

_KEY: Final = "key"


@dataclass(slots=True, eq=False)
class OverDraft(CarryingDraft):
    """Each row with the results of aggregates over it and rows before it.

    Args:
        calls: the aggregates; their arguments are the first of the kept columns.
        call_names: what the results are called.
        order: of the rows of a table, of the kept columns.
        preceding: how many rows before each are taken; None: all.
        stretch: the rows are those of a stretch of time instead.
        key_names: what the rows are partitioned by is called.
        keyed: the key of a row tells its part too, so that it is the key of what comes out.
    """

    calls: list[AggregateCall] = field(default_factory=list)
    call_names: dict[int, str] = field(default_factory=dict)
    order: list[Order] = field(default_factory=list)
    preceding: int | None = None
    stretch: Stretch | None = None
    key_names: list[str] = field(default_factory=list)
    keyed: bool = True
    arguments: int = 0

    @property
    def kind(self) -> str:
        """It is an aggregate over rows."""
        return "over"

    @property
    def changes(self) -> Changes:
        """Rows of a stream come out once; those of a table again as soon as a row before them changes."""
        return self.feeds[0].changes

    @property
    def identity(self) -> frozenset[str]:
        """The part and the key of the row."""
        key = self.keep(Facet.KEY, ())
        return frozenset(
            own
            for own, (node, _) in self.columns.items()
            if own in self.placed_by or node.name == key.node.name
        )

    @property
    def placed_by(self) -> tuple[str, ...]:
        """The part."""
        return tuple(f"k{index}" for index in range(len(self.feeds[0].branches[0].key)))

    @property
    def key_type(self) -> pa.DataType:
        """That of the rows, with what they are partitioned by where a row may change its part."""
        return self.key(()).type

    def key(self, path: Path) -> Typed:
        """Give the key of a row, or a part of it."""
        if self.keyed:
            return self.keep(Facet.KEY, path)
        parts = self.parts()
        names = [*self.key_names, _KEY]
        if not path:
            return pack(names, [*parts, self.keep(Facet.KEY, ())])
        if path[0] not in names:
            raise NoSuchField(0, names, pa.struct([]))
        index = names.index(path[0])
        if index == len(parts):
            return self.keep(Facet.KEY, path[1:])
        found = parts[index]
        for name in path[1:]:
            found = found.field(name)
        return found

    def parts(self) -> list[Typed]:
        """Give what rows are partitioned by."""
        key = self.feeds[0].branches[0].key
        return [
            Typed(self.column(name, part.type), part.type, part.nullable)
            for name, part in zip(self.placed_by, key, strict=True)
        ]

    def result(self, index: int) -> Typed:
        """Give the result of a call."""
        call = self.calls[index]
        return Typed(self.column(f"a{index}", call.type), call.type, call.function not in NEVER_NULL)

    def keep_first(self, kept: list[list[Typed]]) -> None:
        """Take in the columns that it needs itself; those that readers have asked for by now come behind them."""
        self.kept = kept
        names = {name: f"v{int(name[1:]) + len(kept)}" for name in self._below}
        self.columns = {names.get(name, name): column for name, column in self.columns.items()}
        self._below = {names[name]: below for name, below in self._below.items()}

    def label(self, name: str) -> str:
        """Give what the program calls a column."""
        if name[0] == "k":
            return self.key_names[int(name[1:])]
        if name[0] == "a":
            return self.call_names.get(int(name[1:]), name)
        shown = CarryingDraft.label(self, name)
        if shown == name and name[0] == "v" and int(name[1:]) < len(self.kept):
            return self.feeds[0].branches[0].words[len(self.key_names) + int(name[1:])]
        return shown

    def kernel(self, feeds: tuple[Feed, ...]) -> Kernel:
        """Give the operator."""
        calls = tuple(
            AggregateCall(
                call.function,
                call.arguments,
                carried(call.type),
                call.distinct,
                call.filter,
                call.limit,
                call.parameter,
            )
            for call in self.calls
        )
        return Over(feeds[0], calls, tuple(self.order), self.preceding, self.arguments, self.stretch)


class OverRelation(CarryingRelation):
    """The rows of such an operator."""

    def pull(self, facet: Facet, path: Path) -> Typed:
        """Give a column of the rows."""
        if facet is Facet.META and path == OWN_META and not self.has_kinds:
            # Each row comes out at its own time.
            return Typed(self.reads.column(TIME, pa.int64()), pa.int64(), nullable=False)
        return CarryingRelation.pull(self, facet, path)


@dataclass(frozen=True, slots=True)
class OverRows:
    """One branch of the rows.

    Args:
        rows: they have no columns of their own, only conditions.
        within: compiles expressions over them.
        time: what their event time is in words of their own; None: the timestamp of the record.
        at: the SELECT, for messages.
    """

    rows: SelectRelation
    within: Expressions
    time: exp.Expression | None
    at: exp.Select


def over_rows(branches: Sequence[OverRows], frames: Frames, names: Names) -> tuple[OverRelation, Calls]:
    """Give the rows of all branches, and what takes the aggregates over them; `complete` ends it.

    Args:
        branches: all of them are taken as one.
        frames: which rows the aggregates are over.
        names: makes the names of columns.

    Raises:
        ProgramError: the order is not that of the stream, or the branches do not go together.
    """
    first = branches[0]
    over_table = any(item.rows.has_kinds for item in branches)
    if over_table:
        frames.need_number(nearest_span(frames.order[0]))
    if not over_table:
        for item in branches:
            _need_order_of_time(frames.order, item)
    keys = _keys(branches, frames)
    _need_key(branches)
    if over_table and len(branches) > 1:
        message = "a UNION ALL of tables has no key to tell its rows apart by"
        way_out = "write it to a topic with INSERT INTO, and read that"
        raise refusal(codes.NOT_YET, message, nearest_span(first.at), way_out)
    feed = FeedDraft([], Changes.RETRACT if over_table else Changes.APPEND)
    for item, key in zip(branches, keys, strict=True):
        need_old_rows(item.rows)
        fact = not item.rows.has_kinds and (over_table or item.rows.source.has_kinds)
        op = exp.cast(exp.Literal.number(1), "TINYINT", dialect="duckdb") if fact else None
        feed.branches.append(Branch(item.rows, key, [], op))
    if len(branches) > 1 or not together(first.rows, keys[0]):
        feed.repartition = max(item.rows.reads.partitions for item in branches) if keys[0] else 1
    whole = [first.rows.source.pull(Facet.KEY, ())]
    key_format, value_format = formats_of(first.rows, whole)
    stretch = None
    if frames.by_time:
        grace = grace_of(first.at, clock=fed_by_clock(feed))
        stretch = Stretch(frames.length, grace)
    draft = OverDraft(
        names,
        [feed],
        key_format,
        value_format,
        preceding=frames.preceding,
        stretch=stretch,
        key_names=[column_name(part, first.within) for part in frames.partition],
        keyed=not over_table or _stays(branches, keys),
    )
    if not draft.keyed:
        draft.key_format = value_format if value_format is not Format.PROTOBUF else Format.JSON
    draft.parts()
    return OverRelation(draft), Calls(first.within, over_table=False)


def _keys(branches: Sequence[OverRows], frames: Frames) -> list[list[Typed]]:
    """Give what the rows of each branch are partitioned by, each of one type."""
    keys: list[list[Typed]] = [[] for _ in branches]
    for node in frames.partition:
        words = branches[0].within.words(node)
        found = [brought_value(node, item.within) for item in branches]
        for key, part in zip(keys, alike(found, words, nearest_span(node)), strict=True):
            key.append(part)
    return keys


def _need_key(branches: Sequence[OverRows]) -> None:
    """Refuse rows of a table that are told apart by windows, which are no part of their keys."""
    for item in branches:
        reads = item.rows.reads
        windows = isinstance(reads, OperatorDraft) and any(name[0] == "w" for name in reads.columns)
        if item.rows.has_kinds and (windows or (isinstance(reads, TableDraft) and len(reads.placed_by) > 1)):
            message = "an aggregate OVER rows of windows that are still open cannot run in a stream yet"
            way_out = "take the results of windows that are over: EMIT FINAL, read with SELECT STREAM"
            raise refusal(codes.NOT_YET, message, nearest_span(item.at), way_out)


def _stays(branches: Sequence[OverRows], keys: Sequence[Sequence[Typed]]) -> bool:
    """Say whether a row of a table stays in its part as long as it is there."""
    return len(branches) == 1 and only_identity(branches[0].rows.source, [part.node for part in keys[0]])


def _need_order_of_time(order: Sequence[exp.Expression], item: OverRows) -> None:
    """Refuse any order of a stream but that in which its rows come."""
    (term, *others) = order
    same = not others and not term.args.get("desc")
    if same and item.time is not None:
        same = term.this == item.time
    elif same:
        stamp = item.rows.source.pull(Facet.META, OWN_META)
        same = item.within.value(term.this).node == stamp.node
    if not same:
        message = "the rows of a stream are taken in the order of time in which they come, not in another one"
        time = "_meta.timestamp" if item.time is None else item.within.words(item.time)
        way_out = f"write `ORDER BY {time}`, or read a table (SELECT TABLE), whose rows have any order"
        if item.time is None:
            way_out = f"write `ORDER BY {time}`, which EVENTTIME BY may set, or read a table (SELECT TABLE)"
        raise refusal(codes.BAD_OVER, message, nearest_span(term), way_out)


@dataclass(slots=True)
class OverResults:
    """Takes the aggregates of a SELECT while its columns are compiled.

    Args:
        draft: the operator.
        calls: the aggregates that it has.
    """

    draft: OverDraft
    calls: Calls

    def bound(self, node: exp.Expression, above: Expressions) -> Typed | None:
        """Give the result of an aggregate OVER rows."""
        if not isinstance(node, exp.Window) or is_ranking(node):
            return None
        call, condition = node.this, None
        if isinstance(call, exp.Filter):
            call, condition = call.this, call.expression.this
        if picks(node) and condition is None:
            inner, finish = picked(node)
            return finish(self._result(node, self.calls.add(inner, records=True)), above)
        if not isinstance(call, exp.Anonymous) or not is_aggregate(call, self.calls.within):
            message = "OVER rows of a stream takes an aggregate, or a function that picks a row or ranks"
            way_out = "those are LAG, FIRST_VALUE, LAST_VALUE, NTH_VALUE; ROW_NUMBER, RANK, DENSE_RANK"
            raise refusal(codes.NOT_YET, message, nearest_span(node), way_out)
        composed = COMPOSED.get(canonical(call))
        if composed is None:
            return self._result(node, self.calls.add(call, condition))
        inner, meets, finish = composed(call, self.calls.check(call), condition)
        return finish(self._result(node, self.calls.add(inner, meets, records=True)), above)

    def _result(self, node: exp.Window, index: int) -> Typed:
        draft = self.draft
        draft.calls = self.calls.found
        name = node.parent.alias if isinstance(node.parent, exp.Alias) else self.calls.within.words(node)
        draft.call_names.setdefault(index, name)
        return draft.result(index)

    def complete(self, branches: Sequence[OverRows], frames: Frames) -> None:
        """Put the columns that the operator needs into its input, now that they are known."""
        draft, calls = self.draft, self.calls
        draft.arguments = len(calls.values)
        kept = [alike([column.over(item.within) for item in branches], "", None) for column in calls.values]
        words = [node.sql() for node in frames.partition] + [column.node.sql() for column in calls.values]
        if draft.changes is not Changes.APPEND:
            for term in frames.order:
                found = alike([ordered(term, item.within) for item in branches], "", nearest_span(term))
                index = next((at for at, parts in enumerate(kept) if _same(parts, found)), len(kept))
                if index == len(kept):
                    kept.append(found)
                    words.append(term.this.sql())
                draft.order.append(
                    Order(index, bool(term.args.get("desc")), bool(term.args.get("nulls_first")))
                )
        draft.keep_first(kept)
        for branch in draft.feeds[0].branches:
            branch.words = list(words)


def _same(parts: Sequence[Typed], others: Sequence[Typed]) -> bool:
    return all(
        part.node == other.node and part.type.equals(other.type)
        for part, other in zip(parts, others, strict=True)
    )


def ordered(term: exp.Expression, within: Expressions) -> Typed:
    """Compile what rows of a table are ordered by.

    Raises:
        ProgramError: it has no order.
    """
    value = brought_value(term.this, within)
    if pa.types.is_nested(value.type):
        message = f"{within.describe(term.this, value)} has no order"
        raise refusal(codes.TYPE_MISMATCH, message, nearest_span(term), "name one of its fields")
    return value
