"""What `headrace plan --app-id` says of state: the same that a start would do."""

from __future__ import annotations

import shutil
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from headrace.engine import Processor, ProcessorOptions
from headrace.engine.state.verdicts import StoreVerdict, Verdict, judge
from headrace.errors import RunError
from headrace.log.interface import TopicDescription
from headrace.plan.operators import Inputs
from headrace.plan.topology import RunSettings
from tests.engine.programs import create, doubling, fill, numbers, unique
from tests.engine.stateful import counting

if TYPE_CHECKING:
    from pathlib import Path

    from headrace.log.interface import Log
    from headrace.plan.topology import Topology

QUICK = RunSettings(commit_interval=0.05)


def run(topology: Topology, log: Log, application: str, state: Path, *discarded: str) -> None:
    options = ProcessorOptions(
        application, until_end=True, lag_interval=0, state_dir=state, discard_state=frozenset(discarded)
    )
    Processor(topology, log, None, options).run()


def only(topology: Topology, log: Log, application: str, state: Path | None) -> StoreVerdict:
    (verdict,) = judge(topology, log, application, state)
    assert verdict.store == "totals"
    return verdict


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def application() -> str:
    return unique("app")


@pytest.fixture
def source(log: Log) -> str:
    name = create(log, unique("in"))
    fill(log, name, numbers(range(300)), keys=[f"k{number % 20}".encode() for number in range(300)])
    return name


@pytest.fixture
def topology(source: str) -> Topology:
    return counting(source, unique("out"), QUICK)


def test_nothing_is_there_and_nothing_is_made(
    log: Log, topology: Topology, application: str, state: Path
) -> None:
    assert only(topology, log, application, state).verdict is Verdict.NEW
    assert not state.exists()
    with closing(log.admin()) as admin:
        assert admin.describe(f"{application}-totals-changelog") is None


def test_state_that_is_there_is_kept(log: Log, topology: Topology, application: str, state: Path) -> None:
    run(topology, log, application, state)
    assert only(topology, log, application, state).verdict is Verdict.KEEP
    run(topology, log, application, state)
    assert only(topology, log, application, state).verdict is Verdict.KEEP


@pytest.mark.parametrize("lost", ["deleted", "damaged", "elsewhere"])
def test_lost_local_state_is_rebuilt(
    log: Log, topology: Topology, application: str, state: Path, lost: str
) -> None:
    run(topology, log, application, state)
    if lost == "deleted":
        shutil.rmtree(state)
    if lost == "damaged":
        for path in state.rglob("*"):
            if path.is_file():
                path.write_bytes(b"nonsense" * 100)
    found = only(topology, log, application, None if lost == "elsewhere" else state)
    assert found.verdict is Verdict.REBUILD
    assert {"deleted": "no local state", "damaged": "damaged", "elsewhere": "in memory"}[lost] in found.reason
    if lost == "damaged":
        assert only(topology, log, application, state).verdict is Verdict.REBUILD


def test_state_of_another_program_is_refused_until_it_is_given_up(
    log: Log, source: str, application: str, state: Path
) -> None:
    run(counting(source, unique("out"), QUICK), log, application, state)
    changed = counting(source, unique("out"), QUICK, fingerprint="counting-2")
    assert only(changed, log, application, state).verdict is Verdict.REFUSE
    with pytest.raises(RunError, match="of another program"):
        run(changed, log, application, state)
    run(changed, log, application, state, "totals")
    assert only(changed, log, application, state).verdict in (Verdict.NEW, Verdict.KEEP)


def fed(topology: Topology, inputs: Inputs | None) -> Topology:
    (operator,) = topology.operators
    return replace(topology, operators=(replace(operator, store=replace(operator.store, inputs=inputs)),))


def test_other_rows_into_the_same_state_are_told_of_once(
    log: Log, topology: Topology, source: str, application: str, state: Path, caplog: pytest.LogCaptureFixture
) -> None:
    all_rows, some_rows = (fed(topology, Inputs(((source,),), rows)) for rows in ("all", "some"))
    run(all_rows, log, application, state)
    assert only(all_rows, log, application, state).details == ()
    for where in (state, None):
        found = only(some_rows, log, application, where)
        assert found.verdict is (Verdict.KEEP if where else Verdict.REBUILD)
        assert ["results mix old and new rows" in line for line in found.details] == [True]
    fill(log, source, numbers(range(20)), keys=[f"k{number}".encode() for number in range(20)])
    caplog.clear()
    run(some_rows, log, application, state)
    assert "goes on: the rows that go in changed" in caplog.text
    for where in (state, None):
        assert only(some_rows, log, application, where).details == ()
        assert only(all_rows, log, application, where).details
    caplog.clear()
    run(some_rows, log, application, state)
    assert "goes on" not in caplog.text


def test_the_state_of_another_topic_is_refused(
    log: Log, topology: Topology, source: str, application: str, state: Path
) -> None:
    other = create(log, unique("in"))
    fill(log, other, numbers(range(3)), keys=[b"a", b"b", b"c"])
    moved = fed(counting(other, unique("out"), QUICK), Inputs(((other,),), "all"))
    run(fed(topology, Inputs(((source,),), "all")), log, application, state)
    for where in (state, None):
        found = only(moved, log, application, where)
        assert found.verdict is Verdict.REFUSE
        assert found.details == (f"its rows came from `{source}`, come from `{other}`",)
    with pytest.raises(RunError, match=f"its rows came from `{source}`, come from `{other}`"):
        run(moved, log, application, state)
    run(moved, log, application, state, "totals")
    assert only(moved, log, application, state).verdict in (Verdict.NEW, Verdict.KEEP)


def test_a_deleted_changelog_is_refused(log: Log, topology: Topology, application: str, state: Path) -> None:
    run(topology, log, application, state)
    with closing(log.admin()) as admin:
        admin.delete(f"{application}-totals-changelog")
    found = only(topology, log, application, state)
    assert (found.verdict, "deleted" in found.reason) == (Verdict.REFUSE, True)


def test_state_that_is_given_up_while_nothing_comes_in_stays_given_up(
    log: Log, topology: Topology, source: str, application: str, state: Path
) -> None:
    run(topology, log, application, state)
    run(topology, log, application, state, "totals")
    assert only(topology, log, application, state).verdict is Verdict.NEW
    fill(log, source, numbers(range(20)), keys=[f"k{number}".encode() for number in range(20)])
    run(topology, log, application, state)
    assert only(topology, log, application, state).verdict is Verdict.KEEP


def test_a_changelog_of_other_partitions_is_refused(
    log: Log, topology: Topology, application: str, state: Path
) -> None:
    with closing(log.admin()) as admin:
        configs = {"cleanup.policy": "compact"}
        admin.create(TopicDescription(f"{application}-totals-changelog", partitions=3, configs=configs))
    found = only(topology, log, application, state)
    assert (found.verdict, "has 3 partitions" in found.reason) == (Verdict.REFUSE, True)


def test_a_program_without_state_has_no_verdicts(log: Log, source: str, state: Path) -> None:
    assert judge(doubling(source, unique("out"), QUICK), log, unique("app"), state) == []
