"""Killed at each step of a commit, of a restore and of a rebalance, a processor goes on: every record counts exactly once."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest

from tests.engine.processes import Child
from tests.engine.programs import unique
from tests.recovery import child as steps
from tests.recovery.programs import GROUPS, Workload

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from headrace.log.interface import Log

RECORDS = 1_200


class Runs:
    """Processes of one program, one after the other or side by side."""

    def __init__(self, url: str, commands: Path, folder: Path, work: Workload) -> None:
        self.program = work.program
        self._url, self._name = url, work.name
        self._commands = commands
        self._folder = folder
        self._number = 0

    def start(self, *facts: str, instance: str = "one", state: str = "state") -> Child:
        self._number += 1
        named = f"instance={instance}", f"state={self._folder / state}", "batch=25", "interval=0.01"
        lines = self._folder / f"{self._number}.log"
        start = (self._url, self.program, self._name)
        return Child(self._commands, lines, *start, *named, *facts, module="tests.recovery.child")

    def killed(self, step: str, time: int, *facts: str, state: str = "state") -> None:
        """Run until it kills itself."""
        with self.start(f"step={step}", f"time={time}", *facts, state=state) as process:
            assert process.wait() == -9, process.lines.read_text()

    def finish(self, *facts: str, instance: str = "one", state: str = "state") -> None:
        """Run to the end of the inputs."""
        with self.start("until_end=yes", *facts, instance=instance, state=state) as process:
            assert process.wait(90) == 0, process.lines.read_text()


@pytest.fixture(params=[pytest.param("kafka", marks=pytest.mark.kafka)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Kafka, unless a test asks for the embedded log."""
    if request.param == "kafka":
        return str(request.getfixturevalue("kafka").url)
    return f"sqlite:{tmp_path / 'log.db'}"


@pytest.fixture
def work(log: Log, program: str) -> Workload:
    made = Workload(log, program, unique(program))
    made.grow(RECORDS)
    return made


@pytest.fixture
def runs(url: str, commands: Path, tmp_path: Path, work: Workload) -> Runs:
    return Runs(url, commands, tmp_path, work)


@pytest.mark.parametrize(
    ("program", "step", "first", "second"),
    [
        ("totals", steps.BEFORE_OUTPUTS, 1, 4),
        ("windows", steps.AMONG_OUTPUTS, 1, 4),
        ("two", steps.AMONG_CHANGELOGS, 1, 4),
        ("rows", steps.AFTER_CHANGELOG, 1, 3),
        ("windows", steps.BEFORE_COMMIT, 2, 5),
        ("totals", steps.AFTER_COMMIT, 1, 4),
        ("two", steps.AMONG_STORES, 1, 3),
        ("rows", steps.AFTER_STORE, 1, 3),
    ],
)
def test_killed_in_a_commit(work: Workload, runs: Runs, step: str, first: int, second: int) -> None:
    runs.killed(step, first)
    runs.killed(step, second)
    work.end()
    runs.finish()
    assert work.faults() == []


@pytest.mark.parametrize("program", ["moments"])
def test_killed_while_windows_close_by_the_clock(work: Workload, runs: Runs) -> None:
    for step, when in ((steps.AMONG_OUTPUTS, 3), (steps.BEFORE_COMMIT, 6), (steps.AFTER_COMMIT, 4)):
        runs.killed(step, when)
    with runs.start() as process:
        # Nothing more comes: the last windows close because time passes.
        deadline = time.monotonic() + 30
        while work.faults() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert process.terminate() == 0, process.lines.read_text()
    assert work.faults() == []


@pytest.mark.parametrize("url", ["embedded"], indirect=True)
@pytest.mark.parametrize(("program", "step"), [("totals", steps.BEFORE_COMMIT), ("rows", steps.AFTER_COMMIT)])
def test_killed_on_the_embedded_log(work: Workload, runs: Runs, step: str) -> None:
    runs.killed(step, 1)
    runs.killed(step, 3)
    work.end()
    runs.finish()
    assert work.faults() == []


@pytest.mark.parametrize(
    ("program", "step"), [("windows", steps.BEFORE_OFFSETS), ("totals", steps.AFTER_OFFSETS)]
)
def test_killed_between_the_requests_of_a_transaction(work: Workload, runs: Runs, step: str) -> None:
    runs.killed(step, 1)
    runs.killed(step, 3)
    work.end()
    runs.finish()
    assert work.faults() == []


@pytest.mark.parametrize(
    ("program", "step"), [("totals", steps.IN_RESTORE), ("windows", steps.AFTER_RESTORE)]
)
def test_killed_while_it_restores(work: Workload, runs: Runs, step: str) -> None:
    runs.killed(steps.AFTER_COMMIT, 3, state="here")
    runs.killed(step, 2, state="elsewhere")
    work.end()
    runs.finish(state="elsewhere")
    assert work.faults() == []


@pytest.mark.parametrize("program", ["totals"])
@pytest.mark.parametrize(
    ("url", "step"),
    [
        ("embedded", steps.IN_RESTORE),
        ("embedded", steps.AMONG_CHANGELOGS),
        ("embedded", steps.BEFORE_COMMIT),
        ("embedded", steps.AMONG_STORES),
        pytest.param("kafka", steps.AFTER_COMMIT, marks=pytest.mark.kafka),
    ],
    indirect=["url"],
)
def test_killed_while_it_takes_over_the_state_of_an_earlier_version(
    work: Workload, runs: Runs, step: str
) -> None:
    runs.killed(steps.AFTER_COMMIT, 3)
    runs.program = "totals-later"
    runs.killed(step, 1)
    runs.killed(step, 2)
    work.end()
    runs.finish()
    assert work.faults() == []


@pytest.mark.parametrize(
    ("program", "step", "time"),
    # The first time that partitions are assigned is no rebalance.
    [("totals", steps.BEFORE_REVOKED, 1), ("windows", steps.AFTER_ASSIGNED, 2)],
)
def test_killed_in_a_rebalance(work: Workload, runs: Runs, step: str, time: int) -> None:
    with runs.start(f"step={step}", f"time={time}") as first:
        first.wait_for("is ready")
        with runs.start(instance="two", state="other") as second:
            assert first.wait() == -9, first.lines.read_text()
            second.kill()
    runs.finish()
    work.end()
    runs.finish()
    assert work.faults() == []


def await_shared(processes: Mapping[str, Child], tasks: int) -> None:
    """Wait until each task is ready in one process: the group has come to rest, and nobody goes by what it was before."""
    deadline = time.monotonic() + 30
    while True:
        last = {name: item.lines.read_text().rpartition("assigned") for name, item in processes.items()}
        ready = [number for *_, text in last.values() for number in re.findall(r"_(\d+)` is ready", text)]
        settled = all(found and "revoked" not in text for _, found, text in last.values())
        if settled and sorted(ready) == [str(number) for number in range(tasks)]:
            return
        assert time.monotonic() < deadline, last
        time.sleep(0.02)


@pytest.mark.parametrize("program", ["totals"])
def test_a_rolling_restart_moves_no_task_and_reads_nothing_twice(
    work: Workload, runs: Runs, tmp_path: Path
) -> None:
    names = ("one", "two", "three")
    processes = {name: runs.start(instance=name, state=name) for name in names}
    try:
        await_shared(processes, tasks=4)
        for name in names:
            work.grow(200)
            assert processes[name].terminate() == 0
            processes[name] = runs.start(instance=name, state=name)
            processes[name].wait_for("is ready")
        lines = {name: processes[name].lines.read_text() for name in names}
        for text in lines.values():
            # Each gets what it had, once; its state is on its disk, to the last record.
            assert text.count("assigned") == 1, lines
            assert "revoked" not in text, lines
            assert "is ready: 0 changelog records read" in text, lines
        for name in names:
            assert processes[name].terminate() == 0
    finally:
        for process in processes.values():
            process.kill()
    runs.finish()
    work.end()
    runs.finish()
    assert work.faults() == []
    told = [re.search(r"stopped: (\d+) records read", item.read_text()) for item in tmp_path.glob("*.log")]
    assert sum(int(found[1]) for found in told if found) == work.records + GROUPS
    assert None not in told


@pytest.mark.parametrize("program", ["windows"])
def test_more_processes_and_fewer(work: Workload, runs: Runs) -> None:
    with runs.start() as first:
        first.wait_for("is ready")
        with (
            runs.start(instance="two", state="two") as second,
            runs.start(instance="three", state="three") as third,
        ):
            second.wait_for("is ready")
            third.wait_for("is ready")
            # With their state, as far as it was committed then.
            moved = [*map(int, re.findall(r"ready: (\d+) changelog", second.lines.read_text()))]
            moved += map(int, re.findall(r"ready: (\d+) changelog", third.lines.read_text()))
            assert sum(moved) > 0
            work.grow(400)
            assert second.terminate() == 0
            assert third.terminate() == 0
        work.grow(400)
        assert first.terminate() == 0
    runs.finish()
    work.end()
    runs.finish()
    assert work.faults() == []
