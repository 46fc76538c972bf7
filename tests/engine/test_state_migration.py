"""A program that gets another aggregate takes over the state of the version before, wherever it is stopped meanwhile."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from headrace.engine import Processor, ProcessorOptions
from headrace.engine.state.verdicts import StoreVerdict, Verdict, judge
from headrace.errors import RunError
from headrace.plan.operators import Aggregate, AggregateCall, Column
from headrace.plan.topology import RunSettings
from tests.engine.programs import create, fill, numbers, unique
from tests.engine.stateful import counting, histories, last, rekeyed

if TYPE_CHECKING:
    from pathlib import Path

    from headrace.log.interface import Log
    from headrace.plan.topology import Topology

QUICK = RunSettings(commit_interval=0.05)
KEYS = 7
EMBEDDED = pytest.mark.parametrize("url", ["embedded"], indirect=True)
"""For what does not depend on the log."""
ADDED = AggregateCall("MAX", (0,), pa.int64())


def key_of(number: int) -> str:
    return f"k{number % KEYS}"


def later(first: Topology, largest: str, fingerprint: str = "counting-2") -> Topology:
    """Give the version that also says the largest number of each key, to a topic of its own; its calls are in another order."""
    (operator,) = first.operators
    (pipeline,) = first.pipelines
    assert isinstance(operator.kernel, Aggregate)
    count, total = operator.kernel.calls
    kernel = replace(operator.kernel, calls=(ADDED, total, count))
    operator = replace(
        operator,
        kernel=kernel,
        columns=(operator.columns[0], *(Column(f"a{number}", pa.int64()) for number in range(3))),
        labels=("k0", "largest", "sum", "count"),
        store=replace(operator.store, fingerprint=fingerprint),
    )
    query = "SELECT _row, k0, {} AS v0, {} AS v1 FROM input"
    (sink,) = first.sinks.values()
    assert sink.create is not None
    other = replace(sink, topic=largest, create=replace(sink.create, name=largest))
    return replace(
        first,
        operators=(operator,),
        sinks={**first.sinks, largest: other},
        pipelines=(
            replace(pipeline, query=query.format("a2", "a1")),
            replace(pipeline, id="largest", sink=largest, query=query.format("a2", "a0")),
        ),
    )


@pytest.fixture
def names(log: Log) -> tuple[str, str, str, str]:
    """Give the names of source, two targets and application."""
    return create(log, unique("in"), 2), unique("out"), unique("largest"), unique("app")


def give(log: Log, source: str, values: range) -> None:
    fill(log, source, numbers(values), keys=[key_of(value).encode() for value in values])


def first_version(source: str, sink: str) -> Topology:
    topology = counting(source, sink, QUICK, partitions=2)
    (operator,) = topology.operators
    return replace(topology, operators=(replace(operator, labels=("k0", "count", "sum")),))


def run(topology: Topology, log: Log, application: str, state: Path | None) -> None:
    options = ProcessorOptions(application, until_end=True, lag_interval=0, state_dir=state)
    Processor(topology, log, None, options).run()


def verdict(topology: Topology, log: Log, application: str, state: Path | None) -> StoreVerdict:
    (found,) = judge(topology, log, application, state)
    return found


def totals(values: range) -> dict[str, tuple[int, int]]:
    keys = {key_of(value) for value in values}
    of = {key: [value for value in values if key_of(value) == key] for key in keys}
    return {key: (len(found), sum(found)) for key, found in of.items()}


def test_state_is_taken_over(log: Log, url: str, names: tuple[str, str, str, str], tmp_path: Path) -> None:
    source, sink, largest, application = names
    first = first_version(source, sink)
    second = later(first, largest)
    state, old, begun = (tmp_path / name for name in ("state", "old", "begun"))
    give(log, source, range(100))
    run(first, log, application, state)
    shutil.copytree(state, old)
    found = verdict(second, log, application, state)
    assert (found.verdict, found.details) == (
        Verdict.MIGRATE,
        ("`MAX(v0)` was added", "`largest` begins with the rows that come from now on"),
    )
    # Begun and stopped: the local state is of the new version, and the log does not know of it yet.
    run(second, log, application, state)
    shutil.copytree(state, begun)
    # As if it had been killed before the last commits reached the disk, or had lost the disk. Starts take long on Kafka.
    places = [old, None, begun] if url.startswith("kafka") else [state, old, begun, None, state]
    end = 100 + 50 * len(places)
    for position, where in enumerate(places, start=2):
        give(log, source, range(position * 50, position * 50 + 50))
        run(second, log, application, where)
        assert last(histories(log, sink)) == totals(range(position * 50 + 50))
    # 100 is the first number after the new version began.
    counts = {key: count for key, (count, _) in totals(range(end)).items()}
    largest_of = {key: max(n for n in range(100, end) if key_of(n) == key) for key in counts}
    assert last(histories(log, largest)) == {key: (counts[key], largest_of[key]) for key in counts}
    assert verdict(second, log, application, places[-1]).verdict is Verdict.KEEP
    assert verdict(second, log, application, None).verdict is Verdict.REBUILD
    # Back to the version before: it would lose what it does not know of.
    assert verdict(first, log, application, old).verdict is Verdict.REFUSE
    give(log, source, range(end, end + 10))
    with pytest.raises(RunError, match="a later version"):
        run(first, log, application, old)


@EMBEDDED
def test_another_version_goes_on_from_both(
    log: Log, names: tuple[str, str, str, str], tmp_path: Path
) -> None:
    source, sink, largest, application = names
    first = first_version(source, sink)
    second = later(first, largest)
    (operator,) = second.operators
    assert isinstance(operator.kernel, Aggregate)
    third = replace(
        second,
        operators=(
            replace(
                operator,
                kernel=replace(operator.kernel, calls=operator.kernel.calls[1:]),
                columns=operator.columns[:-1],
                labels=("k0", "sum", "count"),
                store=replace(operator.store, fingerprint="counting-3"),
            ),
        ),
        pipelines=(replace(second.pipelines[0], query="SELECT _row, k0, a1 AS v0, a0 AS v1 FROM input"),),
    )
    state = tmp_path / "state"
    # Of some keys the changelog has entries of the first version alone, of others of both.
    give(log, source, range(100))
    run(first, log, application, state)
    give(log, source, range(100, 103))
    run(second, log, application, state)
    found = verdict(third, log, application, state)
    assert (found.verdict, found.details) == (Verdict.MIGRATE, ("`MAX(v0)` was removed",))
    give(log, source, range(103, 120))
    run(third, log, application, state)
    assert last(histories(log, sink)) == totals(range(120))
    give(log, source, range(120, 130))
    run(third, log, application, None)
    assert last(histories(log, sink)) == totals(range(130))


@EMBEDDED
def test_a_change_that_loses_results_is_refused_with_its_reason(
    log: Log, names: tuple[str, str, str, str], tmp_path: Path
) -> None:
    source, sink, _, application = names
    first = first_version(source, sink)
    give(log, source, range(20))
    run(first, log, application, tmp_path)
    (operator,) = first.operators
    assert isinstance(operator.kernel, Aggregate)
    calls = (operator.kernel.calls[0], ADDED)
    changed = replace(
        first,
        operators=(
            replace(
                operator,
                kernel=replace(operator.kernel, calls=calls),
                store=replace(operator.store, fingerprint="counting-2"),
            ),
        ),
    )
    found = verdict(changed, log, application, tmp_path)
    assert (found.verdict, found.details) == (Verdict.REFUSE, ("`sum` was `SUM(v0)`, is `MAX(v0)`",))
    with pytest.raises(RunError, match=r"`sum` was `SUM\(v0\)`, is `MAX\(v0\)`"):
        run(changed, log, application, tmp_path)


@EMBEDDED
def test_rows_that_the_version_before_has_on_their_way_are_waited_for(
    log: Log, names: tuple[str, str, str, str], tmp_path: Path
) -> None:
    """They have other columns: this version could not read them."""
    source, sink, largest, application = names
    first = rekeyed(source, sink, QUICK, partitions=2)
    (operator,) = first.operators
    assert isinstance(operator.kernel, Aggregate)
    feed = operator.kernel.feed
    wider = replace(feed, value=(*feed.value, Column("v1", pa.string())), labels=("k0", "v0", "v1"))
    known = replace(feed, labels=("k0", "v0"))
    first = replace(first, operators=(replace(operator, kernel=replace(operator.kernel, feed=known)),))
    outer = {name: item for name, item in first.sinks.items() if not item.internal}
    second = later(replace(first, pipelines=first.pipelines[1:], sinks=outer), largest)
    (operator,) = second.operators
    assert isinstance(operator.kernel, Aggregate)
    second = replace(
        second,
        operators=(replace(operator, kernel=replace(operator.kernel, feed=wider)),),
        pipelines=(first.pipelines[0], *second.pipelines),
        sinks={**first.sinks, **second.sinks},
    )
    give(log, source, range(50))
    run(first, log, application, tmp_path)
    assert verdict(second, log, application, tmp_path).verdict is Verdict.MIGRATE
    # Written by the version before, in its last commit, and not read any more.
    fill(log, f"{application}-digits-repartition", numbers(range(1)), keys=[b"0"])
    found = verdict(second, log, application, tmp_path)
    assert (found.verdict, "has not read" in found.reason) == (Verdict.REFUSE, True)
    with pytest.raises(RunError, match="has not read"):
        run(second, log, application, tmp_path)
    run(first, log, application, tmp_path)
    assert verdict(second, log, application, tmp_path).verdict is Verdict.MIGRATE
