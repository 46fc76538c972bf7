"""What Kafka's producer does with records, and with those that it cannot deliver."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from headrace.errors.codes import log as codes
from headrace.log.errors import LogError
from headrace.log.interface import ProducerOptions
from tests.kafka.traffic import PATIENCE, keyed, read_all, values

if TYPE_CHECKING:
    from collections.abc import Callable

    from headrace.log.kafka import KafkaLog

pytestmark = pytest.mark.kafka

# murmur2 as in the tests of Apache Kafka's own client (Utils.murmur2), and what follows for a topic of 7 partitions.
MURMUR2 = {
    "21": -973932308,
    "foobar": -790332482,
    "a-little-bit-long-string": -985981536,
    "a-little-bit-longer-string": -1486304829,
    "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    "abc": 479470107,
}


def test_keys_go_to_the_partitions_that_java_chooses(log: KafkaLog, make_topic: Callable[..., str]) -> None:
    topic = make_topic(7)
    producer = log.producer(ProducerOptions())
    producer.send(topic, keyed((key, 0) for key in MURMUR2))
    assert producer.flush(PATIENCE) == []
    producer.close()
    found = {row["key"].decode(): row["partition"] for row in read_all(log, topic, 7)}
    assert found == {key: (number & 0x7FFFFFFF) % 7 for key, number in MURMUR2.items()}


def test_a_record_that_is_too_large_is_told_with_its_row(
    log: KafkaLog, make_topic: Callable[..., str]
) -> None:
    topic = make_topic()
    producer = log.producer(ProducerOptions())
    assert producer.send(topic, values(["small"])) == 0
    assert producer.send(topic, values(["before", b"x" * 2_000_000, "after"])) == 1
    failures = producer.flush(PATIENCE)
    assert [(item.topic, item.batch, item.row, item.retriable) for item in failures] == [(topic, 1, 1, False)]
    assert "MSG_SIZE_TOO_LARGE" in failures[0].reason
    assert producer.flush(PATIENCE) == []
    producer.close()
    assert [row["value"] for row in read_all(log, topic)] == [b"small", b"before", b"after"]


def test_what_the_broker_refuses_is_told_with_its_row(log: KafkaLog, make_topic: Callable[..., str]) -> None:
    topic = make_topic(max_message_bytes="1000")
    producer = log.producer(ProducerOptions(properties={"linger.ms": "0", "batch.num.messages": "1"}))
    producer.send(topic, values(["small", b"x" * 5000, "after"]))
    failures = producer.flush(PATIENCE)
    assert [(item.batch, item.row) for item in failures] == [(0, 1)]
    producer.close()
    assert [row["value"] for row in read_all(log, topic)] == [b"small", b"after"]


def test_a_partition_that_is_not_there_is_told_with_its_row(
    log: KafkaLog, make_topic: Callable[..., str]
) -> None:
    topic = make_topic(2)
    producer = log.producer(ProducerOptions())
    producer.send(topic, values(["warm"]))
    assert producer.flush(PATIENCE) == []
    batch = values(["a", "b", "c"]).append_column("partition", pa.array([1, 9, None], pa.int32()))
    producer.send(topic, batch)
    failures = producer.flush(PATIENCE)
    assert [(item.batch, item.row, item.partition) for item in failures] == [(1, 1, 9)]
    producer.close()


def test_a_topic_that_is_not_there_fails_every_row(log: KafkaLog, name: str) -> None:
    properties = {"topic.metadata.propagation.max.ms": "500"}
    producer = log.producer(ProducerOptions(properties=properties))
    producer.send(name, values(["a", "b"]))
    failures = producer.flush(PATIENCE)
    assert [(item.topic, item.row) for item in failures] == [(name, 0), (name, 1)]
    producer.close()


def test_a_full_queue_waits_and_keeps_the_order(log: KafkaLog, make_topic: Callable[..., str]) -> None:
    topic = make_topic()
    properties = {"queue.buffering.max.messages": "100", "linger.ms": "0"}
    producer = log.producer(ProducerOptions(properties=properties))
    producer.send(topic, values(range(5000)))
    assert producer.flush(PATIENCE) == []
    producer.close()
    assert [int(row["value"]) for row in read_all(log, topic)] == list(range(5000))


def test_a_flush_that_takes_too_long_is_an_error(log: KafkaLog, make_topic: Callable[..., str]) -> None:
    topic = make_topic()
    dead = type(log)("127.0.0.1:1")
    producer = dead.producer(ProducerOptions())
    producer.send(topic, values(["never"]))
    with pytest.raises(LogError) as caught:
        producer.flush(0.3)
    assert caught.value.diagnostics[0].code == codes.UNREACHABLE
    # Undelivered, and dropped without waiting for it.
    producer._native.destroy()
    producer._native.destroy()


def test_a_batch_of_wrong_types_is_refused(log: KafkaLog, make_topic: Callable[..., str]) -> None:
    producer = log.producer(ProducerOptions())
    for batch in (
        pa.record_batch({"key": pa.array([b"k"])}),
        pa.record_batch({"value": pa.array([[1]])}),
    ):
        with pytest.raises(LogError) as caught:
            producer.send("any", batch)
        assert caught.value.diagnostics[0].code == codes.BAD_RECORDS
    producer.close()


def test_a_property_that_librdkafka_does_not_know_is_refused(log: KafkaLog) -> None:
    with pytest.raises(LogError) as caught:
        log.producer(ProducerOptions(properties={"no.such.thing": "1"}))
    assert caught.value.diagnostics[0].code == codes.BAD_CLIENT_PROPERTY
    assert "no.such.thing" in caught.value.diagnostics[0].message
