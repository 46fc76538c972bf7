"""Partitions that are read straight from their brokers: the same records as through librdkafka, and never another position."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from headrace.log.interface import ConsumerOptions, ProducerOptions, TopicDescription, TopicPartition
from headrace.log.kafka import KafkaConsumer, KafkaLog
from tests.kafka.traffic import PATIENCE, poll_until, rows, values

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.servers.kafka import KafkaServer

pytestmark = pytest.mark.kafka

DIRECT = {"headrace.direct.fetch": "true"}
AROUND = {"headrace.direct.fetch": "false"}
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


def reader(
    log: KafkaLog, topic: str, partitions: int, properties: Mapping[str, str], *, committed: bool = True
) -> KafkaConsumer:
    options = ConsumerOptions(read_committed=committed, properties=dict(properties))
    consumer = log.consumer(options)
    assert isinstance(consumer, KafkaConsumer)
    consumer.assign({TopicPartition(topic, number): 0 for number in range(partitions)})
    return consumer


def read(
    log: KafkaLog, topic: str, partitions: int, properties: Mapping[str, str], *, committed: bool = True
) -> list[dict[str, Any]]:
    """Give all records in the order of partitions and offsets."""
    consumer = reader(log, topic, partitions, properties, committed=committed)
    ends = {item: end for item, (_, end) in consumer.watermarks(list(consumer.assignment())).items()}
    found: list[dict[str, Any]] = []
    until = time.monotonic() + PATIENCE
    while any(consumer.positions().get(item, 0) < end for item, end in ends.items()):
        assert time.monotonic() < until, (consumer.positions(), ends)
        found += rows(consumer.poll(1_000, 0.2))
    assert (consumer.read_around() > 0) is (properties == DIRECT)
    consumer.close()
    return sorted(found, key=lambda row: (row["partition"], row["offset"]))


def every_kind(count: int) -> pa.RecordBatch:
    """Records with and without key, value, headers and time."""
    numbers = range(count)
    headers = [None if n % 3 else [{"key": "h", "value": None if n % 2 else b"x" * (n % 7)}] for n in numbers]
    return pa.record_batch(
        {
            "key": pa.array([None if n % 5 == 0 else b"" if n % 5 == 1 else b"k%d" % n for n in numbers]),
            "value": pa.array(
                [None if n % 7 == 0 else b"" if n % 7 == 1 else b"v" * (n % 300) for n in numbers]
            ),
            "timestamp": pa.array([n * 1000 for n in numbers], pa.timestamp("ms", "UTC")),
            "headers": pa.array(
                headers,
                pa.list_(
                    pa.struct([pa.field("key", pa.string(), nullable=False), pa.field("value", pa.binary())])
                ),
            ),
        }
    )


@pytest.mark.parametrize("codec", CODECS)
def test_the_records_are_those_of_librdkafka(
    log: KafkaLog, make_topic: Callable[..., str], codec: str
) -> None:
    topic = make_topic(3)
    producer = log.producer(ProducerOptions(properties={"compression.type": codec}))
    producer.send(topic, every_kind(3_000))
    assert producer.flush(PATIENCE) == []
    producer.close()
    found = read(log, topic, 3, DIRECT)
    assert len(found) == 3_000
    assert found == read(log, topic, 3, AROUND)


@pytest.mark.parametrize("committed", [True, False])
def test_aborted_transactions_are_left_out(
    log: KafkaLog, name: str, make_topic: Callable[..., str], committed: bool
) -> None:
    topic = make_topic(2)
    producer = log.producer(ProducerOptions(transactional_id=name))
    plain = log.producer(ProducerOptions())
    consumer = log.consumer(ConsumerOptions(group=name))
    for number in range(20):
        producer.begin()
        producer.send(topic, values(range(number * 10, number * 10 + 10)))
        plain.send(topic, values([f"plain {number}"]))
        assert plain.flush(PATIENCE) == []
        if number % 3:
            assert producer.flush(PATIENCE) == []
            producer.abort()
        else:
            producer.commit({}, consumer)
    for one in (consumer, producer, plain):
        one.close()
    found = read(log, topic, 2, DIRECT, committed=committed)
    assert len(found) == 20 + (70 if committed else 200)
    assert found == read(log, topic, 2, AROUND, committed=committed)


def test_pause_seek_and_small_polls(log: KafkaLog, make_topic: Callable[..., str]) -> None:
    topic = make_topic(2)
    producer = log.producer(ProducerOptions())
    producer.send(topic, every_kind(2_000))
    assert producer.flush(PATIENCE) == []
    producer.close()
    consumer = reader(log, topic, 2, DIRECT)
    first, second = TopicPartition(topic, 0), TopicPartition(topic, 1)
    few: list[pa.RecordBatch] = []
    while not few:
        few = consumer.poll(7, 0.5)
    assert sum(batch.num_rows for batch in few) == 7
    consumer.pause([first])
    before = consumer.positions()
    seen = [row for batch in (consumer.poll(5, 0.1) for _ in range(20)) for row in rows(batch)]
    assert {row["partition"] for row in seen} == {1}
    assert consumer.positions()[first] == before[first]
    consumer.seek({first: 3, second: 5})
    assert all(row["partition"] == 1 for row in rows(consumer.poll(5, 1.0)))
    consumer.resume([first])
    consumer.seek({second: 5})
    ends = {item: end for item, (_, end) in consumer.watermarks([first, second]).items()}
    rest = poll_until(consumer, lambda found: len(found) >= sum(ends.values()) - 8)
    assert sorted((row["partition"], row["offset"]) for row in rest) == sorted(
        [(0, offset) for offset in range(3, ends[first])] + [(1, offset) for offset in range(5, ends[second])]
    )
    assert consumer.positions() == ends == consumer.known_ends([first, second])
    consumer.close()


def test_wide_records_come_a_few_mebibytes_at_a_time(log: KafkaLog, make_topic: Callable[..., str]) -> None:
    topic = make_topic(1)
    wide = ["x" * 20_000 + str(number) for number in range(1_000)]
    producer = log.producer(ProducerOptions())
    producer.send(topic, values(wide))
    assert producer.flush(PATIENCE) == []
    producer.close()
    consumer = reader(log, topic, 1, DIRECT)
    until = time.monotonic() + PATIENCE
    polls: list[list[Any]] = []
    while sum(map(len, polls)) < len(wide):
        assert time.monotonic() < until
        # Long enough for all of them, if their number alone counted.
        polls.append(rows(consumer.poll(16_384, 1.0, 1.0)))
    consumer.close()
    assert max(map(len, polls)) * 20_000 < 6 << 20
    assert [row["value"] for poll in polls for row in poll] == [text.encode() for text in wide]


def test_a_partition_that_has_no_leader_for_a_while_keeps_its_position(
    own_kafka: KafkaServer, name: str
) -> None:
    log = KafkaLog(own_kafka.bootstrap)
    log.admin().create(TopicDescription(name, 2))
    producer = log.producer(ProducerOptions())
    producer.send(name, values(range(1_000)))
    assert producer.flush(PATIENCE) == []
    consumer = reader(log, name, 2, DIRECT)
    seen = poll_until(consumer, lambda found: len(found) == 1_000)
    at = consumer.positions()
    assert sum(at.values()) == 1_000
    assert consumer.read_around() == 2
    (node,) = own_kafka.nodes
    sent = 1_000
    # The second time librdkafka remembers a position of the first.
    for _ in range(2):
        node.stop()
        until = time.monotonic() + 2 * PATIENCE
        while consumer.read_around():
            assert time.monotonic() < until
            assert consumer.poll(100, 0.1) == []
        assert consumer.positions() == at
        node.launch()
        node.await_ready()
        while consumer.read_around() < 2:
            assert time.monotonic() < until
            producer.send(name, values(range(sent, sent + 10)))
            sent += 10
            seen += rows(consumer.poll(100, 0.2))
            assert all(offset >= at[item] for item, offset in consumer.positions().items())
        producer.send(name, values(range(sent, sent + 100)))
        sent += 100
        assert producer.flush(PATIENCE) == []
        while len(seen) < sent:
            assert time.monotonic() < until
            seen += rows(consumer.poll(1_000, 0.2))
        assert sorted(int(row["value"]) for row in seen) == list(range(sent))
        at = consumer.positions()
        assert sum(at.values()) == sent
    for one in (consumer, producer):
        one.close()
