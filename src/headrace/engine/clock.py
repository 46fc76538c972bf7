"""The machine's clock as the time of records: PROCTIME()."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

import numpy as np
import pyarrow as pa

from headrace.plan.topology import CLOCK
from headrace.types.sql import INSTANT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import numpy.typing as npt

    from headrace.log.interface import TopicPartition
    from headrace.plan.topology import Topology

    Longs = npt.NDArray[np.int64]


def wall_clock() -> int:
    """Give the machine's clock, milliseconds since 1970."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Clock:
    """Where PROCTIME() comes from.

    Args:
        read: gives milliseconds since 1970; None: time passes with records alone.
        of_records: a record is taken up at its own timestamp, or at the largest before it: in tests, whose results do not hang
            on when they run.
    """

    read: Callable[[], int] | None = wall_clock
    of_records: bool = False


MACHINE: Final = Clock()


class Stamps:
    """Gives the batches that a thread reads the time at which they are taken up. It never goes back, whatever the clock does."""

    def __init__(self, topology: Topology, clock: Clock) -> None:
        """Find out which topics are read by the clock."""
        self._clock = clock
        self._last = 0
        self._columns = {source.topic for source in topology.sources.values() if source.reads_clock}
        self._times = {source.topic for source in topology.sources.values() if source.clock}
        if clock.of_records:
            # Their timestamps are those of the records that they were made of.
            self._times = set()
        self._floors: dict[tuple[str, int], int] = {}

    def now(self) -> int:
        """Give where the clock stands, at least where it stood before."""
        if self._clock.read is not None:
            self._last = max(self._last, self._clock.read())
        return self._last

    def not_before(self, floors: Mapping[TopicPartition, int]) -> None:
        """Let the clock of partitions stand still until it has come to these times: their tasks have seen them already."""
        for place, time_ in floors.items():
            key = (place.topic, place.partition)
            self._floors[key] = max(time_, self._floors.get(key, time_))

    def forget(self, partitions: Iterable[TopicPartition] | None = None) -> None:
        """Begin anew with these partitions, or all: their records come from another time on."""
        if partitions is None:
            self._floors.clear()
            return
        for place in partitions:
            self._floors.pop((place.topic, place.partition), None)

    def stamp(self, records: pa.RecordBatch) -> pa.RecordBatch:
        """Give n records of one topic, with the clock where its queries read it."""
        if not self._columns and not self._times:
            return records
        topic = records.column("topic")[0].as_py()
        if topic not in self._columns and topic not in self._times:
            return records
        stamps = pa.array(self._stamps(topic, records), pa.int64()).cast(INSTANT)
        if topic in self._times:
            place = records.schema.get_field_index("timestamp")
            return records.set_column(place, records.schema.field(place), stamps)
        return records.append_column(pa.field(CLOCK, INSTANT), stamps)

    def _stamps(self, topic: str, records: pa.RecordBatch) -> Longs:
        partitions = records.column("partition").to_numpy()
        if self._clock.of_records:
            return self._own(topic, partitions, records)
        now = self.now()
        stamps = np.full(records.num_rows, now, np.int64)
        for (name, partition), floor in self._floors.items():
            if name == topic and floor > now:
                stamps[partitions == partition] = floor
        return stamps

    def _own(self, topic: str, partitions: npt.NDArray[np.int32], records: pa.RecordBatch) -> Longs:
        own = records.column("timestamp").cast(pa.int64()).fill_null(0)
        stamps = np.maximum(cast("Longs", own.to_numpy(zero_copy_only=False)), 0)
        for partition in np.unique(partitions).tolist():
            there = partitions == partition
            key = (topic, partition)
            stamps[there] = np.maximum(np.maximum.accumulate(stamps[there]), self._floors.get(key, 0))
            self._floors[key] = int(stamps[there][-1])
        return stamps
