"""A restorer brings local stores up to their changelogs, however often it writes what it has read."""

from __future__ import annotations

import os
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from headrace._native import LocalStore
from headrace.engine.state.changelog import MARK, mark_records, next_mark
from headrace.engine.state.followed import Followed
from headrace.engine.state.restore import RestoreJob, Restorer, StoreRestore
from headrace.log import open_log
from headrace.log.errors import LogError
from headrace.log.interface import ProducerOptions, TopicPartition
from headrace.plan.topology import RunSettings
from headrace.telemetry.metrics import Metrics
from tests.engine.programs import create, unique
from tests.engine.stateful import counting
from tests.unit.state.kept import entries

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from headrace.log.interface import Consumer, Log
    from tests.servers.kafka import KafkaServer

(PLAN,) = counting("in", "out", RunSettings()).operators
PARTITIONS = 3


def marked(log: Log, **configs: str) -> str:
    """Make a changelog that says whose it is."""
    topic = create(log, unique("changelog"), PARTITIONS, configs=configs)
    producer = log.producer(ProducerOptions())
    try:
        producer.send(topic, mark_records(dict.fromkeys(range(PARTITIONS), next_mark(PLAN, 0))))
        assert not producer.flush(30)
    finally:
        producer.close()
    return topic


def give(log: Log, topic: str, first: int) -> dict[int, dict[bytes | None, bytes | None]]:
    """Write changes of some keys, each several times, some deleted at last; gives what is left of each partition."""
    producer = log.producer(ProducerOptions())
    left: dict[int, dict[bytes | None, bytes | None]] = {}
    try:
        for number in range(PARTITIONS):
            rows = [
                (b"g%d" % (key % 50), b"%d" % key if key % 7 else None) for key in range(first, first + 200)
            ]
            left[number] = {key: value for key, value in dict(rows).items() if value is not None}
            producer.send(
                topic,
                pa.record_batch(
                    {
                        "partition": pa.array([number] * len(rows), pa.int32()),
                        "key": pa.array([key for key, _ in rows], pa.binary()),
                        "value": pa.array([value for _, value in rows], pa.binary()),
                    }
                ),
            )
        assert not producer.flush(30)
    finally:
        producer.close()
    return left


def restored(
    restorer: Restorer, topic: str, locals_: dict[int, LocalStore], folder: Path | None = None
) -> list[RestoreJob]:
    """Restore all tasks."""
    jobs = [
        RestoreJob(
            f"0_{number}",
            local,
            [StoreRestore(PLAN, TopicPartition(topic, number))],
            time.monotonic(),
            Followed(folder),
        )
        for number, local in locals_.items()
    ]
    restorer.begin(jobs)
    end = time.monotonic() + 30
    while not all(job.finished for job in jobs):
        assert time.monotonic() < end
        time.sleep(0.005)
    assert [job.error for job in jobs] == [None] * len(jobs)
    return jobs


@pytest.fixture
def kafka_log(kafka: KafkaServer) -> Iterator[Log]:
    """A log that shows where open transactions are."""
    with open_log(kafka.url) as opened:
        yield opened


@pytest.mark.parametrize("most_buffered", [0, 1 << 20])
def test_stores_hold_the_last_of_each_key(log: Log, tmp_path: Path, most_buffered: int) -> None:
    topic = marked(log)
    locals_ = {number: LocalStore(tmp_path / str(number)) for number in range(PARTITIONS)}
    restorer = Restorer(log, {}, Metrics(), announces=False, most_buffered=most_buffered)
    with closing(restorer):
        for first, records in ((0, 201), (37, 200)):
            left = give(log, topic, first)
            jobs = restored(restorer, topic, locals_)
            assert [job.records for job in jobs] == [records] * PARTITIONS
            for number, local in locals_.items():
                found = entries(local, PLAN.store.name)
                mark = found.pop(MARK)
                assert mark == next_mark(PLAN, 0).value
                assert found == left[number]
                assert local.position(PLAN.store.name) == 201 + (first > 0) * 200
    for local in locals_.values():
        local.close()


@pytest.mark.parametrize(
    ("away", "retention", "anew"),
    [(30, None, False), (3600, None, False), (25 * 3600, None, True), (3600, "1800000", True)],
)
def test_a_copy_that_was_away_for_longer_than_tombstones_live_begins_anew(
    log: Log, tmp_path: Path, away: float, retention: str | None, anew: bool
) -> None:
    topic = marked(log) if retention is None else marked(log, **{"delete.retention.ms": retention})
    give(log, topic, 0)
    locals_ = {0: LocalStore(tmp_path / "store")}
    restorer = Restorer(log, {}, Metrics(), announces=False)
    with closing(restorer):
        restored(restorer, topic, locals_, tmp_path)
        then = time.time() - away
        os.utime(tmp_path / "followed", (then, then))
        # Without anything to be read nothing can have been missed.
        (job,) = restored(restorer, topic, locals_, tmp_path)
        assert job.records == 0
        os.utime(tmp_path / "followed", (then, then))
        left = give(log, topic, 37)
        (job,) = restored(restorer, topic, locals_, tmp_path)
        assert job.records == (401 if anew else 200)
        assert Followed(tmp_path).away() < 60
    found = entries(locals_[0], PLAN.store.name)
    del found[MARK]
    assert found == left[0]
    locals_[0].close()


def test_the_log_is_asked_once_for_the_ends_of_all_tasks(
    log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = marked(log)
    asked: list[int] = []
    look_up = Restorer._look_at

    def look_at(self: Restorer, jobs: Sequence[RestoreJob], looker: Consumer) -> None:
        counted = looker.watermarks

        def watermarks(
            places: Sequence[TopicPartition], timeout: float = 10.0
        ) -> dict[TopicPartition, tuple[int, int]]:
            asked.append(len(places))
            return counted(places, timeout)

        monkeypatch.setattr(looker, "watermarks", watermarks)
        look_up(self, jobs, looker)

    monkeypatch.setattr(Restorer, "_look_at", look_at)
    locals_ = {number: LocalStore(tmp_path / str(number)) for number in range(PARTITIONS)}
    with closing(Restorer(log, {}, Metrics(), announces=False)) as restorer:
        restored(restorer, topic, locals_)
    assert asked == [PARTITIONS]
    for local in locals_.values():
        local.close()


def test_all_tasks_fail_if_their_ends_cannot_be_had(log: Log, tmp_path: Path) -> None:
    locals_ = [LocalStore(tmp_path / str(number)) for number in range(2)]
    gone = unique("gone")
    jobs = [
        RestoreJob(f"0_{number}", local, [StoreRestore(PLAN, TopicPartition(gone, number))], time.monotonic())
        for number, local in enumerate(locals_)
    ]
    with closing(Restorer(log, {}, Metrics(), announces=False)) as restorer:
        restorer.begin(jobs)
        end = time.monotonic() + 30
        while not all(job.finished for job in jobs):
            assert time.monotonic() < end
            time.sleep(0.005)
    assert all(isinstance(job.error, LogError) for job in jobs)
    for local in locals_:
        local.close()


@pytest.mark.kafka
def test_what_was_read_is_kept_when_a_task_is_given_up(kafka_log: Log, tmp_path: Path) -> None:
    log = kafka_log
    topic = marked(log)
    left = give(log, topic, 0)
    producer = log.producer(ProducerOptions(transactional_id=unique("open")))
    producer.begin()
    # A task waits for what becomes of this.
    producer.send(topic, mark_records({0: next_mark(PLAN, 1)}))
    producer.flush(30)
    local = LocalStore(tmp_path)
    local.begin(PLAN.store.name, PLAN.store.fingerprint)
    item = StoreRestore(PLAN, TopicPartition(topic, 0))
    job = RestoreJob("0_0", local, [item], time.monotonic())
    with closing(Restorer(log, {}, Metrics(), announces=False)) as restorer:
        restorer.begin([job])
        end = time.monotonic() + 30
        while item.position < 201:
            assert time.monotonic() < end
            time.sleep(0.005)
        assert not job.finished
        restorer.cancel(job)
    producer.abort()
    producer.close()
    found = entries(local, PLAN.store.name)
    del found[MARK]
    assert (local.position(PLAN.store.name), found) == (201, left[0])
    local.close()
