"""Records that are written straight to their brokers: as librdkafka writes them, once and in order whatever is cut off."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from headrace.errors.codes import log as log_codes
from headrace.log.errors import AbortableError, FencedError, LogError
from headrace.log.interface import ConsumerOptions, ProducerOptions, TopicDescription, TopicPartition
from headrace.log.kafka import KafkaLog, KafkaProducer
from tests.kafka.cutting import (
    ADD_OFFSETS,
    ADD_PARTITIONS,
    COMMIT_OFFSETS,
    END,
    INIT_PRODUCER_ID,
    PRODUCE,
    CuttingProxy,
)
from tests.kafka.test_direct import AROUND, every_kind, read
from tests.kafka.traffic import PATIENCE, keyed, poll_until, read_all, send, values

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers.kafka import KafkaAddress, KafkaServer

pytestmark = pytest.mark.kafka

THROUGH = {"headrace.direct.produce": "false"}


def producer_of(log: KafkaLog, *, transactional_id: str | None = None, **properties: str) -> KafkaProducer:
    options = ProducerOptions(
        transactional_id=transactional_id,
        properties={name.replace("_", "."): value for name, value in properties.items()},
    )
    producer = log.producer(options)
    assert isinstance(producer, KafkaProducer)
    return producer


def port_of(kafka: KafkaAddress) -> int:
    return int(kafka.bootstrap.rpartition(":")[2])


def numbered(numbers: range) -> pa.RecordBatch:
    return keyed((str(number), number) for number in numbers)


def content(found: list[dict[str, Any]]) -> list[Any]:
    return [
        (row["partition"], row["offset"], row["timestamp"], row["key"], row["value"], row["headers"])
        for row in found
    ]


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4"])
def test_the_records_are_those_that_librdkafka_writes(
    log: KafkaLog, make_topic: Callable[..., str], codec: str
) -> None:
    found = []
    for properties in ({}, THROUGH):
        topic = make_topic(3)
        producer = log.producer(ProducerOptions(properties={"compression.type": codec, **properties}))
        assert isinstance(producer, KafkaProducer)
        assert producer.writes_around() is not bool(properties)
        records = every_kind(3_000)
        # Without a key the choice is the client's; librdkafka has no time 0.
        partition = pa.array(
            [None if key is not None else row % 3 for row, key in enumerate(records["key"].to_pylist())],
            pa.int32(),
        )
        producer.send(topic, records.append_column("partition", partition).slice(1))
        assert producer.flush(PATIENCE) == []
        producer.close()
        found.append(content(read(log, topic, 3, AROUND)))
    assert len(found[0]) == 2_999
    assert found[0] == found[1]


def test_what_only_librdkafka_does_is_left_to_it(log: KafkaLog) -> None:
    for properties in ({"compression.type": "zstd"}, {"acks": "1", "enable.idempotence": "false"}, THROUGH):
        producer = log.producer(ProducerOptions(properties=properties))
        assert isinstance(producer, KafkaProducer)
        assert not producer.writes_around()
        producer.close()


def test_records_without_a_time_have_that_of_sending_and_zero_is_a_time(
    log: KafkaLog, make_topic: Callable[..., str]
) -> None:
    topic = make_topic()
    producer = producer_of(log)
    begun = time.time() * 1000
    times = pa.array([None, 0], pa.timestamp("ms", "UTC"))
    producer.send(topic, values(["now", "zero"]).append_column("timestamp", times))
    assert producer.flush(PATIENCE) == []
    producer.close()
    now, zero = (row["timestamp"].timestamp() * 1000 for row in read_all(log, topic))
    assert begun - 1 <= now <= time.time() * 1000
    assert zero == 0


def test_batches_of_all_sizes_and_new_partitions(log: KafkaLog, make_topic: Callable[..., str]) -> None:
    topic = make_topic(2)
    # A record for each batch, and batches of one record that is larger than a batch should be.
    producer = producer_of(log, batch_size="300", topic_metadata_refresh_interval_ms="1000")
    expected = [f"{number}".rjust(number % 700, "x") for number in range(1_500)]
    for begin in range(0, 1_500, 250):
        producer.send(topic, keyed((text, 0) for text in expected[begin : begin + 250]))
    producer.send(topic, values([]))
    assert producer.flush(PATIENCE) == []
    assert sum(producer.positions().values()) == 1_500
    found = read_all(log, topic, 2)
    assert sorted(row["key"].decode() for row in found) == sorted(expected)
    producer.close()


def test_cut_connections_lose_nothing_and_double_nothing(
    kafka: KafkaAddress, log: KafkaLog, make_topic: Callable[..., str]
) -> None:
    topic = make_topic(3)
    with CuttingProxy(port_of(kafka), 1) as proxy:
        producer = producer_of(KafkaLog(proxy.bootstrap), batch_size="2000")
        proxy.share = 0.3
        for begin in range(0, 6_000, 100):
            producer.send(topic, numbered(range(begin, begin + 100)))
        until = time.monotonic() + 2 * PATIENCE
        while not proxy.lost.get(PRODUCE):
            assert time.monotonic() < until
            time.sleep(0.01)
        assert producer.flush(2 * PATIENCE) == []
        producer.close()
    assert proxy.cut > 5
    found = read_all(log, topic, 3)
    assert sorted(int(row["key"]) for row in found) == list(range(6_000))
    for partition in range(3):
        mine = [int(row["key"]) for row in found if row["partition"] == partition]
        assert mine == sorted(mine)


@pytest.mark.parametrize("seed", range(2))
def test_cut_transactions_are_whole_and_done_once(
    kafka: KafkaAddress, log: KafkaLog, name: str, make_topic: Callable[..., str], seed: int
) -> None:
    source, target = make_topic(1), make_topic(3)
    count, size = 60, 20
    send(log, source, values(range(count * size)))
    place = TopicPartition(source, 0)
    consumer = log.consumer(ConsumerOptions(group=name))
    consumer.subscribe([source], on_assign=_ignore, on_revoke=_ignore, on_lost=_ignore)
    poll_until(consumer, lambda found: bool(found))
    aborted = 0
    with CuttingProxy(port_of(kafka), seed) as proxy:
        producer = producer_of(KafkaLog(proxy.bootstrap), transactional_id=name)
        proxy.share = 0.2
        done = 0
        until = time.monotonic() + 4 * PATIENCE
        while done < count:
            assert time.monotonic() < until
            numbers = range(done * size, (done + 1) * size)
            try:
                producer.begin()
                producer.send(target, numbered(numbers))
                if (done + aborted) % 7 == 3:
                    aborted += 1
                    producer.abort()
                    continue
                producer.commit({place: numbers.stop}, consumer)
                done += 1
            except AbortableError:
                aborted += 1
                producer.abort()
            except FencedError:
                # The end of the last one is not known: whoever comes next asks how far it got.
                producer.close()
                producer = producer_of(KafkaLog(proxy.bootstrap), transactional_id=name)
                committed = consumer.committed([place])
                done = committed.get(place, 0) // size
        producer.close()
    consumer.close()
    assert aborted > 0
    assert set(proxy.lost) >= {PRODUCE, END}, proxy.lost
    found = read_all(log, target, 3)
    assert sorted(int(row["key"]) for row in found) == list(range(count * size))


# By the numbers of the protocol. What passes is tried again and nobody hears of it.
PASSING = (
    (PRODUCE, [6, 19, 7, 5]),
    (PRODUCE, [3, 3]),
    (ADD_PARTITIONS, [51, 14, 16, 3, 55]),
    (ADD_OFFSETS, [51, 15]),
    (COMMIT_OFFSETS, [16, 3, 7]),
    (END, [51, 14, 16]),
)
# These end the transaction, which is done again.
AGAIN = (
    (PRODUCE, 45),
    (PRODUCE, 59),
    (PRODUCE, 47),
    (PRODUCE, 48),
    (ADD_PARTITIONS, 49),
    (COMMIT_OFFSETS, 25),
    (COMMIT_OFFSETS, 113),
)
FORBIDDEN = (
    (PRODUCE, 29),
    (ADD_PARTITIONS, 29),
    (ADD_PARTITIONS, 53),
    (INIT_PRODUCER_ID, 31),
    (INIT_PRODUCER_ID, 53),
)
# And these the producer.
OVER = (
    (PRODUCE, 90),
    (ADD_PARTITIONS, 90),
    (ADD_PARTITIONS, 47),
    (ADD_OFFSETS, 90),
    (COMMIT_OFFSETS, 90),
    (END, 90),
    (END, 47),
)


def test_what_a_broker_refuses_is_done_again_or_told(
    kafka: KafkaAddress, log: KafkaLog, name: str, make_topic: Callable[..., str]
) -> None:
    source, topic = make_topic(1), make_topic(2)
    place = TopicPartition(source, 0)
    consumer = log.consumer(ConsumerOptions(group=name))
    consumer.assign({place: 0})
    expected: list[int] = []
    with CuttingProxy(port_of(kafka), 1) as proxy:
        proxied = KafkaLog(proxy.bootstrap)
        proxy.refusals[INIT_PRODUCER_ID] = [51, 14, 16]
        producer = producer_of(proxied, transactional_id=name)

        def transaction() -> None:
            numbers = range(len(expected), len(expected) + 20)
            producer.begin()
            producer.send(topic, numbered(numbers))
            producer.commit({place: numbers.stop}, consumer)
            expected.extend(numbers)

        for request, codes in PASSING:
            proxy.refusals[request] = [*codes]
            transaction()
            assert not proxy.refusals[request]
        for request, code in AGAIN:
            proxy.refusals[request] = [code]
            with pytest.raises(AbortableError):
                transaction()
            producer.abort()
            transaction()
        for request, code in OVER:
            proxy.refusals[request] = [code]
            with pytest.raises(FencedError):
                transaction()
            producer.close()
            producer = producer_of(proxied, transactional_id=name)
            transaction()
        producer.close()
    consumer.close()
    assert sorted(int(row["key"]) for row in read_all(log, topic, 2)) == expected
    assert log.admin().group_offsets(name) == {place: len(expected)}


def test_what_may_not_be_written_is_told(
    kafka: KafkaAddress, log: KafkaLog, name: str, make_topic: Callable[..., str]
) -> None:
    topic = make_topic(2)
    with CuttingProxy(port_of(kafka), 1) as proxy:
        proxied = KafkaLog(proxy.bootstrap)

        def write(transactional_id: str | None) -> None:
            with closing(producer_of(proxied, transactional_id=transactional_id)) as producer:
                if transactional_id is not None:
                    producer.begin()
                producer.send(topic, numbered(range(10)))
                producer.flush(PATIENCE)

        for request, code in FORBIDDEN:
            for transactional_id in (name,) if request == ADD_PARTITIONS else (None, name):
                proxy.refusals[request] = [code]
                with pytest.raises(LogError) as caught:
                    write(transactional_id)
                assert caught.value.diagnostics[0].code == log_codes.FORBIDDEN
        # What is wrong with records is told of each of them, and the next ones go through under the same number.
        with closing(producer_of(proxied)) as producer:
            for code, reason in ((10, "MSG_SIZE_TOO_LARGE"), (87, "INVALID_RECORD")):
                proxy.refusals[PRODUCE] = [code]
                producer.send(topic, numbered(range(1)))
                (failure,) = producer.flush(PATIENCE)
                assert (failure.row, failure.retriable) == (0, False)
                assert reason in failure.reason
                producer.send(topic, numbered(range(1)))
                assert producer.flush(PATIENCE) == []
        # Another number than the broker expects: a new producer, nothing lost.
        with closing(producer_of(proxied)) as producer:
            for code in (0, 45, 59, 47):
                proxy.refusals[PRODUCE] = [code] if code else []
                producer.send(topic, numbered(range(1)))
                assert producer.flush(PATIENCE) == []
    assert len(read_all(log, topic, 2)) == 6


def test_a_broker_that_goes_and_comes_has_every_record_once(own_kafka: KafkaServer, name: str) -> None:
    log = KafkaLog(own_kafka.bootstrap)
    with closing(log.admin()) as admin:
        admin.create(TopicDescription(name, 2))
    producer = producer_of(log)
    (node,) = own_kafka.nodes
    sent = 0
    for _ in range(2):
        for _ in range(20):
            producer.send(name, numbered(range(sent, sent + 50)))
            sent += 50
        node.stop()
        for _ in range(20):
            producer.send(name, numbered(range(sent, sent + 50)))
            sent += 50
        node.launch()
        node.await_ready()
        assert producer.flush(2 * PATIENCE) == []
    producer.close()
    found = rows_in_order(read_all(log, name, 2))
    assert sorted(number for numbers in found.values() for number in numbers) == list(range(sent))
    assert all(numbers == sorted(numbers) for numbers in found.values())


def rows_in_order(found: list[dict[str, Any]]) -> dict[int, list[int]]:
    numbers: dict[int, list[int]] = {}
    for row in found:
        numbers.setdefault(row["partition"], []).append(int(row["key"]))
    return numbers


def _ignore(items: object) -> None:
    """Take no notice."""
