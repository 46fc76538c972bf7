"""Groups: who reads which partition, and where a group goes on."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from headrace.log.errors import LogError
from headrace.log.interface import GroupMember, OffsetReset, ProducerOptions, TopicPartition
from headrace.log.kafka.consumer import KafkaConsumer
from headrace.log.kafka.producer import KafkaProducer
from tests.logs.members import PATIENCE, Reader, produce, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from headrace.log.interface import Log


def all_of(topic: str, partitions: int) -> set[TopicPartition]:
    return {TopicPartition(topic, number) for number in range(partitions)}


def test_one_member_reads_all_partitions(log: Log, make_topic: Callable[..., str], group: str) -> None:
    topic = make_topic(3)
    produce(log, topic, value=[b"0", b"1", b"2"], partition=[0, 1, 2])
    with Reader(log, group=group).subscribe(topic) as reader:
        reader.read(3)
        assert reader.owned == all_of(topic, 3)
        assert set(reader.consumer.assignment()) == all_of(topic, 3)
        assert sorted(row["value"] for row in reader.rows) == [b"0", b"1", b"2"]


@pytest.mark.kafka
@pytest.mark.parametrize("log", ["kafka"], indirect=True)
def test_what_it_is_given_ends_the_wait_of_a_member(
    log: Log, make_topic: Callable[..., str], group: str
) -> None:
    topic = make_topic(2)
    with Reader(log, group=group).subscribe(topic) as reader:
        begun = time.monotonic()
        assert reader.consumer.poll(10, PATIENCE) == []
        assert reader.owned == all_of(topic, 2)
        assert time.monotonic() - begun < PATIENCE


def test_a_group_goes_on_where_it_committed(log: Log, make_topic: Callable[..., str], group: str) -> None:
    topic = make_topic()
    place = TopicPartition(topic, 0)
    produce(log, topic, value=[b"0", b"1", b"2"])
    with Reader(log, group=group).subscribe(topic) as reader:
        reader.read(3)
        reader.consumer.commit({place: 2})
        assert reader.consumer.committed([place]) == {place: 2}
    with Reader(log, group=group).subscribe(topic) as reader:
        reader.read(1)
        assert reader.values == [b"2"]
    assert log.admin().group_offsets(group) == {place: 2}


def test_the_members_of_a_group_are_told(log: Log, make_topic: Callable[..., str], group: str) -> None:
    topic = make_topic(3)
    produce(log, topic, value=[b"0", b"1", b"2"], partition=[0, 1, 2])
    assert log.admin().group_members(group) == []
    with Reader(log, group=group, process="0123456789ab").subscribe(topic) as reader:
        reader.read(3)
        (member,) = log.admin().group_members(group)
        assert member == GroupMember("0123456789ab", frozenset(all_of(topic, 3)))
    assert log.admin().group_members(group) == []


def test_without_a_commit_a_group_begins_anew(log: Log, make_topic: Callable[..., str], group: str) -> None:
    topic = make_topic()
    produce(log, topic, value=[b"0", b"1"])
    for _ in range(2):
        with Reader(log, group=group).subscribe(topic) as reader:
            assert reader.consumer.committed([TopicPartition(topic, 0)]) == {}
            reader.read(2)
            assert reader.values == [b"0", b"1"]


def test_latest_begins_at_the_end(log: Log, make_topic: Callable[..., str], group: str) -> None:
    topic = make_topic()
    produce(log, topic, value=[b"old"])
    with Reader(log, group=group, offset_reset=OffsetReset.LATEST).subscribe(topic) as reader:
        wait_for([reader], lambda: reader.owned == all_of(topic, 1))
        wait_for([reader], lambda: reader.consumer.positions().get(TopicPartition(topic, 0)) == 1)
        produce(log, topic, value=[b"new"])
        reader.read(1)
        assert reader.values == [b"new"]


def test_without_an_offset_none_is_an_error(log: Log, make_topic: Callable[..., str], group: str) -> None:
    topic = make_topic()
    produce(log, topic, value=[b"0"])
    with (
        Reader(log, group=group, offset_reset=OffsetReset.NONE).subscribe(topic) as reader,
        pytest.raises(LogError),
    ):
        reader.read(1)


def test_two_members_share(log: Log, make_topic: Callable[..., str], group: str) -> None:
    topic = make_topic(4)
    with (
        Reader(log, group=group).subscribe(topic) as first,
        Reader(log, group=group).subscribe(topic) as second,
    ):
        wait_for([first, second], lambda: len(first.owned) == 2 and len(second.owned) == 2)
        assert first.owned | second.owned == all_of(topic, 4)


def test_a_newcomer_gets_its_share_after_it_was_given_up(
    log: Log, make_topic: Callable[..., str], group: str
) -> None:
    topic = make_topic(4)
    values = [str(number).encode() for number in range(400)]
    places = [number % 4 for number in range(400)]
    produce(log, topic, value=values[:200], partition=places[:200])
    with Reader(log, group=group).subscribe(topic) as first:
        first.read(200)
        # Whoever gives partitions up commits first, so that nothing is read twice.
        first.revoking = lambda: first.consumer.commit(first.consumer.positions())
        with Reader(log, group=group).subscribe(topic) as second:
            wait_for([first, second], lambda: len(first.owned) == 2 and len(second.owned) == 2)
            produce(log, topic, value=values[200:], partition=places[200:])
            wait_for([first, second], lambda: len(first.rows) + len(second.rows) >= 400)
            assert sorted(first.values + second.values) == sorted(values)  # type: ignore[type-var]
            assert len(second.rows) == 100


def test_a_member_that_leaves_hands_over(log: Log, make_topic: Callable[..., str], group: str) -> None:
    topic = make_topic(4)
    with Reader(log, group=group).subscribe(topic) as stays:
        with Reader(log, group=group).subscribe(topic) as leaves:
            wait_for([stays, leaves], lambda: len(stays.owned) == 2 and len(leaves.owned) == 2)
        assert leaves.events[-1][0] == "revoke"
        assert leaves.owned == set()
        wait_for([stays], lambda: stays.owned == all_of(topic, 4))


def test_topics_of_one_size_are_shared_alike(log: Log, make_topic: Callable[..., str], group: str) -> None:
    left, right = make_topic(4), make_topic(4)
    with (
        Reader(log, group=group).subscribe(left, right) as first,
        Reader(log, group=group).subscribe(left, right) as second,
    ):
        wait_for([first, second], lambda: len(first.owned) == 4 and len(second.owned) == 4)
        for reader in (first, second):
            numbers = {
                topic: {place.partition for place in reader.owned if place.topic == topic}
                for topic in (left, right)
            }
            assert numbers[left] == numbers[right]


def test_a_static_member_comes_back_without_a_rebalance(
    log: Log, make_topic: Callable[..., str], group: str
) -> None:
    topic = make_topic(4)
    with Reader(log, group=group, instance="one").subscribe(topic) as stays:
        with Reader(log, group=group, instance="two").subscribe(topic) as leaves:
            wait_for([stays, leaves], lambda: len(stays.owned) == 2 and len(leaves.owned) == 2)
            before = set(leaves.owned)
        events = list(stays.events)
        with Reader(log, group=group, instance="two").subscribe(topic) as returns:
            wait_for([stays, returns], lambda: len(returns.owned) == 2)
            for _ in range(10):
                stays.poll(0.02)
            assert returns.owned == before
            assert stays.events == events


def test_new_partitions_are_picked_up(log: Log, make_topic: Callable[..., str], group: str) -> None:
    topic = make_topic(1)
    properties = {"metadata.max.age.ms": "500", "topic.metadata.refresh.interval.ms": "500"}
    with Reader(log, group=group, properties=properties).subscribe(topic) as reader:
        wait_for([reader], lambda: reader.owned == all_of(topic, 1))
        admin = log.admin()
        admin.add_partitions(topic, 3)
        admin.close()
        wait_for([reader], lambda: reader.owned == all_of(topic, 3))
        assert not any(kind == "lost" for kind, _ in reader.events)
        produce(log, topic, value=[b"new"], partition=[2])
        reader.read(1)
        assert (reader.rows[0]["partition"], reader.rows[0]["value"]) == (2, b"new")


def test_two_groups_read_independently(log: Log, make_topic: Callable[..., str], group: str) -> None:
    topic = make_topic()
    produce(log, topic, value=[b"0", b"1"])
    with (
        Reader(log, group=group).subscribe(topic) as first,
        Reader(log, group=f"{group}-b").subscribe(topic) as second,
    ):
        first.read(2)
        first.consumer.commit(first.consumer.positions())
        second.read(2)
        assert second.consumer.committed([TopicPartition(topic, 0)]) == {}


def test_close_calls_on_revoke_while_it_can_still_commit(
    log: Log, make_topic: Callable[..., str], group: str
) -> None:
    topic = make_topic()
    produce(log, topic, value=[b"0", b"1"])
    with Reader(log, group=group).subscribe(topic) as reader:
        reader.revoking = lambda: reader.consumer.commit(reader.consumer.positions())
        reader.read(2)
    assert log.admin().group_offsets(group) == {TopicPartition(topic, 0): 2}


@pytest.mark.kafka
@pytest.mark.parametrize("log", ["kafka"], indirect=True)
def test_an_open_transaction_of_somebody_who_left_hides_no_offset(
    log: Log, make_topic: Callable[..., str], group: str
) -> None:
    """What members get while it is open begins where the group left off, not at the beginning (a fault of librdkafka)."""
    topic = make_topic(4)
    places = all_of(topic, 4)
    produce(
        log,
        topic,
        value=[b"%d" % (row // 4) for row in range(40)],
        partition=[row % 4 for row in range(40)],
    )
    with closing(log.producer(ProducerOptions(transactional_id=group))) as producer:
        assert isinstance(producer, KafkaProducer)
        with Reader(log, group=group).subscribe(topic) as first:
            first.read(40)
            first.consumer.commit(dict.fromkeys(places, 5))
            producer.begin()
            assert isinstance(first.consumer, KafkaConsumer)
            # As if it were killed between the two requests of a commit.
            offsets = [(place.topic, place.partition, 10) for place in places]
            producer._native.send_offsets(offsets, first.consumer.group_metadata(), 10.0)
        with Reader(log, group=group).subscribe(topic) as second:
            wait_for([second], lambda: len(second.owned) == 4)
            with Reader(log, group=group).subscribe(topic) as third:
                wait_for([second, third], lambda: len(second.owned) == 2 and len(third.owned) == 2)
                for _ in range(5):
                    assert second.poll() + third.poll() == 0
                producer.abort()
                wait_for([second, third], lambda: len(second.rows) == 10 and len(third.rows) == 10)
                assert {row["value"] for row in second.rows + third.rows} == {b"5", b"6", b"7", b"8", b"9"}
