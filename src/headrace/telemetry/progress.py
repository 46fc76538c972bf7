"""Progress of a running processor, for a terminal or a log line."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from headrace.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a processor stands.

    Args:
        consumed, produced, failed: records since the start.
        consumed_rate, produced_rate: records per second since the last look.
        lag: records still to read in the partitions of this process; None until it is known.
        seconds: since the start.
        waiting: whether it waits for a broker or a registry.
    """

    consumed: int
    produced: int
    failed: int
    consumed_rate: float
    produced_rate: float
    lag: int | None
    seconds: float
    waiting: bool


class ProgressReporter:
    """Turns counters into rates between two looks. Belongs to one thread."""

    def __init__(self, metrics: Metrics, clock: Callable[[], float] = time.monotonic) -> None:
        self._metrics = metrics
        self._clock = clock
        self._start = self._last = clock()
        self._consumed = 0
        self._produced = 0

    def look(self) -> Progress:
        """Give the state now and the rates since the last look."""
        moment = self._clock()
        now = self._metrics.snapshot()
        consumed, produced = sum(now.consumed.values()), sum(now.produced.values())
        elapsed = max(moment - self._last, 1e-9)
        progress = Progress(
            consumed=consumed,
            produced=produced,
            failed=sum(now.errors.values()),
            consumed_rate=(consumed - self._consumed) / elapsed,
            produced_rate=(produced - self._produced) / elapsed,
            lag=sum(now.lag.values()) if now.lag else None,
            seconds=moment - self._start,
            waiting=now.waiting > 0,
        )
        self._last, self._consumed, self._produced = moment, consumed, produced
        return progress
