"""Aggregates go on where they stood: restarts, kills, rebalances, aborted transactions, lost and damaged local state."""

from __future__ import annotations

import random
import shutil
import threading
import time
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from headrace.engine import Processor, ProcessorOptions
from headrace.errors import RunError
from headrace.log import open_log
from headrace.plan.operators import Emit
from headrace.plan.topology import ErrorPolicy, Guarantee, RunSettings
from tests.engine.processes import Child
from tests.engine.programs import create, fill, numbers, unique
from tests.engine.stateful import counting, expected_histories, histories, last

if TYPE_CHECKING:
    from pathlib import Path

    from headrace.log.interface import Log
    from headrace.plan.topology import Topology

KEYS = 50
QUICK = RunSettings(commit_interval=0.05)


def key_of(number: int) -> str:
    return f"k{number % KEYS}"


def give(log: Log, source: str, values: range) -> None:
    fill(log, source, numbers(values), keys=[key_of(value).encode() for value in values])


def run(topology: Topology, log: Log, application: str, state: Path | None, batch: int = 1000) -> Processor:
    options = ProcessorOptions(
        application, until_end=True, batch_records=batch, lag_interval=0, state_dir=state
    )
    processor = Processor(topology, log, None, options)
    processor.run()
    return processor


def expected(values: range) -> dict[str, list[tuple[int, int]]]:
    return expected_histories((key_of(value), value) for value in values)


def local_files(state: Path) -> list[Path]:
    return [path for path in state.rglob("*") if path.is_file()]


@pytest.mark.parametrize("kept", ["kept", "in memory", "deleted", "damaged"])
def test_a_restart_goes_on(log: Log, tmp_path: Path, kept: str) -> None:
    source, sink, application = create(log, unique("in")), unique("out"), unique("app")
    topology = counting(source, sink, QUICK)
    state = None if kept == "in memory" else tmp_path / "state"
    give(log, source, range(700))
    run(topology, log, application, state)
    if state is not None:
        assert local_files(state)
        if kept == "deleted":
            shutil.rmtree(state)
        if kept == "damaged":
            for path in local_files(state):
                path.write_bytes(b"nonsense" * 100)
    give(log, source, range(700, 1500))
    run(topology, log, application, state)
    assert histories(log, sink) == expected(range(1500))


@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_results_do_not_depend_on_the_size_of_batches(log: Log, batch: int) -> None:
    source, sink = create(log, unique("in"), 2), unique("out")
    give(log, source, range(120))
    run(counting(source, sink, QUICK, partitions=2), log, unique("app"), None, batch)
    assert histories(log, sink) == expected(range(120))


@pytest.mark.parametrize("guarantee", list(Guarantee))
def test_at_commits_the_latest_state_comes_out(log: Log, guarantee: Guarantee) -> None:
    source, sink = create(log, unique("in")), unique("out")
    give(log, source, range(3000))
    settings = replace(QUICK, guarantee=guarantee)
    run(counting(source, sink, settings, emit=Emit.COMMIT), log, unique("app"), None, 500)
    assert last(histories(log, sink)) == last(expected(range(3000)))


def test_a_changed_program_does_not_take_the_state_of_the_old_one(log: Log, tmp_path: Path) -> None:
    source, sink, application = create(log, unique("in")), unique("out"), unique("app")
    give(log, source, range(100))
    run(counting(source, sink, QUICK), log, application, tmp_path)
    changed = counting(source, sink, QUICK, fingerprint="counting-2")
    for state in (tmp_path, None):
        with pytest.raises(RunError, match="totals") as refused:
            run(changed, log, application, state)
        assert "--discard-state=totals" in str(refused.value.diagnostics[0].help)
    give(log, source, range(100, 150))
    options = ProcessorOptions(
        application, until_end=True, state_dir=tmp_path, discard_state=frozenset({"totals"})
    )
    Processor(changed, log, None, options).run()
    found = {key: updates[-1] for key, updates in histories(log, sink).items()}
    assert found == {key_of(value): (1, value) for value in range(100, 150)}


def test_a_changelog_that_was_deleted_is_missed(log: Log, tmp_path: Path) -> None:
    source, sink, application = create(log, unique("in")), unique("out"), unique("app")
    topology = counting(source, sink, QUICK)
    give(log, source, range(100))
    run(topology, log, application, tmp_path)
    with closing(log.admin()) as admin:
        admin.delete(f"{application}-totals-changelog")
    give(log, source, range(100, 200))
    with pytest.raises(RunError, match="the topic was deleted"):
        run(topology, log, application, tmp_path)


def test_another_log_has_another_state(tmp_path: Path) -> None:
    for name in ("one", "two"):
        with open_log(f"sqlite:{tmp_path / name}.db") as log:
            source, sink = create(log, "in"), "out"
            give(log, source, range(100))
            run(counting(source, sink, QUICK), log, "app", tmp_path / "state")
            assert histories(log, sink) == expected(range(100))


def test_an_input_with_other_partitions_than_the_state_is_refused(log: Log) -> None:
    source, sink = create(log, unique("in"), 3), unique("out")
    with pytest.raises(RunError, match="has 3 partitions"):
        run(counting(source, sink, QUICK), log, unique("app"), None)


def test_a_bad_record_stops_the_run_with_all_before_it_counted_once(log: Log) -> None:
    source, sink, application = create(log, unique("in"), 1), unique("out"), unique("app")
    give(log, source, range(60))
    fill(log, source, [b"{"], keys=[b"k0"])
    give(log, source, range(60, 100))
    topology = counting(source, sink, QUICK, partitions=1)
    for _ in range(2):
        with pytest.raises(RunError, match=r"@60 failed in decode"):
            run(topology, log, application, None, 25)
    assert histories(log, sink) == expected(range(60))
    onward = replace(topology, settings=replace(QUICK, on_read_error=ErrorPolicy.CONTINUE))
    run(onward, log, application, None)
    assert histories(log, sink) == expected(range(100))


# With the new protocol a broker keeps the successor of a killed member out until its session is over.
@pytest.mark.parametrize("guarantee", list(Guarantee))
def test_nothing_is_lost_or_counted_twice_whatever_is_killed(
    url: str, log: Log, commands: Path, tmp_path: Path, guarantee: Guarantee
) -> None:
    source, sink, application = create(log, unique("in")), unique("out"), unique("app")
    values = range(15_000)
    give(log, source, values)
    chance = random.Random(3)
    facts = (
        "program=counting",
        f"guarantee={guarantee.value}",
        "protocol=classic",
        "batch=50",
        "instance=one",
    )
    arguments = (url, source, sink, application, *facts, f"state={tmp_path / 'state'}")
    for round_ in range(3):
        with Child(commands, tmp_path / f"{round_}.log", *arguments) as child:
            child.wait_for("is ready")
            time.sleep(chance.uniform(0.05, 0.5))
            child.kill()
    with Child(commands, tmp_path / "last.log", *arguments, "until_end=yes") as child:
        assert child.wait() == 0, child.lines.read_text()
    found = histories(log, sink)
    if guarantee is Guarantee.EXACTLY_ONCE:
        assert found == expected(values)
    else:
        for key, (count, total) in last(expected(values)).items():
            assert found[key][-1][0] >= count
            assert found[key][-1][1] >= total


def test_tasks_move_with_their_state(url: str, log: Log, commands: Path, tmp_path: Path) -> None:
    source, sink, application = create(log, unique("in"), 3), unique("out"), unique("app")
    arguments = (url, source, sink, application, "program=counting", "partitions=3")
    stop = threading.Event()
    sent = 0

    def produce() -> None:
        nonlocal sent
        while not stop.is_set():
            give(log, source, range(sent, sent + 200))
            sent += 200
            time.sleep(0.1)

    producer = threading.Thread(target=produce)
    producer.start()
    try:
        with Child(commands, tmp_path / "a.log", *arguments, f"state={tmp_path / 'a'}") as first:
            first.wait_for("is ready")
            others = [
                Child(commands, tmp_path / f"{name}.log", *arguments, f"state={tmp_path / name}")
                for name in ("b", "c")
            ]
            for other in others:
                other.wait_for("is ready")
            time.sleep(0.5)
            assert others[0].terminate() == 0
            assert others[1].terminate() == 0
            time.sleep(0.5)
            stop.set()
            producer.join()
            assert first.terminate() == 0
    finally:
        stop.set()
        producer.join()
    with Child(
        commands, tmp_path / "last.log", *arguments, f"state={tmp_path / 'a'}", "until_end=yes"
    ) as child:
        assert child.wait() == 0, child.lines.read_text()
    assert histories(log, sink) == expected(range(sent))
