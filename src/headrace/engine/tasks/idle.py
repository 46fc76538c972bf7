"""Moves the stream time of idle tasks on with the clock, so that their windows close although nothing comes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from headrace.plan.operators import Aggregate, Match, Over, Sort, StreamJoin

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from headrace.engine.operators.graph import Graph
    from headrace.engine.tasks.assignment import Tasks
    from headrace.plan.subtopologies import Subtopology

_STEPS = 4
"""How often time moves on within one time-out: each move is a change of state, to be committed."""


class IdleClock:
    """Belongs to one thread. Operators whose time is the machine's clock are moved on by `engine.tasks.ticks`.

    A task is idle when its kernels have seen no row for the time-out. From then on their time moves on by what has passed
    beyond the time-out: records that are on their way as long as the time-out are not late.
    """

    def __init__(
        self,
        graph: Graph,
        groups: Sequence[Subtopology],
        timeout: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Watch the sub-topologies whose results depend on the passing of time; a time-out of 0 watches none."""
        self._graph = graph
        self._timeout = timeout
        self._clock = clock
        self._groups = {
            group: names
            for group in groups
            if timeout
            and (names := tuple(name for name in group.operators if not graph.operators[name].operator.clock))
            and any(_waits(graph, name) for name in names)
        }
        for names in self._groups.values():
            for name in names:
                graph.operators[name].latest = {}
        self._seen: dict[tuple[str, int], tuple[int, float]] = {}
        self._next = 0.0

    def reset(self) -> None:
        """Begin to wait anew: partitions have come, or the log is away, and nobody knows what it has by now."""
        self._seen.clear()

    def operators(self, group: Subtopology) -> Sequence[str]:
        """Give the operators of a sub-topology whose time moves on."""
        return self._groups[group]

    def due(self, tasks: Tasks) -> dict[Subtopology, dict[int, int]]:
        """Give the stream times, by partition, to which idle tasks shall move now."""
        now = self._clock()
        if not self._groups or now < self._next:
            return {}
        self._next = now + self._timeout / _STEPS
        found: dict[Subtopology, dict[int, int]] = {}
        for group, names in self._groups.items():
            latest: dict[int, int] = {}
            for name in names:
                for partition, at in (self._graph.operators[name].latest or {}).items():
                    latest[partition] = max(at, latest.get(partition, at))
            for partition in tasks.opened(group.id):
                if partition not in latest:
                    continue
                key, at = (group.id, partition), latest[partition]
                seen, since = self._seen.get(key, (None, now))
                if seen != at:
                    self._seen[key] = (at, now)
                    continue
                idle = now - since - self._timeout
                if idle > 0:
                    found.setdefault(group, {})[partition] = at + round(idle * 1000)
        return found


def _waits(graph: Graph, name: str) -> bool:
    kernel = graph.operators[name].operator.kernel
    if isinstance(kernel, Aggregate):
        return kernel.window is not None
    if isinstance(kernel, Over):
        return kernel.stretch is not None
    return isinstance(kernel, StreamJoin | Sort) or (isinstance(kernel, Match) and kernel.within is not None)
