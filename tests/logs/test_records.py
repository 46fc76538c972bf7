"""What goes in comes out: order, nulls, headers, timestamps, placement, sizes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from headrace.log.errors import LogError
from headrace.log.interface import ProducerOptions, TopicPartition
from headrace.log.records import RECORDS
from tests.logs.members import PATIENCE, Reader, at, produce, read_all, records

if TYPE_CHECKING:
    from collections.abc import Callable

    from headrace.log.interface import Log


def test_records_of_a_partition_keep_their_order(log: Log, make_topic: Callable[..., str]) -> None:
    topic = make_topic()
    values = [str(number).encode() for number in range(20_000)]
    produce(log, topic, value=values[:15_000])
    produce(log, topic, value=values[15_000:])
    rows = read_all(log, topic)
    assert [row["value"] for row in rows] == values
    assert [row["offset"] for row in rows] == list(range(20_000))


def test_batches_have_the_schema_of_records(log: Log, make_topic: Callable[..., str]) -> None:
    topic = make_topic(2)
    produce(log, topic, key=[b"a", b"b", b"c"], value=[b"1", b"2", b"3"])
    with Reader(log).assign(TopicPartition(topic, 0), TopicPartition(topic, 1)) as reader:
        seen = 0
        deadline = time.monotonic() + PATIENCE
        while seen < 3 and time.monotonic() < deadline:
            for batch in reader.consumer.poll(100, 0.1):
                assert batch.schema == RECORDS
                batch.validate(full=True)
                seen += batch.num_rows
        assert seen == 3


def test_null_is_apart_from_empty(log: Log, make_topic: Callable[..., str]) -> None:
    topic = make_topic()
    produce(log, topic, key=[None, b"", b"k", b"k"], value=[b"v", b"v", None, b""])
    assert [(row["key"], row["value"]) for row in read_all(log, topic)] == [
        (None, b"v"),
        (b"", b"v"),
        (b"k", None),
        (b"k", b""),
    ]


def test_headers_come_back(log: Log, make_topic: Callable[..., str]) -> None:
    topic = make_topic()
    headers = [
        [("a", b"1"), ("a", b"2"), ("empty", b""), ("nothing", None)],
        None,
        [("größe", b"\x00\xff")],
    ]
    shaped = [
        None if item is None else [{"key": key, "value": value} for key, value in item] for item in headers
    ]
    produce(log, topic, value=[b"1", b"2", b"3"], headers=shaped)
    assert [row["headers"] for row in read_all(log, topic)] == shaped


def test_timestamps_are_kept_and_set_where_absent(log: Log, make_topic: Callable[..., str]) -> None:
    topic = make_topic()
    before = int(time.time() * 1000)
    produce(log, topic, value=[b"1", b"2"], timestamp=[1_500_000_000_123, None])
    produce(log, topic, value=[b"3"])
    first, second, third = (row["timestamp"] for row in read_all(log, topic))
    assert first == at(1_500_000_000_123)
    assert at(before) <= second <= third <= at(int(time.time() * 1000))


def test_a_topic_may_take_the_time_of_arrival(log: Log, make_topic: Callable[..., str]) -> None:
    topic = make_topic(message_timestamp_type="LogAppendTime")
    before = int(time.time() * 1000)
    produce(log, topic, value=[b"1", b"2"], timestamp=[1_500_000_000_123, None])
    for row in read_all(log, topic):
        assert at(before) <= row["timestamp"] <= at(int(time.time() * 1000))


def test_partition_column_wins_over_the_key(log: Log, make_topic: Callable[..., str]) -> None:
    topic = make_topic(4)
    produce(log, topic, key=[b"same"] * 5, value=[b"0", b"3", b"1", b"2", b"0"], partition=[0, 3, 1, 2, 0])
    assert [(row["partition"], row["value"]) for row in read_all(log, topic, 4)] == [
        (0, b"0"),
        (0, b"0"),
        (1, b"1"),
        (2, b"2"),
        (3, b"3"),
    ]


def test_keys_are_placed_as_java_places_them(log: Log, make_topic: Callable[..., str]) -> None:
    # Computed with org.apache.kafka.common.utils.Utils.toPositive(murmur2(key)) % 7.
    expected = {
        b"": 275646681 % 7,
        b"21": (-973932308 & 0x7FFFFFFF) % 7,
        b"foobar": (-790332482 & 0x7FFFFFFF) % 7,
        b"a-little-bit-long-string": (-985981536 & 0x7FFFFFFF) % 7,
        b"a-little-bit-longer-string": (-1486304829 & 0x7FFFFFFF) % 7,
        b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": (-58897971 & 0x7FFFFFFF) % 7,
        b"abc": 479470107 % 7,
    }
    topic = make_topic(7)
    produce(log, topic, key=list(expected), value=list(expected))
    assert {row["value"]: row["partition"] for row in read_all(log, topic, 7)} == expected


def test_records_without_a_key_are_all_stored(log: Log, make_topic: Callable[..., str]) -> None:
    topic = make_topic(3)
    values = [str(number).encode() for number in range(3_000)]
    produce(log, topic, value=values)
    assert sorted(row["value"] for row in read_all(log, topic, 3)) == sorted(values)


def test_big_values_pass(log: Log, make_topic: Callable[..., str]) -> None:
    topic = make_topic(max_message_bytes=str(16 << 20))
    big = bytes(range(256)) * (40 << 10)
    producer = log.producer(ProducerOptions(properties={"message.max.bytes": str(16 << 20)}))
    producer.send(topic, records(value=[b"before", big, b"after"]))
    assert producer.flush(PATIENCE) == []
    producer.close()
    assert [row["value"] for row in read_all(log, topic)] == [b"before", big, b"after"]


def test_a_record_that_is_too_large_is_reported_with_its_row(
    log: Log, make_topic: Callable[..., str]
) -> None:
    topic = make_topic(max_message_bytes="2000")
    producer = log.producer(ProducerOptions())
    first = producer.send(topic, records(value=[b"1"]))
    assert producer.flush(PATIENCE) == []
    second = producer.send(topic, records(value=[bytes(range(256)) * 40]))
    (failure,) = producer.flush(PATIENCE)
    producer.close()
    assert (failure.topic, failure.batch, failure.row, failure.retriable) == (topic, second, 0, False)
    assert second == first + 1
    assert [row["value"] for row in read_all(log, topic)] == [b"1"]


def test_batches_of_one_record_come_back_whole(log: Log, make_topic: Callable[..., str]) -> None:
    topic = make_topic()
    producer = log.producer(ProducerOptions())
    values = [str(number).encode() for number in range(1, 501)]
    for value in values:
        producer.send(topic, records(value=[value], key=[value], timestamp=[int(value)]))
    assert producer.flush(PATIENCE) == []
    producer.close()
    rows = read_all(log, topic)
    assert [(row["value"], row["key"], row["timestamp"]) for row in rows] == [
        (value, value, at(int(value))) for value in values
    ]


def test_polls_of_one_record_give_each_once(log: Log, make_topic: Callable[..., str]) -> None:
    topic = make_topic(2)
    values = [str(number).encode() for number in range(200)]
    produce(log, topic, value=values, partition=[number % 2 for number in range(200)])
    with Reader(log).assign(TopicPartition(topic, 0), TopicPartition(topic, 1)) as reader:
        deadline = time.monotonic() + PATIENCE
        while len(reader.rows) < 200 and time.monotonic() < deadline:
            assert reader.poll(0.5, max_records=1) <= 1
        assert sorted(reader.values) == sorted(values)  # type: ignore[type-var]


def test_linger_fills_a_batch(log: Log, make_topic: Callable[..., str]) -> None:
    topic = make_topic()
    produce(log, topic, value=[b"x"] * 100)
    with Reader(log).assign(TopicPartition(topic, 0)) as reader:
        began = time.monotonic()
        assert reader.poll(PATIENCE, max_records=100, linger=PATIENCE) == 100
        assert time.monotonic() - began < PATIENCE


def test_an_empty_batch_can_be_sent(log: Log, make_topic: Callable[..., str]) -> None:
    topic = make_topic()
    produce(log, topic, value=[])
    produce(log, topic, value=[b"1"])
    assert [row["value"] for row in read_all(log, topic)] == [b"1"]


def test_slices_and_string_columns_can_be_sent(log: Log, make_topic: Callable[..., str]) -> None:
    topic = make_topic()
    whole = records(key=[b"a", b"b", b"c", b"d"], value=[b"1", None, b"3", b"4"])
    producer = log.producer(ProducerOptions())
    producer.send(topic, whole.slice(1, 2))
    assert producer.flush(PATIENCE) == []
    producer.close()
    assert [(row["key"], row["value"]) for row in read_all(log, topic)] == [(b"b", None), (b"c", b"3")]


def test_a_batch_without_values_is_refused(log: Log, make_topic: Callable[..., str]) -> None:
    topic = make_topic()
    producer = log.producer(ProducerOptions())
    with pytest.raises(LogError):
        producer.send(topic, pa.record_batch({"key": pa.array([b"a"])}))
    producer.close()
