"""Tells of failed records: the first of a kind at once, the others summed up, so that a flood is no flood of lines."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headrace.telemetry.events import RecordsFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from headrace.engine.policy import FailedRecord
    from headrace.telemetry.metrics import Metrics

INTERVAL = 10.0
"""Seconds between two lines about failures of one kind."""

_Kind = tuple[str, str, str]
"""Topic, stage and policy."""


@dataclass(slots=True)
class _Pending:
    due: float
    first: FailedRecord | None = None
    records: int = 0


class FailureReports:
    """Counters and log lines of failed records, for all threads of a processor. Thread safe."""

    def __init__(self, metrics: Metrics, clock: Callable[[], float] = time.monotonic) -> None:
        self._metrics = metrics
        self._clock = clock
        self._lock = threading.Lock()
        self._kinds: dict[_Kind, _Pending] = {}

    def add(self, failed: Iterable[FailedRecord]) -> None:
        """Count records whose fate is committed, and log what is due."""
        with self._lock:
            for record in failed:
                kind = (record.partition.topic, record.fault.stage.value, record.policy.value)
                self._metrics.failed(*kind, record.records)
                pending = self._kinds.setdefault(kind, _Pending(due=self._clock()))
                pending.first = pending.first or record
                pending.records += record.records
        self.tell()

    def tell(self, *, everything: bool = False) -> None:
        """Log the kinds whose time has come, or everything that has not been told yet."""
        with self._lock:
            now = self._clock()
            lines = []
            for (topic, stage, policy), pending in self._kinds.items():
                if pending.first is None or (now < pending.due and not everything):
                    continue
                first = pending.first
                lines.append(
                    RecordsFailed(
                        topic=topic,
                        partition=first.partition.partition,
                        offset=first.offset,
                        stage=stage,
                        policy=policy,
                        records=pending.records,
                        reason=first.fault.reason,
                    )
                )
                pending.due, pending.first, pending.records = now + INTERVAL, None, 0
        for line in lines:
            line.emit(self._metrics)
