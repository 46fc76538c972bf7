"""Readers and writers for the tests of the logs."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from headrace.log.interface import ConsumerOptions, OffsetReset, ProducerOptions, TopicPartition
from headrace.log.records import HEADERS, TIMESTAMP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from headrace.log.interface import Log, Producer

PATIENCE = 40.0
"""Seconds: a real broker may take a while to rebalance; no test waits so long when all is well."""

_TYPES: dict[str, pa.DataType] = {
    "key": pa.binary(),
    "value": pa.binary(),
    "timestamp": TIMESTAMP,
    "headers": HEADERS,
    "partition": pa.int32(),
}


def records(**columns: Sequence[Any]) -> pa.RecordBatch:
    """Make a batch to be sent from columns by name; timestamps are milliseconds."""
    arrays: dict[str, pa.Array[Any]] = {}
    for name, values in columns.items():
        if name == "timestamp":
            arrays[name] = pa.array(values, pa.int64()).cast(_TYPES[name])
        else:
            arrays[name] = pa.array(values, _TYPES[name])
    return pa.record_batch(arrays)


def produce(log: Log, topic: str, **columns: Sequence[Any]) -> None:
    """Send one batch and see that all of it arrived."""
    producer = log.producer(ProducerOptions())
    try:
        producer.send(topic, records(**columns))
        assert producer.flush(PATIENCE) == []
    finally:
        producer.close()


class Reader:
    """A consumer that remembers what it was given."""

    def __init__(
        self,
        log: Log,
        *,
        group: str | None = None,
        instance: str | None = None,
        offset_reset: OffsetReset = OffsetReset.EARLIEST,
        properties: dict[str, str] | None = None,
        process: str | None = None,
    ) -> None:
        self.consumer = log.consumer(
            ConsumerOptions(group, instance, offset_reset, True, properties or {}, process)
        )
        self.owned: set[TopicPartition] = set()
        self.events: list[tuple[str, tuple[TopicPartition, ...]]] = []
        self.rows: list[dict[str, Any]] = []
        self.revoking: Callable[[], None] = lambda: None

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.consumer.close()

    def subscribe(self, *topics: str) -> Reader:
        self.consumer.subscribe(topics, on_assign=self._assign, on_revoke=self._revoke, on_lost=self._lose)
        return self

    def assign(self, *places: TopicPartition, offset: int = -2) -> Reader:
        self.consumer.assign(dict.fromkeys(places, offset))
        return self

    def _assign(self, places: Sequence[TopicPartition]) -> None:
        assert not self.owned & set(places)
        self.owned |= set(places)
        self.events.append(("assign", tuple(sorted(places))))

    def _revoke(self, places: Sequence[TopicPartition]) -> None:
        assert self.owned >= set(places)
        self.revoking()
        self.owned -= set(places)
        self.events.append(("revoke", tuple(sorted(places))))

    def _lose(self, places: Sequence[TopicPartition]) -> None:
        self.owned -= set(places)
        self.events.append(("lost", tuple(sorted(places))))

    def poll(self, timeout: float = 0.05, max_records: int = 10_000, linger: float = 0.0) -> int:
        """Poll once; remember the rows and give how many there were."""
        batches = self.consumer.poll(max_records, timeout, linger)
        for batch in batches:
            self.rows.extend(batch.to_pylist())
        return sum(batch.num_rows for batch in batches)

    def read(self, count: int) -> list[dict[str, Any]]:
        """Poll until there are so many rows, and give all."""
        wait_for([self], lambda: len(self.rows) >= count)
        return self.rows

    @property
    def values(self) -> list[bytes | None]:
        return [row["value"] for row in self.rows]


def wait_for(readers: Iterable[Reader], condition: Callable[[], bool]) -> None:
    """Let the readers poll in turn until the condition holds."""
    deadline = time.monotonic() + PATIENCE
    members = list(readers)
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        for member in members:
            member.poll(0.02)


def read_all(log: Log, topic: str, partitions: int = 1) -> list[dict[str, Any]]:
    """Give what is in the topic now, by partition and offset."""
    places = [TopicPartition(topic, number) for number in range(partitions)]
    with Reader(log).assign(*places) as reader:
        ends = reader.consumer.watermarks(places)
        wait_for(
            [reader],
            lambda: all(reader.consumer.positions().get(place, 0) >= end for place, (_, end) in ends.items()),
        )
        return sorted(reader.rows, key=lambda row: (row["partition"], row["offset"]))


def transactional(log: Log, name: str) -> Producer:
    """Make a producer with a transactional id."""
    return log.producer(ProducerOptions(name))


def at(milliseconds: int) -> datetime:
    """Give the time as it comes out of a batch."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
