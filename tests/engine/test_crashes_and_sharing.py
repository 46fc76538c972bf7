from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING

import pytest

from headrace.engine import Processor, ProcessorOptions
from headrace.plan.topology import Guarantee, RunSettings
from tests.engine.processes import Child
from tests.engine.programs import committed, create, doubling, expected, fill, numbers, results, unique
from tests.engine.running import running, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from headrace.log.interface import Log

COUNT = 20_000


# With the new protocol a broker keeps the successor of a killed member out until its session is over.
@pytest.mark.parametrize(
    ("guarantee", "protocol", "kills"),
    [
        (Guarantee.EXACTLY_ONCE, "classic", 4),
        (Guarantee.EXACTLY_ONCE, "consumer", 1),
        (Guarantee.AT_LEAST_ONCE, "classic", 2),
    ],
)
def test_nothing_is_lost_whatever_is_killed_and_exactly_once_doubles_nothing(
    url: str, log: Log, commands: Path, tmp_path: Path, guarantee: Guarantee, protocol: str, kills: int
) -> None:
    source, sink, application = create(log, unique("in")), unique("out"), unique("app")
    fill(log, source, numbers(range(COUNT)))
    chance = random.Random(7)
    facts = (f"guarantee={guarantee.value}", f"protocol={protocol}", "batch=50", "instance=one")
    arguments = (url, source, sink, application, *facts)
    for round_ in range(kills):
        with Child(commands, tmp_path / f"{round_}.log", *arguments) as child:
            child.wait_for("assigned")
            time.sleep(chance.uniform(0.05, 0.4))
            child.kill()
    with Child(commands, tmp_path / "last.log", *arguments, "until_end=yes") as child:
        assert child.wait() == 0, child.lines.read_text()
    found = results(log, sink)
    assert sorted(set(found)) == expected(range(COUNT))
    if guarantee is Guarantee.EXACTLY_ONCE:
        assert found == expected(range(COUNT))


def test_processes_share_a_group_while_members_come_and_go(
    url: str, log: Log, commands: Path, tmp_path: Path
) -> None:
    source, sink, application = create(log, unique("in"), 6), unique("out"), unique("app")
    arguments = (url, source, sink, application)
    stop = threading.Event()
    sent: list[int] = []

    def produce() -> None:
        while not stop.is_set():
            chunk = range(len(sent), len(sent) + 200)
            fill(log, source, numbers(chunk))
            sent.extend(chunk)
            time.sleep(0.02)

    producing = threading.Thread(target=produce)
    producing.start()
    try:
        with (
            Child(commands, tmp_path / "a.log", *arguments) as first,
            Child(commands, tmp_path / "b.log", *arguments, "threads=2") as second,
        ):
            first.wait_for("assigned")
            second.wait_for("assigned")
            with Child(commands, tmp_path / "c.log", *arguments) as third:
                third.wait_for("assigned")
                time.sleep(0.3)
                assert first.terminate() == 0
                time.sleep(0.3)
                third.kill()
            time.sleep(0.2)
            assert second.terminate() == 0
    finally:
        stop.set()
        producing.join()
    with Child(commands, tmp_path / "d.log", *arguments, "until_end=yes") as last:
        assert last.wait() == 0, last.lines.read_text()
    assert results(log, sink) == expected(range(len(sent)))


def test_terminate_finishes_commits_and_leaves(url: str, log: Log, commands: Path, tmp_path: Path) -> None:
    source, sink, application = create(log, unique("in")), unique("out"), unique("app")
    fill(log, source, numbers(range(COUNT)))
    with Child(
        commands, tmp_path / "a.log", url, source, sink, application, "interval=30", "batch=50"
    ) as child:
        child.wait_for("assigned")
        time.sleep(0.3)
        begun = time.monotonic()
        assert child.terminate() == 0
        assert time.monotonic() - begun < 5
        assert "stopped" in child.lines.read_text()
    done = sum(committed(log, application, source).values())
    assert done > 0
    # The group is left, so the next member need not wait for a session to expire.
    Processor(
        doubling(source, sink, RunSettings()), log, None, ProcessorOptions(application, until_end=True)
    ).run()
    assert results(log, sink) == expected(range(COUNT))


def test_new_partitions_are_picked_up(log: Log) -> None:
    source, sink, application = create(log, unique("in"), 1), unique("out"), unique("app")
    settings = RunSettings(client={"topic.metadata.refresh.interval.ms": "500"})
    processor = Processor(doubling(source, sink, settings), log, None, ProcessorOptions(application))
    with running(processor):
        fill(log, source, numbers(range(100)))
        admin = log.admin()
        admin.add_partitions(source, 3)
        admin.close()
        fill(log, source, numbers(range(100, 200)), partition=1)
        fill(log, source, numbers(range(200, 300)), partition=2)
        wait_for(lambda: sum(processor.metrics.snapshot().consumed.values()) >= 300)
    assert results(log, sink) == expected(range(300))


def test_an_idle_processor_commits_nothing(log: Log) -> None:
    source, sink = create(log, unique("in")), unique("out")
    processor = Processor(
        doubling(source, sink, RunSettings(commit_interval=0.02)), log, None, ProcessorOptions(unique("app"))
    )
    with running(processor):
        wait_for(processor.ready)
        time.sleep(0.3)
    assert sum(processor.metrics.snapshot().commit_seconds.counts) == 0
