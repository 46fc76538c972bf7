"""Topologies made by hand, so that these tests depend on no other stage, and ways to fill and read topics."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pyarrow as pa

from headrace.formats.interface import Format, Side
from headrace.log.interface import ConsumerOptions, Log, ProducerOptions, TopicDescription, TopicPartition
from headrace.log.records import HEADERS
from headrace.plan.topology import (
    Facet,
    InputColumn,
    KeyMode,
    OutputColumn,
    Pipeline,
    RunSettings,
    Sink,
    SourceTopic,
    Topology,
    ValueMode,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

BYTES = Side(Format.BYTES, pa.binary())
NUMBERS = Side(Format.JSON, pa.struct([("n", pa.int64()), ("s", pa.string())]))
RESULTS = Side(Format.JSON, pa.struct([("n", pa.int64()), ("twice", pa.int32())]))


def unique(name: str) -> str:
    """Give a name that no other test uses: all share one broker."""
    return f"{name}-{uuid4().hex[:8]}"


def doubling(
    source: str,
    sink: str,
    settings: RunSettings,
    *,
    query: str = "SELECT _row, c0 AS v0, c0 * 2 AS v1 FROM input WHERE NOT _tombstone AND c0 % 3 <> 0",
    result: Side = RESULTS,
    partitions: int = 2,
) -> Topology:
    """Give the topology that leaves multiples of three out and doubles the rest."""
    fields = [NUMBERS.type.field(index) for index in range(NUMBERS.type.num_fields)]
    columns = tuple(
        InputColumn(f"c{index}", Facet.VALUE, (field.name,), field.type) for index, field in enumerate(fields)
    )
    names = [result.type.field(index).name for index in range(result.type.num_fields)]
    pipeline = Pipeline(
        id="doubling",
        source=source,
        sink=sink,
        query=query,
        key_mode=KeyMode.PASS,
        value_mode=ValueMode.ENCODE,
        value_columns=tuple(OutputColumn(f"v{index}", (name,)) for index, name in enumerate(names)),
    )
    return Topology(
        sources={source: SourceTopic(source, BYTES, NUMBERS, columns)},
        sinks={sink: Sink(sink, BYTES, result, create=TopicDescription(sink, partitions=partitions))},
        pipelines=(pipeline,),
        settings=settings,
    )


def create(log: Log, topic: str, partitions: int = 2, *, configs: Mapping[str, str] | None = None) -> str:
    admin = log.admin()
    try:
        admin.create(TopicDescription(topic, partitions, replication=-1, configs=configs or {}))
    finally:
        admin.close()
    return topic


def numbers(values: Iterable[int]) -> list[bytes | None]:
    return [json.dumps({"n": value, "s": str(value)}).encode() for value in values]


def fill(
    log: Log,
    topic: str,
    values: Sequence[bytes | None],
    *,
    keys: Sequence[bytes | None] | None = None,
    headers: Sequence[list[dict[str, Any]] | None] | None = None,
    partition: int | None = None,
    timestamps: Sequence[int] | None = None,
) -> None:
    """Put records into a topic, spread over its partitions by their keys (`k0` … `k99` if none are given)."""
    if keys is None:
        keys = [f"k{row % 100}".encode() for row in range(len(values))]
    columns: dict[str, pa.Array[Any]] = {
        "key": pa.array(keys, pa.binary()),
        "value": pa.array(values, pa.binary()),
    }
    if headers is not None:
        columns["headers"] = pa.array(headers, HEADERS)
    if partition is not None:
        columns["partition"] = pa.array([partition] * len(values), pa.int32())
    if timestamps is not None:
        columns["timestamp"] = pa.array(timestamps, pa.timestamp("ms", tz="UTC"))
    batch = pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))
    producer = log.producer(ProducerOptions())
    try:
        for start in range(0, batch.num_rows, 10_000):
            producer.send(topic, batch.slice(start, 10_000))
        assert producer.flush(60) == []
    finally:
        producer.close()


def read(log: Log, topic: str, timeout: float = 30.0) -> list[dict[str, Any]]:
    """Give all committed records that are in a topic now, in offset order within each partition."""
    admin, consumer = log.admin(), log.consumer(ConsumerOptions())
    # A commit on Kafka returns before its markers stand in every partition: the last stable offset may be behind it.
    looker = log.consumer(ConsumerOptions(read_committed=False))
    try:
        description = admin.describe(topic)
        assert description is not None
        partitions = [TopicPartition(topic, number) for number in range(description.partitions)]
        ends = {place: end for place, (first, end) in looker.watermarks(partitions).items() if end > first}
        rows: list[dict[str, Any]] = []
        if not ends:
            return rows
        consumer.assign(dict.fromkeys(ends, -2))
        deadline = time.monotonic() + timeout
        while any(consumer.positions().get(place, 0) < end for place, end in ends.items()):
            assert time.monotonic() < deadline, "the topic could not be read to its end"
            for batch in consumer.poll(10_000, 0.2):
                rows += batch.to_pylist()
        return sorted(rows, key=lambda row: (row["partition"], row["offset"]))
    finally:
        looker.close()
        consumer.close()
        admin.close()


def results(log: Log, topic: str) -> list[int]:
    """Give the `n` of all results of the doubling, sorted; checks that each was doubled."""
    values = [json.loads(row["value"]) for row in read(log, topic)]
    assert all(value["twice"] == value["n"] * 2 for value in values)
    return sorted(value["n"] for value in values)


def expected(values: Iterable[int]) -> list[int]:
    return sorted(value for value in values if value % 3)


def committed(log: Log, group: str, topic: str) -> dict[TopicPartition, int]:
    """Give the committed offsets of a group."""
    admin, member = log.admin(), log.consumer(ConsumerOptions(group=group))
    try:
        description = admin.describe(topic)
        assert description is not None
        return member.committed([TopicPartition(topic, number) for number in range(description.partitions)])
    finally:
        member.close()
        admin.close()
