"""Sends and collects records, for the tests beside this module."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from headrace.log.interface import ConsumerOptions, ProducerOptions, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from headrace.log.interface import Consumer, Log
    from headrace.log.kafka import KafkaConsumer, KafkaLog

PATIENCE: Final = 30.0


def values(items: Iterable[int | str | bytes | None]) -> pa.RecordBatch:
    """Make a batch without keys."""
    return pa.record_batch({"value": pa.array([_bytes(item) for item in items], pa.binary())})


def keyed(items: Iterable[tuple[str, int]]) -> pa.RecordBatch:
    """Make a batch of keys and values."""
    rows = list(items)
    return pa.record_batch(
        {
            "key": pa.array([key.encode() for key, _ in rows], pa.binary()),
            "value": pa.array([_bytes(value) for _, value in rows], pa.binary()),
        }
    )


def send(log: Log, topic: str, batch: pa.RecordBatch) -> None:
    """Send a batch and wait until all of it is there."""
    producer = log.producer(ProducerOptions())
    producer.send(topic, batch)
    assert producer.flush(PATIENCE) == []
    producer.close()


def rows(batches: Iterable[pa.RecordBatch]) -> list[dict[str, Any]]:
    """Give the records of some batches."""
    return [row for batch in batches for row in batch.to_pylist()]


def poll_until(consumer: Consumer, done: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
    """Poll until the records satisfy `done`."""
    found: list[dict[str, Any]] = []
    end = time.monotonic() + PATIENCE
    while not done(found):
        assert time.monotonic() < end, f"only {len(found)} records came"
        found.extend(rows(consumer.poll(10_000, 0.2)))
    return found


def read_all(log: Log, topic: str, partitions: int = 1, *, committed: bool = True) -> list[dict[str, Any]]:
    """Read a topic from its beginning to its present end."""
    consumer = log.consumer(ConsumerOptions(read_committed=committed))
    places = [TopicPartition(topic, number) for number in range(partitions)]
    ends = {item: high for item, (low, high) in consumer.watermarks(places, PATIENCE).items()}
    consumer.assign(dict.fromkeys(places, -2))
    found: list[dict[str, Any]] = []
    limit = time.monotonic() + PATIENCE
    while any(consumer.positions().get(item, 0) < end for item, end in ends.items()):
        assert time.monotonic() < limit, f"the end was not reached: {consumer.positions()} of {ends}"
        found.extend(rows(consumer.poll(10_000, 0.2)))
    consumer.close()
    return found


class Member:
    """A consumer that writes down what the group does to it."""

    def __init__(self, log: KafkaLog, options: ConsumerOptions, topics: Sequence[str]) -> None:
        self.consumer: KafkaConsumer = log.consumer(options)
        self.owned: set[TopicPartition] = set()
        self.events: list[str] = []
        self.consumer.subscribe(
            topics,
            on_assign=self._assigned,
            on_revoke=lambda items: self._gone("revoke", items),
            on_lost=lambda items: self._gone("lost", items),
        )

    def _assigned(self, items: Sequence[TopicPartition]) -> None:
        self.events.append(f"assign {len(items)}")
        self.owned.update(items)

    def _gone(self, kind: str, items: Sequence[TopicPartition]) -> None:
        self.events.append(f"{kind} {len(items)}")
        if kind == "revoke":
            positions = self.consumer.positions()
            self.consumer.commit({item: positions[item] for item in items if item in positions})
        self.owned.difference_update(items)


def _bytes(item: int | str | bytes | None) -> bytes | None:
    return item if item is None or isinstance(item, bytes) else str(item).encode()
