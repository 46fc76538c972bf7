"""A log that ends: what stands behind given offsets is not there for whoever reads in a group. For replays up to a time.

The engine reads it as any other log, so that a bounded run does exactly what a run to the end does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as compute

from headrace.log.interface import TopicPartition
from headrace.log.passing import PassingLog, PassingProducer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from headrace.log.interface import (
        Consumer,
        ConsumerOptions,
        Log,
        Offsets,
        OnPartitions,
        Producer,
        ProducerOptions,
    )

pc: Any = compute
"""Its functions; the stubs have them for some types of arrays only."""


class BoundedLog(PassingLog):
    """A log up to given offsets."""

    def __init__(self, log: Log, ends: Offsets) -> None:
        """Take the log, which stays open, and for partitions the offset of the first record that is not read any more."""
        super().__init__(log)
        self._ends = dict(ends)

    def consumer(self, options: ConsumerOptions) -> Consumer:
        """See `Log`; without a group it is one of the whole log."""
        consumer = super().consumer(options)
        return consumer if options.group is None else _BoundedConsumer(consumer, self._ends)

    def producer(self, options: ProducerOptions) -> Producer:
        """See `Log`."""
        return _Producer(super().producer(options))


class _BoundedConsumer:
    """A consumer that stops in each partition at its end."""

    def __init__(self, consumer: Consumer, ends: Offsets) -> None:
        self.inner = consumer
        self._ends = ends
        self._limits = _limits(ends)
        self._stopped: set[TopicPartition] = set()
        """Partitions that are read no further."""
        self._paused: set[TopicPartition] = set()
        """Those that the caller has paused."""

    def subscribe(
        self,
        topics: Sequence[str],
        *,
        on_assign: OnPartitions,
        on_revoke: OnPartitions,
        on_lost: OnPartitions,
    ) -> None:
        def assigned(places: Sequence[TopicPartition]) -> None:
            self._forget(places)
            on_assign(places)

        def revoked(places: Sequence[TopicPartition]) -> None:
            on_revoke(places)
            self._forget(places)

        def lost(places: Sequence[TopicPartition]) -> None:
            on_lost(places)
            self._forget(places)

        self.inner.subscribe(topics, on_assign=assigned, on_revoke=revoked, on_lost=lost)

    def assign(self, positions: Offsets) -> None:
        self._forget([*self._stopped, *self._paused])
        self.inner.assign(positions)

    def poll(self, max_records: int, timeout: float, linger: float = 0.0) -> list[pa.RecordBatch]:
        kept = []
        for batch in self.inner.poll(max_records, timeout, linger):
            records = self._cut(batch)
            if records.num_rows:
                kept.append(records)
        return kept

    def _cut(self, records: pa.RecordBatch) -> pa.RecordBatch:
        topic = records.column("topic")[0].as_py()
        limits = self._limits.get(topic)
        if limits is None:
            return records
        partitions = records.column("partition").to_numpy()
        # A partition that was added since has nothing before the end; its number stands behind all others.
        inside = pa.array(
            records.column("offset").to_numpy() < limits[np.minimum(partitions, len(limits) - 1)]
        )
        if pc.all(inside).as_py():
            return records
        beyond = records.filter(pc.invert(inside))
        first = beyond.select(["partition", "offset"])
        grouped = pa.Table.from_batches([first]).group_by("partition").aggregate([("offset", "min")])
        places = {TopicPartition(topic, row["partition"]): row["offset_min"] for row in grouped.to_pylist()}
        self.inner.seek(places)
        self.inner.pause(list(places))
        self._stopped |= places.keys()
        return records.filter(inside)

    def healthy(self) -> bool:
        return self.inner.healthy()

    def assignment(self) -> list[TopicPartition]:
        return self.inner.assignment()

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        self._paused.update(partitions)
        self.inner.pause(partitions)

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        self._paused.difference_update(partitions)
        self.inner.resume([place for place in partitions if place not in self._stopped])

    def seek(self, positions: Offsets) -> None:
        self.inner.seek(positions)
        back = [place for place, at in positions.items() if place in self._stopped and at < self._ends[place]]
        self._stopped.difference_update(back)
        self.inner.resume([place for place in back if place not in self._paused])

    def positions(self) -> dict[TopicPartition, int]:
        return self.inner.positions()

    def committed(
        self, partitions: Sequence[TopicPartition], timeout: float = 10.0
    ) -> dict[TopicPartition, int]:
        return self.inner.committed(partitions, timeout)

    def commit(self, offsets: Offsets) -> None:
        self.inner.commit(offsets)

    def watermarks(
        self, partitions: Sequence[TopicPartition], timeout: float = 10.0
    ) -> dict[TopicPartition, tuple[int, int]]:
        found = self.inner.watermarks(partitions, timeout)
        return {place: (first, max(first, self._bound(place, end))) for place, (first, end) in found.items()}

    def known_ends(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return {place: self._bound(place, end) for place, end in self.inner.known_ends(partitions).items()}

    def offsets_at(
        self, times: Mapping[TopicPartition, int], timeout: float = 10.0
    ) -> dict[TopicPartition, int]:
        return self.inner.offsets_at(times, timeout)

    def close(self) -> None:
        self.inner.close()

    def _bound(self, place: TopicPartition, end: int) -> int:
        return min(end, self._ends.get(place, 0 if place.topic in self._limits else end))

    def _forget(self, places: Sequence[TopicPartition]) -> None:
        self._stopped.difference_update(places)
        self._paused.difference_update(places)


class _Producer(PassingProducer):
    """A producer that commits offsets of bounded consumers: the log knows its own consumers alone."""

    def commit(self, offsets: Offsets, consumer: Consumer) -> None:
        super().commit(offsets, consumer.inner if isinstance(consumer, _BoundedConsumer) else consumer)


def _limits(ends: Offsets) -> dict[str, npt.NDArray[np.int64]]:
    """Give, by topic, the end of each partition by its number, and 0 behind them."""
    numbers: dict[str, dict[int, int]] = {}
    for place, end in ends.items():
        numbers.setdefault(place.topic, {})[place.partition] = end
    return {
        topic: np.array([found.get(number, 0) for number in range(max(found) + 2)], np.int64)
        for topic, found in numbers.items()
    }
