"""Groups of the embedded log where time matters, on a clock that the test moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from headrace.errors import ProgramError
from headrace.errors.codes import log as codes
from headrace.log.embedded import EmbeddedLog
from headrace.log.embedded.groups import assign_ranges
from headrace.log.embedded.timing import Timing
from headrace.log.errors import AbortableError, FencedError, LogError
from headrace.log.interface import ConsumerOptions, ProducerOptions, TopicDescription, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from headrace.log.embedded.consumer import EmbeddedConsumer

VALUE = pa.record_batch({"value": pa.array([b"x"], pa.binary())})
PLACES = [TopicPartition("t", 0), TopicPartition("t", 1)]


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log(clock: Clock) -> Iterator[EmbeddedLog]:
    with EmbeddedLog(":memory:", clock=clock) as log:
        log.admin().create(TopicDescription("t", 2))
        yield log


class Member:
    def __init__(self, log: EmbeddedLog, instance: str | None = None, topics: Sequence[str] = ("t",)) -> None:
        self.owned: set[TopicPartition] = set()
        self.lost: set[TopicPartition] = set()
        self.consumer: EmbeddedConsumer = log.consumer(ConsumerOptions("g", instance))
        self.consumer.subscribe(
            topics, on_assign=self.owned.update, on_revoke=self.owned.difference_update, on_lost=self._lose
        )

    def _lose(self, places: Sequence[TopicPartition]) -> None:
        self.lost.update(places)
        self.owned.difference_update(places)

    def poll(self) -> None:
        self.consumer.poll(10, 0)


def test_a_silent_member_loses_its_partitions_after_the_session(log: EmbeddedLog, clock: Clock) -> None:
    silent, other = Member(log), Member(log)
    for member in (silent, other, silent, other):
        member.poll()
    assert silent.owned == {PLACES[0]}
    clock.now += 9_000
    other.poll()
    assert other.owned == {PLACES[1]}
    clock.now += 2_000
    other.poll()
    assert other.owned == set(PLACES)
    with pytest.raises(FencedError) as caught:
        silent.consumer.commit({PLACES[0]: 1})
    assert caught.value.diagnostics[0].code == codes.MEMBER_LOST
    silent.poll()
    assert silent.lost == {PLACES[0]}
    other.poll()
    silent.poll()
    assert len(silent.owned) == len(other.owned) == 1


def test_a_lost_member_aborts_and_works_again(log: EmbeddedLog, clock: Clock) -> None:
    silent, other = Member(log), Member(log)
    for member in (silent, other, silent, other):
        member.poll()
    producer = log.producer(ProducerOptions("id"))
    producer.begin()
    producer.send("t", VALUE)
    clock.now += 11_000
    other.poll()
    with pytest.raises(AbortableError):
        producer.commit({PLACES[0]: 1}, silent.consumer)
    producer.abort()
    for member in (silent, other, silent):
        member.poll()
    (place,) = silent.owned
    producer.begin()
    producer.send("t", VALUE)
    producer.commit({place: 0}, silent.consumer)
    assert log.admin().group_offsets("g") == {place: 0}


def test_a_member_that_nobody_replaced_goes_on_after_a_long_pause(log: EmbeddedLog, clock: Clock) -> None:
    member = Member(log)
    member.poll()
    clock.now += 60_000
    member.consumer.commit({PLACES[0]: 0})
    member.poll()
    assert (member.owned, member.lost) == (set(PLACES), set())


def test_the_newest_of_two_members_with_one_name_stays(log: EmbeddedLog) -> None:
    old = Member(log, "name")
    old.poll()
    new = Member(log, "name")
    new.poll()
    assert new.owned == set(PLACES)
    for call in (old.poll, lambda: old.consumer.commit({PLACES[0]: 0})):
        with pytest.raises(FencedError) as caught:
            call()
        assert caught.value.diagnostics[0].code == codes.MEMBER_REPLACED


def test_partitions_of_a_static_member_wait_for_it_until_its_session_ends(
    log: EmbeddedLog, clock: Clock
) -> None:
    stays, leaves = Member(log, "a"), Member(log, "b")
    for member in (stays, leaves, stays, leaves):
        member.poll()
    leaves.consumer.close()
    clock.now += 9_000
    stays.poll()
    assert len(stays.owned) == 1
    clock.now += 2_000
    stays.poll()
    assert stays.owned == set(PLACES)


def test_topics_are_read_as_soon_as_they_exist(log: EmbeddedLog) -> None:
    member = Member(log, topics=("t", "later"))
    member.poll()
    assert member.owned == set(PLACES)
    log.admin().create(TopicDescription("later", 1))
    member.poll()
    assert member.owned == {*PLACES, TopicPartition("later", 0)}


def test_partitions_of_a_deleted_topic_are_given_up_with_its_name(log: EmbeddedLog) -> None:
    member = Member(log)
    member.poll()
    log.admin().delete("t")
    with pytest.raises(LogError, match="topic `t` does not exist") as caught:
        member.poll()
    assert caught.value.diagnostics[0].code == codes.NO_SUCH_TOPIC
    assert member.owned == set()


def test_a_consumer_outside_of_a_group_with_members_cannot_commit_for_it(log: EmbeddedLog) -> None:
    Member(log).poll()
    outsider = log.consumer(ConsumerOptions("g"))
    outsider.assign({PLACES[0]: 0})
    with pytest.raises(FencedError):
        outsider.commit({PLACES[0]: 5})


def test_ranges_are_dealt_in_the_order_of_joining() -> None:
    members = {7: ["a", "b"], 3: ["a", "b"], 9: ["b"]}
    targets = assign_ranges(members, {"a": 3, "b": 4})
    dealt = {
        member: [(place.topic, place.partition) for place, owner in targets.items() if owner == member]
        for member in members
    }
    assert dealt == {
        3: [("a", 0), ("a", 1), ("b", 0), ("b", 1)],
        7: [("a", 2), ("b", 2)],
        9: [("b", 3)],
    }


def test_more_members_than_partitions_leave_some_idle() -> None:
    assert set(assign_ranges({1: ["a"], 2: ["a"], 3: ["a"]}, {"a": 2}).values()) == {1, 2}


def test_properties_that_are_no_numbers_are_refused() -> None:
    assert Timing().with_properties({"session.timeout.ms": "500", "acks": "all"}).session_ms == 500
    for text in ("soon", "-1", "0", ""):
        with pytest.raises(ProgramError):
            Timing().with_properties({"session.timeout.ms": text})
