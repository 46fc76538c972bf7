"""Transactions: what is seen, and what survives whom."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

import pytest

from headrace.errors.codes import log as codes
from headrace.log.errors import AbortableError, FencedError
from headrace.log.interface import ConsumerOptions, ProducerOptions, TopicPartition
from tests.engine.processes import Child
from tests.kafka.traffic import PATIENCE, Member, poll_until, read_all, send, values

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from headrace.log.kafka import KafkaLog

pytestmark = pytest.mark.kafka


def test_an_aborted_transaction_is_not_seen_and_positions_pass_its_markers(
    log: KafkaLog, name: str, make_topic: Callable[..., str]
) -> None:
    topic = make_topic()
    place = TopicPartition(topic, 0)
    consumer = log.consumer(ConsumerOptions())
    producer = log.producer(ProducerOptions(transactional_id=name))
    producer.begin()
    producer.send(topic, values(["kept"]))
    producer.commit({}, consumer)
    producer.begin()
    producer.send(topic, values(["dropped"]))
    assert producer.flush(PATIENCE) == []
    # The transaction is open: the end that a reader of committed records can reach lies before it.
    assert consumer.watermarks([place]) == {place: (0, 2)}
    producer.abort()
    producer.close()
    assert [row["value"] for row in read_all(log, topic)] == [b"kept"]
    assert [row["value"] for row in read_all(log, topic, committed=False)] == [b"kept", b"dropped"]
    consumer.assign({place: 0})
    poll_until(consumer, lambda found: consumer.positions()[place] == 4)
    assert consumer.watermarks([place]) == {place: (0, 4)}
    consumer.close()


# What the first has sent may have reached the broker before the second came, or not yet.
@pytest.mark.parametrize("linger", ["0", "5000"])
def test_a_second_producer_fences_the_first(
    log: KafkaLog, name: str, make_topic: Callable[..., str], linger: str
) -> None:
    topic = make_topic()
    consumer = log.consumer(ConsumerOptions())
    first = log.producer(ProducerOptions(transactional_id=name, properties={"linger.ms": linger}))
    first.begin()
    first.send(topic, values(["first"]))
    second = log.producer(ProducerOptions(transactional_id=name))
    second.begin()
    second.send(topic, values(["second"]))
    second.commit({}, consumer)
    with pytest.raises(FencedError) as caught:
        first.commit({}, consumer)
    assert caught.value.diagnostics[0].code == codes.PRODUCER_REPLACED
    first.close()
    second.close()
    consumer.close()
    assert [row["value"] for row in read_all(log, topic)] == [b"second"]


def test_offsets_of_a_lost_member_are_refused_and_the_work_can_be_done_again(
    log: KafkaLog, name: str, make_topic: Callable[..., str]
) -> None:
    source, target = make_topic(), make_topic()
    send(log, source, values(range(10)))
    properties = {"group.protocol": "classic", "session.timeout.ms": "2000", "heartbeat.interval.ms": "300"}
    old = Member(log, ConsumerOptions(group=name, instance="pod", properties=properties), [source])
    poll_until(old.consumer, lambda found: len(found) == 10)
    # The same instance starts elsewhere: the group belongs to the new one.
    new = Member(log, ConsumerOptions(group=name, instance="pod", properties=properties), [source])
    poll_until(new.consumer, lambda found: len(found) == 10)
    producer = log.producer(ProducerOptions(transactional_id=name))
    producer.begin()
    producer.send(target, values(["zombie"]))
    with pytest.raises((AbortableError, FencedError)):
        producer.commit({TopicPartition(source, 0): 10}, old.consumer)
    producer.abort()
    producer.begin()
    producer.send(target, values(["living"]))
    producer.commit({TopicPartition(source, 0): 10}, new.consumer)
    producer.close()
    # It commits before it hands over, and may not have heard yet that it is out.
    with contextlib.suppress(FencedError):
        old.consumer.close()
    new.consumer.close()
    assert [row["value"] for row in read_all(log, target)] == [b"living"]
    assert log.admin().group_offsets(name) == {TopicPartition(source, 0): 10}


def test_a_record_that_failed_refuses_the_commit(
    log: KafkaLog, name: str, make_topic: Callable[..., str]
) -> None:
    topic = make_topic()
    consumer = log.consumer(ConsumerOptions())
    producer = log.producer(ProducerOptions(transactional_id=name))
    producer.begin()
    producer.send(topic, values(["small", b"x" * 2_000_000]))
    with pytest.raises(AbortableError) as caught:
        producer.commit({}, consumer)
    assert caught.value.diagnostics[0].code == codes.NOT_DELIVERED
    assert [item.row for item in producer.flush(PATIENCE)] == [1]
    producer.abort()
    producer.begin()
    producer.send(topic, values(["again"]))
    producer.commit({}, consumer)
    producer.close()
    consumer.close()
    assert [row["value"] for row in read_all(log, topic)] == [b"again"]


def test_a_copier_that_is_killed_again_and_again_copies_everything_once(
    log: KafkaLog, name: str, make_topic: Callable[..., str], commands: Path, tmp_path: Path
) -> None:
    source, target = make_topic(2), make_topic(2)
    send(log, source, values(range(20_000)))
    call = log.name.removeprefix("kafka://"), source, target, name
    kills = 0
    end = time.monotonic() + 90
    while True:
        assert time.monotonic() < end
        with Child(commands, tmp_path / "lines", *call, module="tests.kafka.copier") as child:
            try:
                assert child.wait(0.4 + 0.3 * kills if kills < 4 else 60) == 0, child.lines.read_text()
                break
            except TimeoutError:
                kills += 1
    assert kills > 0
    copied = sorted(int(row["value"]) for row in read_all(log, target, 2))
    assert copied == list(range(20_000))
    assert sum(item for item in log.admin().group_offsets(name).values()) == 20_000
