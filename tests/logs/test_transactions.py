"""Transactions: outputs and offsets become visible together, or not at all, and only by whoever still may."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from headrace.log.errors import FencedError, LogError
from headrace.log.interface import TopicPartition
from tests.logs.members import PATIENCE, Reader, produce, read_all, records, transactional, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from headrace.log.interface import Log


@pytest.fixture
def name() -> str:
    return f"transactional-{uuid.uuid4().hex[:8]}"


def test_outputs_are_hidden_until_commit(
    log: Log, make_topic: Callable[..., str], group: str, name: str
) -> None:
    source, target = make_topic(), make_topic(2)
    produce(log, source, value=[b"in"])
    producer = transactional(log, name)
    with (
        Reader(log, group=group).subscribe(source) as reader,
        Reader(log).assign(TopicPartition(target, 0), TopicPartition(target, 1)) as watcher,
    ):
        reader.read(1)
        producer.begin()
        producer.send(target, records(value=[b"a", b"b"], partition=[0, 1]))
        producer.send(target, records(value=[b"c"], partition=[0]))
        assert producer.flush(PATIENCE) == []
        for _ in range(5):
            watcher.poll(0.05)
        assert watcher.rows == []
        assert reader.consumer.committed([TopicPartition(source, 0)]) == {}
        producer.commit(reader.consumer.positions(), reader.consumer)
        watcher.read(3)
        assert sorted((row["partition"], row["value"]) for row in watcher.rows) == [
            (0, b"a"),
            (0, b"c"),
            (1, b"b"),
        ]
        assert reader.consumer.committed([TopicPartition(source, 0)]) == {TopicPartition(source, 0): 1}
    producer.close()


def test_what_was_aborted_is_never_seen(
    log: Log, make_topic: Callable[..., str], group: str, name: str
) -> None:
    source, target = make_topic(), make_topic()
    produce(log, source, value=[b"in"])
    producer = transactional(log, name)
    with Reader(log, group=group).subscribe(source) as reader:
        reader.read(1)
        producer.begin()
        producer.send(target, records(value=[b"aborted"]))
        producer.flush(PATIENCE)
        producer.abort()
        producer.begin()
        producer.send(target, records(value=[b"committed"]))
        producer.commit(reader.consumer.positions(), reader.consumer)
    producer.close()
    assert [row["value"] for row in read_all(log, target)] == [b"committed"]


def test_many_transactions_go_on_after_each_other(
    log: Log, make_topic: Callable[..., str], group: str, name: str
) -> None:
    source, target = make_topic(), make_topic()
    produce(log, source, value=[str(number).encode() for number in range(20)])
    producer = transactional(log, name)
    place = TopicPartition(source, 0)
    with Reader(log, group=group).subscribe(source) as reader:
        reader.read(20)
        for number in range(20):
            producer.begin()
            producer.send(target, records(value=[str(number).encode()]))
            producer.commit({place: number + 1}, reader.consumer)
        assert reader.consumer.committed([place]) == {place: 20}
    producer.close()
    assert [row["value"] for row in read_all(log, target)] == [str(number).encode() for number in range(20)]


def test_a_transaction_may_move_offsets_alone(
    log: Log, make_topic: Callable[..., str], group: str, name: str
) -> None:
    source = make_topic()
    produce(log, source, value=[b"in"])
    producer = transactional(log, name)
    with Reader(log, group=group).subscribe(source) as reader:
        reader.read(1)
        producer.begin()
        producer.commit(reader.consumer.positions(), reader.consumer)
        assert reader.consumer.committed([TopicPartition(source, 0)]) == {TopicPartition(source, 0): 1}
    producer.close()


def test_the_last_producer_of_an_id_fences_the_others(
    log: Log, make_topic: Callable[..., str], group: str, name: str
) -> None:
    source, target = make_topic(), make_topic()
    produce(log, source, value=[b"in"])
    old = transactional(log, name)
    with Reader(log, group=group).subscribe(source) as reader:
        reader.read(1)
        old.begin()
        old.send(target, records(value=[b"old"]))
        new = transactional(log, name)
        with pytest.raises(FencedError):
            old.commit(reader.consumer.positions(), reader.consumer)
        assert reader.consumer.committed([TopicPartition(source, 0)]) == {}
        new.begin()
        new.send(target, records(value=[b"new"]))
        new.commit(reader.consumer.positions(), reader.consumer)
    old.close()
    new.close()
    assert [row["value"] for row in read_all(log, target)] == [b"new"]


def test_a_member_that_has_left_cannot_commit(
    log: Log, make_topic: Callable[..., str], group: str, name: str
) -> None:
    source, target = make_topic(), make_topic()
    produce(log, source, value=[b"in"])
    producer = transactional(log, name)
    with Reader(log, group=group).subscribe(source) as gone:
        gone.read(1)
        positions = gone.consumer.positions()
        producer.begin()
        producer.send(target, records(value=[b"late"]))
    # The member has left, another has the partition: its transaction must not move the offsets of the group.
    with Reader(log, group=group).subscribe(source) as successor:
        wait_for([successor], lambda: successor.owned == {TopicPartition(source, 0)})
        with pytest.raises(LogError):
            producer.commit(positions, gone.consumer)
        assert successor.consumer.committed([TopicPartition(source, 0)]) == {}
    producer.close()
    assert read_all(log, target) == []
