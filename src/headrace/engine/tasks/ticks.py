"""Moves the stream time of operators by the machine's clock on with it, so that their windows close although nothing comes.

Each move is a change of state, to be committed. So time moves on only when something may close: at the ends of windows where
these are known beforehand, now and then where they are not, and no more once everything has closed that was open at the last
record.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from headrace.plan.operators import Aggregate, Match, Over, Sort, StreamJoin, WindowKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from headrace.engine.operators.graph import Graph
    from headrace.engine.tasks.assignment import Tasks
    from headrace.plan.operators import Kernel, Window
    from headrace.plan.subtopologies import Subtopology

_LONGEST_PAUSE = 1000
_LOOKS = 20
"""Looks within the time that something stays open, if they are less than a second apart."""


@dataclass(frozen=True, slots=True)
class Closings:
    """When something may close, in milliseconds.

    Args:
        horizon: how long after a record everything that it is in has closed.
        step: windows close at multiples of it alone, moved by `offset`; 0: at any time.
        offset: see `step`.
    """

    horizon: int
    step: int = 0
    offset: int = 0

    def due(self, time: int, last: int, now: int, pause: int) -> bool:
        """Say whether something may close between two times.

        Args:
            time: stream time as it is.
            last: time of the last record.
            now: stream time as it would be.
            pause: shortest time between two moves where any time may close something.
        """
        end = last + self.horizon
        if now <= time or time > end:
            return False
        if self.step:
            return (min(now, end) - self.offset) // self.step > (time - self.offset) // self.step
        return now > end or now - time >= max(pause, min(_LONGEST_PAUSE, self.horizon // _LOOKS))


def closings_of(kernel: Kernel) -> Closings | None:
    """Give when an operator may close something with the passing of time; None if that is never."""
    if isinstance(kernel, Aggregate):
        return None if kernel.window is None else _of_windows(kernel.window)
    if isinstance(kernel, StreamJoin):
        window = 0 if kernel.window is None else kernel.window.size
        return Closings(max(kernel.before, kernel.after, 0) + kernel.grace + window + 1)
    if isinstance(kernel, Sort):
        return Closings(kernel.grace + 1)
    if isinstance(kernel, Over):
        return None if kernel.stretch is None else Closings(kernel.stretch.grace + 1)
    if isinstance(kernel, Match):
        return None if kernel.within is None else Closings(kernel.within + 1)
    return None


def _of_windows(window: Window) -> Closings:
    if window.kind is WindowKind.SESSION:
        return Closings(window.size + window.grace + 1)
    if window.kind is WindowKind.SLIDE:
        return Closings(2 * window.size + window.grace + 1)
    offset = window.offset + window.size + window.grace
    return Closings(window.size + window.grace, window.advance or window.size, offset)


@dataclass(slots=True)
class _Watched:
    """An operator by the clock.

    Args:
        times: by partition, where its stream time was moved to, or stood when its task was opened.
        last: by partition, the time of the last record that it is known to have seen.
    """

    group: Subtopology
    operator: str
    closings: Closings
    times: dict[int, int] = field(default_factory=dict)
    last: dict[int, int] = field(default_factory=dict)


class Ticks:
    """Belongs to one thread."""

    def __init__(self, graph: Graph, groups: Sequence[Subtopology], interval: float) -> None:
        """Watch the operators by the clock of these sub-topologies.

        Args:
            graph: has them.
            groups: with state.
            interval: seconds between commits.
        """
        self._graph = graph
        self._pause = round(interval * 1000)
        self._watched = [
            _Watched(group, name, closings)
            for group in groups
            for name in group.operators
            if (operator := graph.operators[name].operator).clock
            and (closings := closings_of(operator.kernel)) is not None
        ]
        for item in self._watched:
            graph.operators[item.operator].latest = {}
        self._known: dict[str, set[int]] = {}

    def watches(self) -> bool:
        """Say whether there is anything to move."""
        return bool(self._watched)

    def groups(self) -> list[Subtopology]:
        """Give the sub-topologies with operators by the clock."""
        return list({item.group.id: item.group for item in self._watched}.values())

    def left(self, tasks: Tasks) -> None:
        """Forget the tasks that were closed."""
        for item in self._watched:
            opened = tasks.opened(item.group.id)
            latest = self._graph.operators[item.operator].latest or {}
            for known in (item.times, item.last, latest):
                for partition in known.keys() - opened:
                    del known[partition]
        for group in self.groups():
            self._known.get(group.id, set()).intersection_update(tasks.opened(group.id))

    def reset(self) -> None:
        """Ask the state anew: what was done since the last commit is undone."""
        self._known.clear()
        for item in self._watched:
            item.times.clear()
            item.last.clear()
            latest = self._graph.operators[item.operator].latest
            if latest is not None:
                latest.clear()

    def learn(self, tasks: Tasks) -> dict[str, dict[int, int]]:
        """Take note of tasks that were opened; give how far time had come in them, by sub-topology and partition."""
        found: dict[str, dict[int, int]] = {}
        for group in self.groups():
            opened = set(tasks.opened(group.id))
            fresh = opened - self._known.get(group.id, set())
            self._known[group.id] = opened
            for item in self._watched:
                if item.group.id != group.id:
                    continue
                for partition in fresh:
                    time = tasks.stream_time(group.id, partition, item.operator)
                    if time is not None:
                        item.times[partition] = item.last[partition] = time
                        known = found.setdefault(group.id, {})
                        known[partition] = max(time, known.get(partition, time))
        return found

    def due(
        self, now: int, held_from: Callable[[Subtopology], int | None]
    ) -> Iterator[tuple[str, Mapping[int, int]]]:
        """Give operators, in their order, with the stream times to which their tasks shall move, by partition.

        Args:
            now: where the clock stands.
            held_from: gives the smallest time of records that a sub-topology has yet to process, which must not come late.
        """
        for item in self._watched:
            held = held_from(item.group)
            until = now if held is None else min(now, held)
            times = {}
            latest = self._graph.operators[item.operator].latest or {}
            for partition in self._known.get(item.group.id, ()):
                last = max(latest.get(partition, -1), item.last.get(partition, -1))
                time = max(last, item.times.get(partition, -1))
                if last >= 0 and item.closings.due(time, last, until, self._pause):
                    times[partition] = item.times[partition] = until
            if times:
                yield item.operator, times
