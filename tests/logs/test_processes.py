"""Several processes on one file of the embedded log, some of them killed."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from headrace.log.embedded import EmbeddedLog
from headrace.log.interface import ProducerOptions, TopicDescription, TopicPartition
from tests.engine.processes import Child
from tests.logs.members import PATIENCE, Reader, produce, read_all, records, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PARTITIONS = 3

MEMBER = """
import sys, time
from headrace.log.embedded import EmbeddedLog
from headrace.log.interface import ConsumerOptions

with EmbeddedLog(sys.argv[1], {"session.timeout.ms": "1000"}) as log:
    consumer = log.consumer(ConsumerOptions("shared"))
    consumer.subscribe(["t"], on_assign=lambda p: print("assign", len(p), flush=True),
                       on_revoke=lambda p: print("revoke", len(p), flush=True), on_lost=lambda p: None)
    while True:
        consumer.poll(100, 0.1)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


@contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen(
        [sys.executable, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield child
    finally:
        child.kill()
        child.wait()
        assert child.stdout is not None
        assert child.stdin is not None
        child.stdout.close()
        child.stdin.close()


def test_a_writer_that_is_killed_leaves_nothing_half(path: Path, commands: Path, tmp_path: Path) -> None:
    total = 400
    call = str(path), "source", "target", "g"
    with EmbeddedLog(str(path)) as log:
        admin = log.admin()
        admin.create(TopicDescription("source", 1))
        admin.create(TopicDescription("target", PARTITIONS))
        produce(log, "source", value=[str(number).encode() for number in range(total)])
        place = TopicPartition("source", 0)
        kills = 0
        while admin.group_offsets("g").get(place, 0) < total:
            with Child(commands, tmp_path / "lines", *call, module="tests.logs.writer") as writer:
                writer.wait_for("ready")
                # Killed in the midst of its transactions, each life a little longer than the one before.
                end = time.monotonic() + 0.05 + 0.1 * kills
                while time.monotonic() < end and admin.group_offsets("g").get(place, 0) < total:
                    time.sleep(0.01)
            kills += 1
            done = admin.group_offsets("g").get(place, 0)
            with Reader(log).assign(
                *(TopicPartition("target", number) for number in range(PARTITIONS))
            ) as reader:
                places = reader.consumer.assignment()
                assert reader.consumer.watermarks(places) == dict.fromkeys(places, (0, done))
        assert kills >= 2
        rows = read_all(log, "target", PARTITIONS)
        for number in range(PARTITIONS):
            values = [int(row["value"]) for row in rows if row["partition"] == number]
            assert values == list(range(total))


OPENER = """
import sys
from headrace.log.embedded import EmbeddedLog
from headrace.log.interface import TopicDescription

print("ready", flush=True)
for path in sys.stdin:
    with EmbeddedLog(path.strip()) as log:
        log.admin().create(TopicDescription("t", 1))
        print(*log.admin().topics(), flush=True)
"""


def test_processes_that_begin_at_once_share_one_new_file(tmp_path: Path) -> None:
    with process("-c", OPENER) as first, process("-c", OPENER) as second, process("-c", OPENER) as third:
        children = (first, second, third)
        assert [child.stdout.readline() for child in children if child.stdout] == ["ready\n"] * 3
        for number in range(30):
            for child in children:
                assert child.stdin is not None
                child.stdin.write(f"{tmp_path}/log-{number}.db\n")
                child.stdin.flush()
            assert [child.stdout.readline() for child in children if child.stdout] == ["t\n"] * 3


def test_partitions_of_a_killed_member_go_to_another_process(path: Path) -> None:
    with EmbeddedLog(str(path)) as log:
        log.admin().create(TopicDescription("t", 4))
        with Reader(log, group="shared", properties={"session.timeout.ms": "1000"}).subscribe("t") as reader:
            reader.poll()
            assert len(reader.owned) == 4
            with process("-c", MEMBER, str(path)) as member:
                wait_for([reader], lambda: len(reader.owned) == 2)
                assert member.stdout is not None
                assert member.stdout.readline() == "assign 2\n"
                member.kill()
                killed = time.monotonic()
                wait_for([reader], lambda: len(reader.owned) == 4)
                assert 0.5 < time.monotonic() - killed < 5


def test_heartbeats_keep_a_member_that_is_busy(path: Path) -> None:
    with EmbeddedLog(str(path)) as log:
        log.admin().create(TopicDescription("t", 4))
        with (
            Reader(log, group="shared", properties={"session.timeout.ms": "400"}).subscribe("t") as busy,
            Reader(log, group="shared", properties={"session.timeout.ms": "400"}).subscribe("t") as other,
        ):
            wait_for([busy, other], lambda: len(busy.owned) == 2 and len(other.owned) == 2)
            deadline = time.monotonic() + 1.2
            while time.monotonic() < deadline:
                other.poll()
            assert len(other.owned) == 2
            busy.consumer.commit(busy.consumer.positions())


def test_several_writers_lose_nothing(path: Path) -> None:
    with EmbeddedLog(str(path)) as log:
        log.admin().create(TopicDescription("t", 2))
        values = [[f"{writer}-{number}".encode() for number in range(200)] for writer in range(4)]

        def write(mine: list[bytes]) -> None:
            producer = log.producer(ProducerOptions())
            for value in mine:
                producer.send("t", records(value=[value]))
            producer.close()

        threads = [Thread(target=write, args=(mine,)) for mine in values]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        rows = read_all(log, "t", 2)
        assert sorted(row["value"] for row in rows) == sorted(value for mine in values for value in mine)
        for number in range(2):
            offsets = [row["offset"] for row in rows if row["partition"] == number]
            assert offsets == list(range(len(offsets)))


@pytest.mark.parametrize("same", [True, False], ids=["one log object", "two log objects"])
def test_waiting_readers_see_records_of_others_soon_and_rest_meanwhile(path: Path, same: bool) -> None:
    with EmbeddedLog(str(path)) as log, EmbeddedLog(str(path)) as second:
        log.admin().create(TopicDescription("t", 1))
        writer = (log if same else second).producer(ProducerOptions())
        with Reader(log).assign(TopicPartition("t", 0)) as reader:
            delays = []
            for _ in range(10):
                sent: list[float] = []

                def send(sent: list[float] = sent) -> None:
                    time.sleep(0.05)
                    writer.send("t", pa.record_batch({"value": pa.array([b"x"])}))
                    sent.append(time.monotonic())

                thread = Thread(target=send)
                thread.start()
                assert reader.poll(PATIENCE) == 1
                seen = time.monotonic()
                thread.join()
                delays.append(seen - sent[0])
            assert sorted(delays)[5] < 0.02
            used = time.process_time()
            assert reader.poll(1.0) == 0
            assert time.process_time() - used < 0.15
