"""Assigned consumers: offsets, seeks, times, pauses."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from headrace.log.errors import LogError
from headrace.log.interface import TopicPartition
from tests.logs.members import Reader, produce, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from headrace.log.interface import Log


def test_assign_begins_at_the_offset(log: Log, make_topic: Callable[..., str]) -> None:
    topic = make_topic()
    produce(log, topic, value=[b"0", b"1", b"2"])
    with Reader(log).assign(TopicPartition(topic, 0), offset=1) as reader:
        reader.read(2)
        assert reader.values == [b"1", b"2"]


def test_assign_to_the_end_gives_what_comes_then(log: Log, make_topic: Callable[..., str]) -> None:
    topic = make_topic()
    place = TopicPartition(topic, 0)
    produce(log, topic, value=[b"old"])
    with Reader(log).assign(place, offset=-1) as reader:
        wait_for([reader], lambda: reader.consumer.positions().get(place) == 1)
        produce(log, topic, value=[b"new"])
        reader.read(1)
        assert reader.values == [b"new"]


def test_what_comes_after_the_end_was_assigned_is_not_passed_over(
    log: Log, make_topic: Callable[..., str]
) -> None:
    """Kafka's client, left to find the end itself and disturbed in it, looks again half a second later."""
    topic = make_topic()
    place = TopicPartition(topic, 0)
    with Reader(log).assign(place, offset=-1) as reader:
        assert reader.consumer.positions() == {place: 0}
        reader.consumer.pause([place])
        produce(log, topic, value=[b"0", b"1"])
        reader.consumer.resume([place])
        reader.read(1)
        time.sleep(0.6)
        produce(log, topic, value=[b"2"])
        reader.read(3)
        assert reader.values == [b"0", b"1", b"2"]


def test_assign_to_the_committed_offset(log: Log, make_topic: Callable[..., str], group: str) -> None:
    topic = make_topic()
    place = TopicPartition(topic, 0)
    produce(log, topic, value=[b"0", b"1", b"2"])
    with Reader(log, group=group).assign(place) as reader:
        reader.read(3)
        reader.consumer.commit({place: 1})
    with Reader(log, group=group).assign(place, offset=-1000) as reader:
        reader.read(2)
        assert reader.values == [b"1", b"2"]


def test_seek_goes_back_and_forth(log: Log, make_topic: Callable[..., str]) -> None:
    topic = make_topic()
    place = TopicPartition(topic, 0)
    produce(log, topic, value=[b"0", b"1", b"2", b"3"])
    with Reader(log).assign(place) as reader:
        reader.read(4)
        reader.consumer.seek({place: 1})
        reader.read(7)
        reader.consumer.seek({place: 3})
        reader.read(8)
        assert reader.values == [b"0", b"1", b"2", b"3", b"1", b"2", b"3", b"3"]


def test_positions_follow_what_was_returned(log: Log, make_topic: Callable[..., str]) -> None:
    topic = make_topic()
    place = TopicPartition(topic, 0)
    produce(log, topic, value=[b"0", b"1", b"2"])
    with Reader(log).assign(place, offset=1) as reader:
        wait_for([reader], lambda: len(reader.rows) >= 1)
        assert reader.consumer.positions() == {place: 1 + len(reader.rows)}
        reader.read(2)
        assert reader.consumer.positions() == {place: 3}


def test_watermarks_and_offsets_at_times(log: Log, make_topic: Callable[..., str]) -> None:
    topic = make_topic(2)
    first, second = TopicPartition(topic, 0), TopicPartition(topic, 1)
    produce(log, topic, value=[b"0", b"1", b"2"], partition=[0, 0, 0], timestamp=[1_000, 3_000, 2_000])
    with Reader(log).assign(first) as reader:
        assert reader.consumer.watermarks([first, second]) == {first: (0, 3), second: (0, 0)}
        for time_ms, offset in ((0, 0), (1_000, 0), (1_001, 1), (2_500, 1), (3_000, 1)):
            assert reader.consumer.offsets_at({first: time_ms}) == {first: offset}
        assert reader.consumer.offsets_at({first: 3_001, second: 0}) == {first: 3, second: 0}


def test_paused_partitions_give_nothing_until_resumed(log: Log, make_topic: Callable[..., str]) -> None:
    topic = make_topic(2)
    first, second = TopicPartition(topic, 0), TopicPartition(topic, 1)
    with Reader(log).assign(first, second) as reader:
        reader.consumer.pause([first])
        produce(log, topic, value=[b"first", b"second"], partition=[0, 1])
        reader.read(1)
        for _ in range(5):
            reader.poll(0.02)
        assert reader.values == [b"second"]
        reader.consumer.resume([first])
        reader.read(2)
        assert reader.values == [b"second", b"first"]


def test_poll_of_nothing_gives_nothing(log: Log, make_topic: Callable[..., str]) -> None:
    topic = make_topic()
    with Reader(log).assign(TopicPartition(topic, 0)) as reader:
        assert reader.consumer.poll(10, 0.05) == []


def test_a_log_that_answers_is_healthy(log: Log, make_topic: Callable[..., str]) -> None:
    topic = make_topic()
    with Reader(log).assign(TopicPartition(topic, 0)) as reader:
        wait_for([reader], reader.consumer.healthy)


def test_commits_need_a_group(log: Log, make_topic: Callable[..., str]) -> None:
    topic = make_topic()
    place = TopicPartition(topic, 0)
    with Reader(log).assign(place) as reader, pytest.raises(LogError):
        reader.consumer.commit({place: 0})


def test_close_may_be_called_twice(log: Log, make_topic: Callable[..., str]) -> None:
    topic = make_topic()
    reader = Reader(log).assign(TopicPartition(topic, 0))
    reader.consumer.close()
    reader.consumer.close()
