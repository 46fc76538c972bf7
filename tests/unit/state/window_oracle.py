"""Windowed aggregates, one row at a time and without any sharing: what the native kernel is compared with.

Every window keeps all of its rows, nothing is ever thrown away, and each change of a window evaluates it anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from headrace.plan.operators import Emit, RowKind, Window, WindowKind
from tests.unit.state.aggregate_oracle import OverflowingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

Values = tuple[Any, ...]
Bounds = tuple[int, int]


@dataclass(frozen=True)
class Row:
    """A row on the way into the kernel."""

    partition: int
    seq: int
    time: int
    key: Values
    values: Values


@dataclass(frozen=True)
class Result:
    """A row that comes out. A DELETE of UPSERT changes has no values."""

    partition: int
    seq: int
    time: int
    op: int
    key: Values
    bounds: Bounds
    values: Values | None


@dataclass
class Touch:
    """What happened to a window since the last flush."""

    bounds: Bounds
    values: Values
    time: int
    merged: list[Bounds] = field(default_factory=list)
    """The sessions that are part of this one now."""


@dataclass
class Group:
    """The windows of one key. The rows of a session stand in the order in which its parts were merged."""

    windows: dict[Bounds, list[Row]] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)


@dataclass
class Task:
    """One partition."""

    time: int = -1
    seq: int = 0
    groups: dict[Values, Group] = field(default_factory=dict)
    given: dict[tuple[Values, Bounds], Values] = field(default_factory=dict)
    """The result that was given last."""
    touched: dict[tuple[Values, Bounds], Touch] = field(default_factory=dict)
    """COMMIT, but for sessions: windows in the order of their first touch."""
    open: dict[tuple[Values, Bounds], None] = field(default_factory=dict)
    """FINAL: windows that have not closed yet, in the order of their first touch."""
    sessions: dict[Values, dict[Bounds, Touch]] = field(default_factory=dict)
    """COMMIT of sessions: by key in the order of their first touch, those of its sessions that changed."""


class WindowOracle:
    """Args: the window, when results are given, whether old results are, and what the aggregates of rows are.

    `evaluate` raises OverflowingError where a sum does not fit: then the row has no effect on any window.
    """

    def __init__(
        self, window: Window, emit: Emit, retracts: bool, evaluate: Callable[[Sequence[Row]], Values]
    ) -> None:
        self.window, self.emit, self.retracts, self.evaluate = window, emit, retracts, evaluate
        self.tasks: dict[int, Task] = {}
        self.late = 0
        self.null_keys = 0

    def process(self, row: Row) -> tuple[list[Result], bool, bool]:
        """Give what comes out, whether the row came too late for all of its windows, and whether a sum does not fit."""
        task = self.tasks.setdefault(row.partition, Task())
        task.seq = max(task.seq, row.seq)
        results = self._move(task, row.partition, row.time)
        if row.key and all(value is None for value in row.key):
            self.null_keys += 1
            return results, False, False
        add = {WindowKind.SESSION: self._add_to_session, WindowKind.SLIDE: self._add_sliding}.get(
            self.window.kind, self._add_to_fixed
        )
        try:
            given, late = add(task, row)
        except OverflowingError:
            return results, False, True
        self.late += late
        return results + given, late, False

    def advance(self, partition: int, time: int) -> list[Result]:
        """Move stream time on without a row."""
        return self._move(self.tasks.setdefault(partition, Task()), partition, time)

    def flush(self) -> list[Result]:
        """Give each window that was touched since the last flush once."""
        results: list[Result] = []
        for partition, task in sorted(self.tasks.items()):
            for (key, _), touch in task.touched.items():
                results += self._update(task, partition, key, touch)
            task.touched.clear()
            for key, touches in task.sessions.items():
                results += self._session_changes(task, partition, key, touches)
            task.sessions.clear()
        return results

    def closed(self, bounds: Bounds, time: int) -> bool:
        """Tell whether stream time has passed the end of a window and its grace."""
        end, grace = bounds[1], self.window.grace
        match self.window.kind:
            case WindowKind.SESSION:
                return end + self.window.size + grace < time
            case WindowKind.SLIDE:
                return end + grace < time
        return end + grace <= time

    def _move(self, task: Task, partition: int, time: int) -> list[Result]:
        task.time = max(task.time, time)
        if self.emit is not Emit.FINAL:
            return []
        closed = [name for name in task.open if self.closed(name[1], task.time)]
        results = []
        for key, bounds in sorted(closed, key=lambda name: name[1][1]):  # Stable: then by first touch.
            del task.open[key, bounds]
            values = self._evaluate(task.groups[key].windows[bounds])
            last = bounds[1] if self.window.kind in {WindowKind.SESSION, WindowKind.SLIDE} else bounds[1] - 1
            results.append(Result(partition, task.seq, last, RowKind.INSERT, key, bounds, values))
        return results

    def _evaluate(self, rows: Iterable[Row]) -> Values:
        """In the order of arrival, whatever the times of the rows."""
        return self.evaluate(sorted(rows, key=lambda row: row.seq))

    def _touch(self, task: Task, row: Row, bounds: Bounds, values: Values) -> list[Result]:
        """A fixed or sliding window has changed."""
        name = (row.key, bounds)
        touch = Touch(bounds, values, row.time)
        match self.emit:
            case Emit.RECORD:
                return self._update(task, row.partition, row.key, touch)
            case Emit.FINAL:
                task.open.setdefault(name)
            case Emit.COMMIT:
                if name in task.touched:
                    touch.time = max(touch.time, task.touched[name].time)
                task.touched[name] = touch  # Keeps its place.
        return []

    def _update(self, task: Task, partition: int, key: Values, touch: Touch) -> list[Result]:
        name = (key, touch.bounds)
        before = task.given.get(name)
        task.given[name] = touch.values

        def result(op: RowKind, values: Values) -> Result:
            return Result(partition, task.seq, touch.time, op, key, touch.bounds, values)

        if before is None:
            return [result(RowKind.INSERT, touch.values)]
        if touch.values == ():  # DISTINCT: a window is only there or not.
            return []
        after = result(RowKind.UPDATE_AFTER, touch.values)
        return [result(RowKind.UPDATE_BEFORE, before), after] if self.retracts else [after]

    def _delete(self, task: Task, partition: int, key: Values, bounds: Bounds, time: int) -> list[Result]:
        before = task.given.pop((key, bounds), None)
        if before is None:
            return []
        values = before if self.retracts else None
        return [Result(partition, task.seq, time, RowKind.DELETE, key, bounds, values)]

    def _add_to_fixed(self, task: Task, row: Row) -> tuple[list[Result], bool]:
        live = [bounds for bounds in self._bounds(row.time) if not self.closed(bounds, task.time)]
        windows = task.groups.setdefault(row.key, Group()).windows
        values = [self._evaluate([*windows.get(bounds, ()), row]) for bounds in live]
        results = []
        for bounds, result in zip(live, values, strict=True):
            windows.setdefault(bounds, []).append(row)
            results += self._touch(task, row, bounds, result)
        return results, not live

    def _bounds(self, time: int) -> list[Bounds]:
        """Give the windows that a time is in."""
        size, first = self.window.size, self.window.offset
        advance = self.window.advance or size
        if self.window.kind is WindowKind.CUMULATE:
            made = [
                (start, end)
                for start in range(first, time + 1, size)
                for end in range(start + advance, start + size + 1, advance)
            ]
        else:
            made = [(start, start + size) for start in range(first, time + 1, advance)]
        return [bounds for bounds in made if time < bounds[1]]

    def _add_sliding(self, task: Task, row: Row) -> tuple[list[Result], bool]:
        size, time = self.window.size, row.time
        if self.closed((time + 1, time + size), task.time):
            return [], True
        group = task.groups.setdefault(row.key, Group())
        rows = [*group.rows, row]
        times = {other.time for other in rows}
        starts = {max(0, other - size) for other in times}
        starts |= {other + 1 for other in times if any(other < later <= other + 1 + size for later in times)}
        changed = {}
        for start in sorted(starts):
            bounds = (start, start + size)
            is_new = bounds not in group.windows
            if self.closed(bounds, task.time) or not (is_new or start <= time <= start + size):
                continue
            changed[bounds] = [other for other in rows if start <= other.time <= start + size]
        values = [self._evaluate(inside) for inside in changed.values()]
        group.rows = rows
        group.windows.update(changed)
        results = [self._touch(task, row, *found) for found in zip(changed, values, strict=True)]
        return [result for found in results for result in found], False

    def _add_to_session(self, task: Task, row: Row) -> tuple[list[Result], bool]:
        gap, time, key = self.window.size, row.time, row.key
        windows = task.groups.setdefault(key, Group()).windows
        parts = [
            (bounds, rows)
            for bounds, rows in sorted(windows.items(), key=lambda item: item[0])
            if not self.closed(bounds, task.time) and bounds[0] - gap <= time <= bounds[1] + gap
        ]
        bounds = (min([time, *(b[0] for b, _ in parts)]), max([time, *(b[1] for b, _ in parts)]))
        if self.closed(bounds, task.time):
            return [], True
        inside = [*(r for _, rows in parts for r in rows), row]
        touch = Touch(bounds, self._evaluate(inside), time)
        for old, _ in parts:
            del windows[old]
        windows[bounds] = inside
        gone = [old for old, _ in parts if old != bounds]
        match self.emit:
            case Emit.RECORD:
                deletes = [d for old in gone for d in self._delete(task, row.partition, key, old, time)]
                return deletes + self._update(task, row.partition, key, touch), False
            case Emit.FINAL:
                # A session takes the place of the part that was touched first.
                order = list(task.open)
                first = min((order.index((key, old)) for old, _ in parts), default=len(order))
                names = [name for name in order if name not in {(key, old) for old, _ in parts}]
                names.insert(first, (key, bounds))
                task.open = dict.fromkeys(names)
            case Emit.COMMIT:
                touches = task.sessions.setdefault(key, {})
                touch.merged = gone
                for old, _ in parts:
                    if old in touches:
                        earlier = touches.pop(old)
                        touch.time = max(touch.time, earlier.time)
                        touch.merged = touch.merged + earlier.merged
                touches[bounds] = touch
        return [], False

    def _session_changes(
        self, task: Task, partition: int, key: Values, touches: dict[Bounds, Touch]
    ) -> list[Result]:
        """Of each session that changed: the sessions that are part of it now go, then it comes."""
        results = []
        for _, touch in sorted(touches.items()):
            for old in sorted(touch.merged):
                results += self._delete(task, partition, key, old, touch.time)
            results += self._update(task, partition, key, touch)
        return results
