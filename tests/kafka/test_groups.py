"""Consumer groups under both protocols."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from headrace.errors.codes import log as codes
from headrace.log.errors import LogError
from headrace.log.interface import ConsumerOptions, ProducerOptions, TopicDescription, TopicPartition
from headrace.log.kafka import KafkaLog
from tests.kafka.traffic import PATIENCE, Member, poll_until, rows, send, values
from tests.servers.kafka import KafkaServer

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.kafka

PROTOCOLS = {
    "kip848": {"group.protocol": "consumer"},
    "classic": {"group.protocol": "classic", "session.timeout.ms": "6000", "heartbeat.interval.ms": "300"},
    "cooperative": {
        "group.protocol": "classic",
        "partition.assignment.strategy": "cooperative-sticky",
        "session.timeout.ms": "6000",
        "heartbeat.interval.ms": "300",
    },
}


@pytest.fixture(params=list(PROTOCOLS.values()), ids=list(PROTOCOLS))
def protocol(request: pytest.FixtureRequest) -> dict[str, str]:
    properties: dict[str, str] = request.param
    return properties


def test_a_rebalance_while_reading_loses_and_doubles_nothing(
    log: KafkaLog, name: str, make_topic: Callable[..., str], protocol: dict[str, str]
) -> None:
    topic = make_topic(4)
    producer = log.producer(ProducerOptions())
    options = ConsumerOptions(group=name, properties=protocol)
    first = Member(log, options, [topic])
    second: Member | None = None
    seen: Counter[bytes] = Counter()
    sent = 0
    end = time.monotonic() + PATIENCE
    while sent < 6000 or seen.total() < sent:
        assert time.monotonic() < end, f"{seen.total()} of {sent}, {first.events}"
        if sent < 6000:
            producer.send(topic, values(range(sent, sent + 100)))
            sent += 100
        if sent == 2000:
            second = Member(log, options, [topic])
        for member in (first, second):
            if member is not None:
                # Whatever is committed was read: the committing is done by `Member` when partitions go.
                batch = rows(member.consumer.poll(500, 0.02))
                assert all(TopicPartition(topic, row["partition"]) in member.owned for row in batch)
                seen.update(row["value"] for row in batch)
    assert second is not None
    while not (len(first.owned) == len(second.owned) == 2):
        assert time.monotonic() < end, (first.events, second.events)
        for member in (first, second):
            assert member.consumer.poll(500, 0.05) == []
    assert set(seen.values()) == {1}
    assert len(seen) == sent
    assert "lost" not in "".join(first.events + second.events)
    second.consumer.close()
    poll_until(first.consumer, lambda _: len(first.owned) == 4)
    first.consumer.close()
    producer.close()
    assert sum(log.admin().group_offsets(name).values()) == sent


def test_a_static_member_comes_back_without_a_rebalance(
    log: KafkaLog, name: str, make_topic: Callable[..., str], protocol: dict[str, str]
) -> None:
    topic = make_topic(4)
    members = [
        Member(log, ConsumerOptions(group=name, instance=f"pod-{number}", properties=protocol), [topic])
        for number in range(2)
    ]
    end = time.monotonic() + PATIENCE
    while [len(member.owned) for member in members] != [2, 2]:
        assert time.monotonic() < end, [member.events for member in members]
        for member in members:
            member.consumer.poll(10, 0.05)
    stays, goes = members
    owned, before = set(goes.owned), list(stays.events)
    goes.consumer.close()
    again = Member(log, ConsumerOptions(group=name, instance="pod-1", properties=protocol), [topic])
    while again.owned != owned:
        assert time.monotonic() < end, (again.events, owned)
        again.consumer.poll(10, 0.05)
        stays.consumer.poll(10, 0.05)
    assert stays.events == before
    for member in (stays, again):
        member.consumer.close()


def test_a_member_that_is_killed_gives_its_partitions_up(
    log: KafkaLog, name: str, make_topic: Callable[..., str]
) -> None:
    topic = make_topic(2)
    options = ConsumerOptions(group=name, properties=PROTOCOLS["classic"] | {"session.timeout.ms": "2000"})
    first, second = Member(log, options, [topic]), Member(log, options, [topic])
    end = time.monotonic() + PATIENCE
    while not (first.owned and second.owned):
        assert time.monotonic() < end
        for member in (first, second):
            member.consumer.poll(10, 0.05)
    second.consumer._native.destroy()  # it neither leaves nor beats any more, as after kill -9
    poll_until(first.consumer, lambda _: len(first.owned) == 2)
    first.consumer.close()


def test_seek_and_pause_in_on_assign_hold_from_the_first_record(
    log: KafkaLog, name: str, make_topic: Callable[..., str], protocol: dict[str, str]
) -> None:
    topic = make_topic(2)
    send(log, topic, values(range(10)).append_column("partition", _int32([0] * 5 + [1] * 5)))
    consumer = log.consumer(ConsumerOptions(group=name, properties=protocol))
    reading, resting = TopicPartition(topic, 0), TopicPartition(topic, 1)

    def assigned(items: object) -> None:
        consumer.seek({reading: 3})
        consumer.pause([resting])
        assert consumer.positions() == {reading: 3, resting: 0}

    consumer.subscribe([topic], on_assign=assigned, on_revoke=_nothing, on_lost=_nothing)
    found = poll_until(consumer, lambda found: len(found) >= 2)
    found += rows(consumer.poll(10, 0.3))
    assert [row["value"] for row in found] == [b"3", b"4"]
    consumer.resume([resting])
    assert len(poll_until(consumer, lambda found: len(found) >= 5)) == 5
    consumer.close()


def test_the_classic_protocol_serves_where_the_broker_does_not_know_the_new_one(name: str) -> None:
    with KafkaServer(features={"group.version": 0}) as old:
        log = KafkaLog(old.bootstrap)
        log.admin().create(TopicDescription("orders", 2))
        send(log, "orders", values(range(10)))
        member = Member(log, ConsumerOptions(group=name), ["orders"])
        assert len(poll_until(member.consumer, lambda found: len(found) == 10)) == 10
        assert member.events == ["assign 2"]
        member.consumer.close()
        assert sum(log.admin().group_offsets(name).values()) == 10


def test_a_property_of_the_classic_protocol_chooses_it(
    log: KafkaLog, name: str, make_topic: Callable[..., str]
) -> None:
    topic = make_topic()
    send(log, topic, values([1]))
    member = Member(log, ConsumerOptions(group=name, properties={"session.timeout.ms": "7000"}), [topic])
    assert len(poll_until(member.consumer, lambda found: len(found) == 1)) == 1
    member.consumer.close()


def test_a_topic_that_is_not_there_is_an_error(log: KafkaLog, name: str, protocol: dict[str, str]) -> None:
    member = Member(log, ConsumerOptions(group=name, properties=protocol), [name])
    with pytest.raises(LogError) as caught:
        poll_until(member.consumer, lambda _: False)
    assert caught.value.diagnostics[0].code == codes.NO_SUCH_TOPIC
    member.consumer.close()


def test_partitions_that_are_added_are_read(log: KafkaLog, name: str, make_topic: Callable[..., str]) -> None:
    topic = make_topic()
    properties = {"topic.metadata.refresh.interval.ms": "500"}
    member = Member(log, ConsumerOptions(group=name, properties=properties), [topic])
    poll_until(member.consumer, lambda _: len(member.owned) == 1)
    log.admin().add_partitions(topic, 3)
    poll_until(member.consumer, lambda _: len(member.owned) == 3)
    member.consumer.close()


def _nothing(items: object) -> None:
    """Take no notice."""


def _int32(numbers: list[int]) -> pa.Int32Array:
    return pa.array(numbers, pa.int32())
