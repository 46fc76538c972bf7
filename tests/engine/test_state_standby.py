"""Warm standby: an instance keeps copies of the state of tasks that others run, and takes over with them."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from headrace.engine import Processor, ProcessorOptions
from headrace.engine.state.directory import StateDirectory
from headrace.engine.state.verdicts import Verdict, judge
from headrace.plan.topology import RunSettings
from headrace.telemetry.events import TaskRestored
from headrace.telemetry.metrics import Metrics
from tests.engine.programs import create, fill, numbers, unique
from tests.engine.running import running, wait_for
from tests.engine.stateful import counting, expected_histories, histories, last

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from headrace.log.interface import Log
    from headrace.plan.topology import Topology

KEYS = 40
QUICK = RunSettings(commit_interval=0.05, standby_replicas=1)
INTERVAL = 0.25


def key_of(number: int) -> str:
    return f"k{number % KEYS}"


def give(log: Log, source: str, values: range) -> None:
    fill(log, source, numbers(values), keys=[key_of(value).encode() for value in values])


def following(topology: Topology, log: Log, application: str, state: Path) -> Processor:
    options = ProcessorOptions(application, state_dir=state, lag_interval=0, standby_interval=INTERVAL)
    return Processor(topology, log, None, options)


def restored(caplog: pytest.LogCaptureFixture) -> dict[str, int]:
    """Give the tasks that were made ready since this was last asked, with the records that were read for each."""
    lines = [vars(item) for item in caplog.records if vars(item).get("event") == TaskRestored.name]
    caplog.clear()
    return {line["facts"]["task"]: line["facts"]["records"] for line in lines}


def test_an_instance_has_the_state_of_tasks_that_another_runs(
    log: Log, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    source, sink, application = create(log, unique("in"), 4), unique("out"), unique("app")
    topology = counting(source, sink, QUICK, partitions=4)
    one, two = tmp_path / "one", tmp_path / "two"

    def total() -> int:
        return sum(processor.metrics.snapshot().consumed.get(source, 0) for processor in (first, second))

    def folders(state: Path) -> int:
        return sum(path.is_dir() for path in state.glob("*/*/*"))

    with running(following(topology, log, application, one)) as first:
        wait_for(lambda: folders(one) == 4)
        with running(following(topology, log, application, two)) as second:
            give(log, source, range(2000))
            wait_for(lambda: total() >= 2000)
            # Those that it runs and those that it follows.
            wait_for(lambda: folders(one) == folders(two) == 4)
            # Rounds of following: on a busy machine one may take as long as four of them should.
            time.sleep(12 * INTERVAL)
            restored(caplog)
        give(log, source, range(2000, 2500))
        wait_for(lambda: total() >= 2500)
        # What the other one ran, with nothing to read for it.
        taken = restored(caplog)
        assert len(taken) == 2
        assert not any(taken.values())
        time.sleep(0.5)
    for state in (one, two):
        # In step but for the records since it was last looked: nothing is read from the beginning.
        (verdict,) = judge(topology, log, application, state)
        assert verdict.verdict is Verdict.KEEP, verdict
    wanted = last(expected_histories((key_of(number), number) for number in range(2500)))
    assert last(histories(log, sink)) == wanted
    give(log, source, range(2500, 2600))
    options = ProcessorOptions(application, until_end=True, state_dir=two, lag_interval=0)
    Processor(topology, log, None, options).run()
    wanted = last(expected_histories((key_of(number), number) for number in range(2600)))
    assert last(histories(log, sink)) == wanted


def test_a_task_gets_its_folder_from_whoever_follows_it(tmp_path: Path) -> None:
    directory = StateDirectory(tmp_path, "app", "log", Metrics())
    borrowed = directory.borrow("task_0")
    assert borrowed is not None
    assert not directory.wanted("task_0")
    assert directory.open("task_0", time.monotonic()) is None
    assert directory.wanted("task_0")
    borrowed.store.close()
    assert directory.borrow("task_0") is None
    opened = directory.open("task_0", time.monotonic())
    assert opened is not None
    assert not directory.wanted("task_0")
    assert directory.borrow("task_0") is None
    opened.store.close()
