"""How far a thread has come in each of its partitions, and how far that is committed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from headrace.log.interface import TopicPartition

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def partitions_of(records: pa.RecordBatch) -> list[TopicPartition]:
    """Give the partitions that have records in a batch of one topic."""
    topic = records.column("topic")[0].as_py()
    return [TopicPartition(topic, number.as_py()) for number in records.column("partition").unique()]


def first_offset(records: pa.RecordBatch, partition: TopicPartition) -> int:
    """Give the offset of the first record of a partition in a batch of its topic."""
    row = pc.index(records.column("partition"), pa.scalar(partition.partition, pa.int32())).as_py()
    return int(records.column("offset")[row].as_py())


class Positions:
    """Processed and committed positions of the partitions that one thread owns."""

    def __init__(self) -> None:
        self._processed: dict[TopicPartition, int] = {}
        self._committed: dict[TopicPartition, int] = {}

    def saw(self, records: pa.RecordBatch) -> list[TopicPartition]:
        """Note where a partition begins, before its first batch is processed; give those of the batch."""
        partitions = partitions_of(records)
        for partition in partitions:
            if partition not in self._committed:
                self._committed[partition] = self._processed[partition] = first_offset(records, partition)
        return partitions

    def advance(self, partitions: Iterable[TopicPartition], positions: Mapping[TopicPartition, int]) -> None:
        """Take over the consumer's positions of partitions whose records have been processed."""
        for partition in partitions:
            self._processed[partition] = positions[partition]

    def advance_idle(self, positions: Mapping[TopicPartition, int]) -> None:
        """Take over positions when nothing is left to process: the ends of transactions are no records.

        Those of a partition without a record yet are committed too, as nobody knows whether the group has come that
        far: it may have stopped just before the end of a transaction.
        """
        for partition, position in positions.items():
            if position > self._processed.get(partition, 0):
                self._processed[partition] = position

    def stop_at(self, cut: Mapping[TopicPartition, int]) -> None:
        """Set positions by hand: to the records that stop the run."""
        self._processed.update(cut)

    def dirty(self) -> dict[TopicPartition, int]:
        """Give the processed positions that are not committed."""
        return {
            partition: position
            for partition, position in self._processed.items()
            if position != self._committed.get(partition)
        }

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Note that these offsets are committed."""
        self._committed.update(offsets)

    def processed(self) -> dict[TopicPartition, int]:
        """Give the processed positions."""
        return dict(self._processed)

    def committed(self) -> dict[TopicPartition, int]:
        """Give the committed positions."""
        return dict(self._committed)

    def forget(self, partitions: Iterable[TopicPartition]) -> None:
        """Drop partitions that are owned no longer, or anew."""
        for partition in partitions:
            self._processed.pop(partition, None)
            self._committed.pop(partition, None)

    def rewind(self) -> dict[TopicPartition, int]:
        """Go back to what is committed; give the positions to seek to."""
        self._processed = dict(self._committed)
        return dict(self._committed)
