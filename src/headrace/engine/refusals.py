"""Records whose outputs the log has refused: when they come again they count as failed before anything is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from headrace.engine.faults import Fault, Stage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headrace.log.interface import TopicPartition


class Refusals:
    """What was refused since the last commit. Belongs to one thread."""

    def __init__(self) -> None:
        self._records: dict[str, dict[tuple[int, int], str]] = {}
        self._rows: dict[str, dict[bytes | None, str]] = {}

    def refuse(self, partition: TopicPartition, offset: int, reason: str) -> None:
        """Treat this record as failed from now on."""
        self._records.setdefault(partition.topic, {})[partition.partition, offset] = reason

    def refuse_row(self, topic: str, key: bytes | None, reason: str) -> None:
        """Treat what operators write to this topic under this key as failed until the next commit."""
        self._rows.setdefault(topic, {})[key] = reason

    def forget(self, committed: Mapping[TopicPartition, int]) -> None:
        """Drop what is behind these offsets: it is settled."""
        self._rows.clear()
        for partition, offset in committed.items():
            refused = self._records.get(partition.topic, {})
            for number, place in [*refused]:
                if number == partition.partition and place < offset:
                    del refused[number, place]

    def find(self, topic: str, records: pa.RecordBatch) -> dict[int, Fault]:
        """Give the faults of refused records in a batch of this topic, by row."""
        found: dict[int, Fault] = {}
        for (partition, offset), reason in self._records.get(topic, {}).items():
            matches = pc.and_(
                pc.equal(records.column("partition"), pa.scalar(partition, pa.int32())),
                pc.equal(records.column("offset"), pa.scalar(offset, pa.int64())),
            )
            row = pc.index(matches, True).as_py()
            if row >= 0:
                found[row] = Fault(Stage.DELIVER, reason)
        return found

    def find_rows(self, topic: str, records: pa.RecordBatch) -> dict[int, Fault]:
        """Give the faults of refused rows among what an operator writes to this topic, by place in the batch."""
        refused = self._rows.get(topic)
        if not refused or "key" not in records.schema.names:
            return {}
        keys = records.column("key").to_pylist()
        return {place: Fault(Stage.DELIVER, refused[key]) for place, key in enumerate(keys) if key in refused}
