"""Topics: made, described, grown, deleted."""

from __future__ import annotations

import uuid
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from headrace.log.errors import LogError
from headrace.log.interface import ProducerOptions, TopicDescription, TopicPartition
from tests.logs.members import Reader, produce, read_all, records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from headrace.log.interface import Admin, Log


@pytest.fixture
def admin(log: Log) -> Iterator[Admin]:
    admin = log.admin()
    yield admin
    admin.close()


@pytest.fixture
def name() -> str:
    return f"topic-{uuid.uuid4().hex[:8]}"


def test_a_log_is_known_by_its_identity(log: Log, admin: Admin) -> None:
    assert admin.identity()
    with closing(log.admin()) as other:
        assert other.identity() == admin.identity()


def test_a_topic_is_made_once(admin: Admin, name: str) -> None:
    assert admin.describe(name) is None
    assert admin.create(TopicDescription(name, 3, configs={"cleanup.policy": "compact"}))
    assert not admin.create(TopicDescription(name, 1))
    found = admin.describe(name)
    assert found is not None
    assert (found.name, found.partitions) == (name, 3)
    assert found.configs == {"cleanup.policy": "compact"}
    assert name in admin.topics()


def test_whether_topics_could_be_made_is_asked_without_making_them(admin: Admin, name: str) -> None:
    admin.create(TopicDescription(name, 1))
    other = f"{name}-other"
    admin.check_new([TopicDescription(name, 1), TopicDescription(other, -1, -1)])
    with pytest.raises(LogError):
        admin.check_new([TopicDescription(other, 2), TopicDescription(f"{name} with blanks", 1)])
    admin.check_new([])
    assert admin.describe(other) is None


def test_the_log_has_a_default_for_partitions(admin: Admin, name: str) -> None:
    assert admin.create(TopicDescription(name, -1, -1))
    found = admin.describe(name)
    assert found is not None
    assert found.partitions >= 1


def test_a_deleted_topic_is_gone(log: Log, admin: Admin, name: str) -> None:
    admin.create(TopicDescription(name, 1))
    produce(log, name, value=[b"old"])
    assert admin.delete(name)
    assert not admin.delete(name)
    assert admin.describe(name) is None
    assert name not in admin.topics()


def test_a_topic_grows(log: Log, admin: Admin, name: str) -> None:
    admin.create(TopicDescription(name, 1))
    produce(log, name, value=[b"old"])
    admin.add_partitions(name, 2)
    found = admin.describe(name)
    assert found is not None
    assert found.partitions == 2
    produce(log, name, value=[b"new"], partition=[1])
    assert [(row["partition"], row["value"]) for row in read_all(log, name, 2)] == [(0, b"old"), (1, b"new")]


def test_a_topic_does_not_shrink(admin: Admin, name: str) -> None:
    admin.create(TopicDescription(name, 2))
    with pytest.raises(LogError):
        admin.add_partitions(name, 1)


def test_bad_names_are_refused(admin: Admin) -> None:
    with pytest.raises(LogError):
        admin.create(TopicDescription("no blanks", 1))


def test_a_row_for_a_partition_that_is_not_there_is_reported(
    log: Log, make_topic: Callable[..., str]
) -> None:
    topic = make_topic()
    producer = log.producer(ProducerOptions())
    number = producer.send(topic, records(value=[b"good", b"bad", b"good"], partition=[0, 7, 0]))
    (failure,) = producer.flush(40)
    producer.close()
    assert (failure.batch, failure.row) == (number, 1)
    assert [row["value"] for row in read_all(log, topic)] == [b"good", b"good"]


def test_positions_of_a_topic_that_was_made_again_begin_anew(log: Log, admin: Admin, name: str) -> None:
    for value in (b"old", b"new"):
        admin.create(TopicDescription(name, 1))
        produce(log, name, value=[value])
        with Reader(log).assign(TopicPartition(name, 0)) as reader:
            reader.read(1)
            assert [(row["offset"], row["value"]) for row in reader.rows] == [(0, value)]
        assert admin.delete(name)


def test_deleted_records_are_gone_and_the_others_keep_their_offsets(
    log: Log, admin: Admin, name: str
) -> None:
    admin.create(TopicDescription(name, 2))
    place = TopicPartition(name, 0)
    # Runs of their own, so that a deletion takes some whole and cuts one.
    for batch in ([b"a", b"b"], [b"c", b"d", b"e"], [b"f"]):
        produce(log, name, value=batch, partition=[0] * len(batch))
    with Reader(log).assign(place, offset=1) as late:
        admin.delete_records({place: 3})
        assert late.consumer.watermarks([place]) == {place: (3, 6)}
        assert [row["value"] for row in read_all(log, name)] == [b"d", b"e", b"f"]
        assert [row["offset"] for row in late.read(3)][-3:] == [3, 4, 5]
    admin.delete_records({place: 6})
    assert read_all(log, name) == []
    produce(log, name, value=[b"g"], partition=[0])
    assert [(row["offset"], row["value"]) for row in read_all(log, name)] == [(6, b"g")]
