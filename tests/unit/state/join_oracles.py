"""What joins, tables, ranks and sorts mean: plain models of one partition that take one change at a time.

They hold everything they were ever given in lists, so that each can be checked by reading. The native kernels must give the
same rows in the same order, however the rows are cut into batches and whatever happens between the batches.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from headrace.plan.operators import JoinKind, Order, RankFunction, RowKind

if TYPE_CHECKING:
    from collections.abc import Iterator

Values = tuple[Any, ...]
LEFT, RIGHT = 0, 1


@dataclass(frozen=True)
class Row:
    """A row on its way into a kernel."""

    input: int
    partition: int
    seq: int
    time: int
    op: RowKind
    key: Values
    value: Values


@dataclass(frozen=True)
class Out:
    """A row that a kernel gives."""

    partition: int
    seq: int
    time: int
    op: RowKind
    columns: Values


@dataclass(frozen=True)
class Change:
    """One row, or an UPDATE_BEFORE and its UPDATE_AFTER of one key."""

    rows: tuple[Row, ...]

    @property
    def cause(self) -> Row:
        return self.rows[0]

    @property
    def gone(self) -> Values | None:
        return next((row.value for row in self.rows if row.op < 0), None)

    @property
    def come(self) -> Values | None:
        return next((row.value for row in self.rows if row.op > 0), None)

    def out(self, op: RowKind, *columns: Values) -> Out:
        row = self.cause
        return Out(row.partition, row.seq, row.time, op, tuple(value for part in columns for value in part))


def changes_of(rows: list[Row]) -> list[Change]:
    """Put the rows of one partition into the order in which a kernel walks them."""
    order = sorted(rows, key=lambda row: (row.seq, row.input))
    found: list[Change] = []
    at = 0
    while at < len(order):
        pair = order[at : at + 2]
        is_update = (
            [row.op for row in pair] == [RowKind.UPDATE_BEFORE, RowKind.UPDATE_AFTER]
            and pair[0].seq == pair[1].seq
            and pair[0].input == pair[1].input
            and pair[0].key == pair[1].key
        )
        found.append(Change(tuple(pair if is_update else pair[:1])))
        at += len(found[-1].rows)
    return found


class Oracle(Protocol):
    """A model of one kernel in one partition."""

    late: list[Row]
    null_keys: int

    def process(self, change: Change) -> list[Out]:
        """Take a change, give what comes out."""

    def advance(self, partition: int, seq: int, time: int) -> list[Out]:
        """Let stream time move on without a row; `seq` is the highest so far."""


class Timeless:
    """What the models without a clock share."""

    def __init__(self) -> None:
        self.late: list[Row] = []
        self.null_keys = 0

    def advance(self, partition: int, seq: int, time: int) -> list[Out]:
        return []


def has_null(key: Values) -> bool:
    return any(value is None for value in key)


def is_null(key: Values) -> bool:
    return bool(key) and all(value is None for value in key)


class TableOracle(Timeless):
    """The latest row of each key, with what it was before."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[Values, Values] = {}

    def process(self, change: Change) -> list[Out]:
        key = change.cause.key
        if is_null(key):
            self.null_keys += len(change.rows)
            return []
        old, new = self.rows.pop(key, None), change.come
        if new is not None:
            self.rows[key] = new
        return difference(change, key, old, new)


class CountedTableOracle(Timeless):
    """Of the rows of a key that are there, the one that came last."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[Values, dict[Values, int]] = {}

    def process(self, change: Change) -> list[Out]:
        key = change.cause.key
        if is_null(key):
            self.null_keys += len(change.rows)
            return []
        counts = self.rows.setdefault(key, {})
        old = last(counts)
        if change.gone != change.come:
            take(counts, change.gone)
            put(counts, change.come)
        return difference(change, key, old, last(counts))


def difference(change: Change, key: Values, old: Values | None, new: Values | None) -> list[Out]:
    if old == new:
        return []
    if old is None:
        return [change.out(RowKind.INSERT, key, new or ())]
    if new is None:
        return [change.out(RowKind.DELETE, key, old)]
    return [change.out(RowKind.UPDATE_BEFORE, key, old), change.out(RowKind.UPDATE_AFTER, key, new)]


def last(counts: dict[Values, int]) -> Values | None:
    return next(reversed(counts), None)


def put(counts: dict[Values, int], row: Values | None) -> None:
    if row is not None:
        counts[row] = counts.get(row, 0) + 1


def take(counts: dict[Values, int], row: Values | None) -> bool:
    """Remove one of the rows; false if there is none."""
    if row is None or row not in counts:
        return False
    counts[row] -= 1
    if not counts[row]:
        del counts[row]
    return True


class LookupJoinOracle(Timeless):
    """Each row of a stream with the row that a table has at that moment."""

    def __init__(self, kind: JoinKind, columns: int) -> None:
        super().__init__()
        self.kind = kind
        self.nothing = (None,) * columns
        self.table: dict[Values, Values] = {}

    def process(self, change: Change) -> list[Out]:
        row = change.cause
        if row.input == RIGHT:
            if has_null(row.key):
                self.null_keys += len(change.rows)
            elif change.come is None:
                self.table.pop(row.key, None)
            else:
                self.table[row.key] = change.come
            return []
        found = None if has_null(row.key) else self.table.get(row.key)
        if found is None and self.kind is JoinKind.INNER:
            self.null_keys += has_null(row.key)
            return []
        return [change.out(RowKind.INSERT, row.key, row.value, found or self.nothing)]


@dataclass(eq=False)
class Kept:
    """A row that waits for partners."""

    side: int
    time: int
    arrival: int
    key: Values
    value: Values
    matched: bool = False


class StreamJoinOracle:
    """Two streams within a time of one another; or in windows of a size, whose start is the last part of the key."""

    def __init__(
        self,
        kind: JoinKind,
        before: int,
        after: int,
        grace: int,
        columns: tuple[int, int],
        window: int | None = None,
    ) -> None:
        self.window = window
        self.outer = outer_sides(kind)
        self.before, self.after, self.grace = before, after, grace
        self.nothing = tuple((None,) * count for count in columns)
        self.time = -math.inf
        self.rows: list[Kept] = []
        self.arrivals = 0
        self.late: list[Row] = []
        self.null_keys = 0

    def last_match(self, side: int, time: int) -> int:
        return time + (self.after if side == LEFT else self.before)

    def place(self, row: Row) -> int:
        """Give where a row stands: at its time, or at the last one of its window."""
        return row.time if self.window is None else int(row.key[-1]) + self.window - 1

    def process(self, change: Change) -> list[Out]:
        row = change.cause
        if self.last_match(row.input, self.place(row)) + self.grace < self.time:
            self.late.append(row)
            return []
        out = self.advance(row.partition, row.seq, row.time)
        self.arrivals += 1
        mine = Kept(row.input, self.place(row), self.arrivals, row.key, row.value)
        for other in sorted(self.rows, key=lambda kept: (kept.time, kept.arrival)):
            if self.match(mine, other):
                mine.matched = other.matched = True
                left, right = (mine, other) if mine.side == LEFT else (other, mine)
                time = max(mine.time, other.time)
                out.append(
                    Out(row.partition, row.seq, time, RowKind.INSERT, row.key + left.value + right.value)
                )
        self.rows.append(mine)
        if has_null(row.key) and row.input not in self.outer:
            self.null_keys += 1
        return out

    def match(self, one: Kept, two: Kept) -> bool:
        left, right = (one, two) if one.side == LEFT else (two, one)
        if one.side == two.side or one.key != two.key or has_null(one.key):
            return False
        return left.time - self.before <= right.time <= left.time + self.after

    def advance(self, partition: int, seq: int, time: int) -> list[Out]:
        self.time = max(self.time, time)
        gone = [row for row in self.rows if self.last_match(row.side, row.time) + self.grace < self.time]
        self.rows = [row for row in self.rows if row not in gone]
        gone.sort(key=lambda row: (self.last_match(row.side, row.time), row.arrival))
        return [
            Out(partition, seq, row.time, RowKind.INSERT, row.key + self.padded(row.side, row.value))
            for row in gone
            if row.side in self.outer and not row.matched
        ]

    def padded(self, side: int, value: Values) -> Values:
        return value + self.nothing[RIGHT] if side == LEFT else self.nothing[LEFT] + value


def outer_sides(kind: JoinKind) -> frozenset[int]:
    return {
        JoinKind.INNER: frozenset[int](),
        JoinKind.LEFT: frozenset({LEFT}),
        JoinKind.RIGHT: frozenset({RIGHT}),
        JoinKind.FULL: frozenset({LEFT, RIGHT}),
    }[kind]


class TableJoinOracle(Timeless):
    """Two tables on equal keys: for each key, all rows of one side with all rows of the other, in the order of their values.

    A row without partners that gets its first one is an update of the row with nulls, and back again.
    """

    def __init__(self, kind: JoinKind, upsert: tuple[bool, bool], columns: tuple[int, int]) -> None:
        super().__init__()
        self.outer = outer_sides(kind)
        self.upsert = upsert
        self.nothing = tuple((None,) * count for count in columns)
        self.rows: tuple[dict[Values, dict[Values, int]], ...] = ({}, {})

    def process(self, change: Change) -> list[Out]:
        row = change.cause
        side, other = row.input, 1 - row.input
        if self.upsert[side] and is_null(row.key):
            self.null_keys += len(change.rows)
            return []
        if has_null(row.key) and side not in self.outer:
            return []
        mine = self.rows[side].setdefault(row.key, {})
        gone = last(mine) if self.upsert[side] else change.gone
        if gone == change.come:
            return []
        was_empty = not mine
        if not take(mine, gone):
            gone = None
        put(mine, change.come)
        partners = [] if has_null(row.key) else self.all_of(other, row.key)
        if not partners:
            if side not in self.outer:
                return []
            return self.outs(change, (side, gone), (side, change.come), None)
        found: list[Out] = []
        for partner in partners:
            before, after = gone, change.come
            if other in self.outer and was_empty:
                before = self.nothing[side]
            if other in self.outer and not mine:
                after = self.nothing[side]
            found += self.outs(change, (side, before), (side, after), partner)
        return found

    def all_of(self, side: int, key: Values) -> list[Values]:
        counts = self.rows[side].get(key, {})
        return [row for row in sorted(counts, key=by_value) for _ in range(counts[row])]

    def outs(
        self,
        change: Change,
        before: tuple[int, Values | None],
        after: tuple[int, Values | None],
        partner: Values | None,
    ) -> list[Out]:
        old, new = (self.joined(side, mine, partner) for side, mine in (before, after))
        return difference(change, change.cause.key, old, new)

    def joined(self, side: int, mine: Values | None, partner: Values | None) -> Values | None:
        if mine is None:
            return None
        theirs = self.nothing[1 - side] if partner is None else partner
        return mine + theirs if side == LEFT else theirs + mine


def by_value(value: Any) -> Any:
    """Make rows comparable as the kernel's row bytes are: nulls first, text by its bytes, lists element by element."""
    if isinstance(value, tuple):
        return True, tuple(map(by_value, value))
    return value is not None, value.encode() if isinstance(value, str) else value


class RankOracle(Timeless):
    """The first rows of each key in an order; among equals, those that came first."""

    def __init__(
        self,
        order: tuple[Order, ...],
        limit: int,
        retracts: bool,
        function: RankFunction = RankFunction.ROW_NUMBER,
    ) -> None:
        super().__init__()
        self.function = function
        self.order, self.limit, self.retracts = order, limit, retracts
        self.rows: dict[Values, list[Values]] = {}

    def process(self, change: Change) -> list[Out]:
        return [out for row in change.rows for out in self.process_row(Change((row,)))]

    def process_row(self, change: Change) -> list[Out]:
        row = change.cause
        if is_null(row.key):
            self.null_keys += 1
            return []
        rows = self.rows.setdefault(row.key, [])
        old = self.best(rows)
        if row.op > 0:
            rows.append(row.value)
        elif row.value in rows:
            rows.remove(row.value)
        new = self.best(rows)
        found: list[Out] = []
        for slot in range(max(len(old), len(new))):
            before = old[slot] if slot < len(old) else None
            after = new[slot] if slot < len(new) else None
            found += difference(change, (*row.key, slot + 1), before, after)
        return found if self.retracts else [out for out in found if out.op is not RowKind.UPDATE_BEFORE]

    def best(self, rows: list[Values]) -> list[Values]:
        order = list(rows)
        for term in reversed(self.order):
            order.sort(key=lambda row, term=term: sort_key(row[term.column], term), reverse=term.descending)  # type: ignore[misc]
        if self.function is RankFunction.ROW_NUMBER:
            return order[: self.limit]
        return [row for row in self.numbered(order) if row[0] <= self.limit]

    def numbered(self, order: list[Values]) -> Iterator[Values]:
        """Give sorted rows behind their numbers. Those of ROW_NUMBER have none: their places are it."""
        columns = [term.column for term in self.order]
        rank, dense, before = 0, 0, None
        for place, row in enumerate(order):
            ordered_by = tuple(row[at] for at in columns)
            if ordered_by != before:
                rank, dense, before = place + 1, dense + 1, ordered_by
            yield (rank if self.function is RankFunction.RANK else dense, *row)


def sort_key(value: Any, term: Order) -> tuple[bool, Any]:
    """Make values comparable, nulls at the end that is asked for."""
    if isinstance(value, str):
        value = value.encode()
    # The sort is stable, reversed or not.
    nulls_are_high = term.nulls_first == term.descending
    return (value is None) == nulls_are_high, (0 if value is None else value)


class SortOracle:
    """Rows in the order of their times, then of columns, then as they came; given when their time and the grace are over."""

    def __init__(self, order: tuple[Order, ...], grace: int) -> None:
        self.order, self.grace = order, grace
        self.time = -math.inf
        self.rows: list[Row] = []
        self.late: list[Row] = []
        self.null_keys = 0

    def process(self, change: Change) -> list[Out]:
        row = change.cause
        if row.time + self.grace < self.time:
            self.late.append(row)
            return []
        out = self.advance(row.partition, row.seq, row.time)
        self.rows.append(row)
        return out

    def advance(self, partition: int, seq: int, time: int) -> list[Out]:
        self.time = max(self.time, time)
        gone = [row for row in self.rows if row.time + self.grace < self.time]
        self.rows = [row for row in self.rows if row.time + self.grace >= self.time]
        for term in reversed(self.order):
            gone.sort(
                key=lambda row, term=term: sort_key(row.value[term.column], term),  # type: ignore[misc]
                reverse=term.descending,
            )
        gone.sort(key=lambda row: row.time)
        return [Out(partition, seq, row.time, RowKind.INSERT, row.key + row.value) for row in gone]


class TimedOverOracle(SortOracle):
    """Rows in the order of their times with the results over those up to their time, from `length` before it on."""

    def __init__(self, length: int | None, grace: int) -> None:
        super().__init__((), grace)
        self.length = length
        self.came: list[Row] = []

    def process(self, change: Change) -> list[Out]:
        late = len(self.late)
        out = super().process(change)
        if len(self.late) == late:
            self.came.append(change.cause)
        return out

    def advance(self, partition: int, seq: int, time: int) -> list[Out]:
        gone = [row for row in self.rows if row.time + self.grace < max(self.time, time)]
        found = super().advance(partition, seq, time)
        gone.sort(key=lambda row: row.time)
        return [
            Out(out.partition, seq, out.time, out.op, row.key + self.results(row) + row.value)
            for row, out in zip(gone, found, strict=True)
        ]

    def results(self, row: Row) -> Values:
        since = -math.inf if self.length is None else row.time - self.length
        frame = [item for item in self.came if item.key == row.key and since <= item.time <= row.time]
        frame.sort(key=lambda item: item.time)
        return over_results([item.value for item in frame])


class OverOracle(Timeless):
    """Each row with the sum and the number of values, the number of rows, and the last text, of itself and the rows before it."""

    def __init__(self, preceding: int | None, order: tuple[Order, ...] | None) -> None:
        """Make a model; without an order rows are taken as they come, and come alone."""
        super().__init__()
        self.preceding, self.order = preceding, order
        self.rows: dict[Values, list[Values]] = {}

    def process(self, change: Change) -> list[Out]:
        key = change.cause.key
        rows = self.rows.setdefault(key, [])
        before = self.given(rows)
        if self.order is None:
            assert change.come is not None
            rows.append(change.come)
            return [change.out(RowKind.INSERT, key, self.given(rows)[-1][1])]
        order = self.order
        gone = at = None
        if change.gone in rows:
            gone = rows.index(change.gone)
            del rows[gone]
        kept = [row for place, row in enumerate(before) if place != gone]
        if change.come is not None:
            at = len([row for row in rows if not is_behind(row, change.come, order)])
            rows.insert(at, change.come)
        after = self.given(rows)
        own = (None if gone is None else before[gone][1], None if at is None else after[at][1])
        found = difference(change, key, *own)
        for old, new in zip(kept, (row for place, row in enumerate(after) if place != at), strict=True):
            assert old[0] == new[0]
            found += difference(change, key, old[1], new[1])
        return found

    def given(self, rows: list[Values]) -> list[tuple[Values, Values]]:
        """Give each row, and with its results before it."""
        found = []
        for place, row in enumerate(rows):
            first = 0 if self.preceding is None else max(0, place - self.preceding)
            frame = rows[first : place + 1]
            found.append((row, (*over_results(frame), *row)))
        return found


def over_results(frame: list[Values]) -> Values:
    """Give the sum and the number of values, the number of rows, and the last text."""
    numbers = [number for number, *_ in frame if number is not None]
    texts = [text for _, text, *_ in frame if text is not None]
    return (sum(numbers) if numbers else None, len(frame), texts[-1] if texts else None)


def is_behind(row: Values, other: Values, order: tuple[Order, ...]) -> bool:
    """Say whether a row stands behind another one in an order."""
    for term in order:
        mine, its = sort_key(row[term.column], term), sort_key(other[term.column], term)
        if mine != its:
            return (mine > its) != term.descending
    return False
