"""The plain counters of one processor.

The engine adds to them once a batch, so the hot path never touches a metrics library; `telemetry.exposition`
and `telemetry.progress` read them.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the histograms' buckets."""


@dataclass(slots=True)
class Histogram:
    """Counts of durations by bucket; the last of `counts` is for what is longer than all bounds."""

    bounds: tuple[float, ...] = SECONDS
    counts: list[int] = field(default_factory=lambda: [0] * (len(SECONDS) + 1))
    total: float = 0.0

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds

    def cumulative(self) -> list[tuple[str, float]]:
        """Give the buckets as Prometheus wants them: upper bound and count of all that is not longer."""
        running = 0
        rows: list[tuple[str, float]] = []
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            running += count
            rows.append((bound, running))
        return rows


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """By what failed records are counted: input topic, stage that failed, policy that was applied."""

    topic: str
    stage: str
    policy: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A consistent copy of all counters."""

    consumed: Mapping[str, int]
    consumed_bytes: Mapping[str, int]
    produced: Mapping[str, int]
    produced_bytes: Mapping[str, int]
    errors: Mapping[ErrorKind, int]
    lag: Mapping[tuple[str, int], int]
    late: Mapping[str, int]
    stored: Mapping[str, int]
    state: Mapping[str, Mapping[str, int]]
    rebalances: Mapping[str, int]
    events: Mapping[str, int]
    batch_seconds: Histogram
    commit_seconds: Histogram
    threads: int
    waiting: int
    up: bool
    started: float


class Metrics:
    """The counters of one processor. Thread safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._consumed: dict[str, int] = defaultdict(int)
        self._consumed_bytes: dict[str, int] = defaultdict(int)
        self._produced: dict[str, int] = defaultdict(int)
        self._produced_bytes: dict[str, int] = defaultdict(int)
        self._errors: dict[ErrorKind, int] = defaultdict(int)
        self._lag: dict[tuple[str, int], int] = {}
        self._late: dict[str, int] = defaultdict(int)
        self._stored: dict[str, int] = defaultdict(int)
        self._state: dict[tuple[str, int], Mapping[str, int]] = {}
        self._rebalances: dict[str, int] = defaultdict(int)
        self._events: dict[str, int] = defaultdict(int)
        self._batch = Histogram()
        self._commit = Histogram()
        self._threads = 0
        self._waiting = 0
        self._up = False
        self._started = time.time()

    def declare(self, sources: Iterable[str], sinks: Iterable[str]) -> None:
        """Show these topics with zero before the first record, so that rates are right from the start."""
        with self._lock:
            for topic in sources:
                self._consumed[topic] += 0
                self._consumed_bytes[topic] += 0
            for topic in sinks:
                self._produced[topic] += 0
                self._produced_bytes[topic] += 0

    def consumed(self, topic: str, records: int, size: int, seconds: float) -> None:
        """Count one processed input batch."""
        with self._lock:
            self._consumed[topic] += records
            self._consumed_bytes[topic] += size
            self._batch.observe(seconds)

    def produced(self, topic: str, records: int, size: int) -> None:
        """Count one batch handed to the log."""
        with self._lock:
            self._produced[topic] += records
            self._produced_bytes[topic] += size

    def failed(self, topic: str, stage: str, policy: str, records: int) -> None:
        """Count records that went to the error policy."""
        with self._lock:
            self._errors[ErrorKind(topic, stage, policy)] += records

    def late(self, operator: str, records: int) -> None:
        """Count records that came too late for an operator."""
        with self._lock:
            self._late[operator] += records

    def stored(self, store: str, entries: int) -> None:
        """Count entries of a store handed to its changelog."""
        with self._lock:
            self._stored[store] += entries

    def set_kernel(self, operator: str, thread: int, stats: Mapping[str, int]) -> None:
        """Replace what a thread's kernel of an operator says of itself."""
        with self._lock:
            self._state[operator, thread] = stats

    def committed(self, seconds: float) -> None:
        """Count one commit."""
        with self._lock:
            self._commit.observe(seconds)

    def rebalanced(self, kind: str) -> None:
        """Count a rebalance: `assigned`, `revoked` or `lost`."""
        with self._lock:
            self._rebalances[kind] += 1

    def event(self, name: str) -> None:
        """Count an event by its name (see `telemetry.events`)."""
        with self._lock:
            self._events[name] += 1

    def set_lag(self, lag: Mapping[tuple[str, int], int]) -> None:
        """Replace the lag of all partitions that this process owns."""
        with self._lock:
            self._lag = dict(lag)

    def set_state(self, *, up: bool, threads: int, waiting: int) -> None:
        """Say whether it runs, on how many threads, and how many of them wait for a broker or registry."""
        with self._lock:
            self._up, self._threads, self._waiting = up, threads, waiting

    def snapshot(self) -> Snapshot:
        """Copy everything at one moment."""
        with self._lock:
            return Snapshot(
                consumed=dict(self._consumed),
                consumed_bytes=dict(self._consumed_bytes),
                produced=dict(self._produced),
                produced_bytes=dict(self._produced_bytes),
                errors=dict(self._errors),
                lag=dict(self._lag),
                late=dict(self._late),
                stored=dict(self._stored),
                state=_summed(self._state),
                rebalances=dict(self._rebalances),
                events=dict(self._events),
                batch_seconds=Histogram(counts=list(self._batch.counts), total=self._batch.total),
                commit_seconds=Histogram(counts=list(self._commit.counts), total=self._commit.total),
                threads=self._threads,
                waiting=self._waiting,
                up=self._up,
                started=self._started,
            )


def _summed(state: Mapping[tuple[str, int], Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """Add the threads of each operator up."""
    found: dict[str, dict[str, int]] = {}
    for (operator, _), stats in state.items():
        total = found.setdefault(operator, dict.fromkeys(stats, 0))
        for name, value in stats.items():
            total[name] += value
    return found
