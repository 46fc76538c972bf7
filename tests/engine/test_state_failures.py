"""What is refused, late, aborted or idle: state and results stay in step."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import generate_latest

from headrace.engine import Processor, ProcessorOptions
from headrace.engine.delivery import ExactlyOnce
from headrace.errors import Diagnostic, RunError
from headrace.errors.codes.run import NOT_COMMITTED
from headrace.log.errors import AbortableError
from headrace.log.interface import TopicDescription
from headrace.plan.operators import Emit
from headrace.plan.topology import ErrorPolicy, Guarantee, RunSettings
from headrace.telemetry.exposition import registry_of
from tests.engine.programs import create, fill, numbers, read, unique
from tests.engine.running import running, wait_for
from tests.engine.stateful import counting, expected_histories, histories, windowed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.log.interface import Log, Offsets
    from headrace.plan.topology import Topology

QUICK = RunSettings(commit_interval=0.05)
LARGE = "x" * 3000


def run(topology: Topology, log: Log, application: str, batch: int = 1000) -> Processor:
    options = ProcessorOptions(application, until_end=True, batch_records=batch, lag_interval=0)
    processor = Processor(topology, log, None, options)
    processor.run()
    return processor


def small(log: Log, topic: str, **configs: str) -> str:
    """Make a topic that takes records of at most 2000 bytes."""
    admin = log.admin()
    try:
        admin.create(TopicDescription(topic, 1, configs={"max.message.bytes": "2000", **configs}))
    finally:
        admin.close()
    return topic


def give(log: Log, source: str, keys: Sequence[str], times: Sequence[int] | None = None) -> None:
    fill(
        log, source, numbers(range(len(keys))), keys=[key.encode() for key in keys], timestamps=times or None
    )


def test_an_aborted_commit_is_done_again(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    commits = 0
    commit = ExactlyOnce.commit

    def aborting(self: ExactlyOnce, offsets: Offsets) -> Any:
        nonlocal commits
        commits += 1
        if commits in (1, 3):
            self.abort()
            raise AbortableError((Diagnostic(NOT_COMMITTED, "for the test"),))
        return commit(self, offsets)

    monkeypatch.setattr(ExactlyOnce, "commit", aborting)
    source, sink = create(log, unique("in")), unique("out")
    keys = [f"k{number % 10}" for number in range(1000)]
    give(log, source, keys)
    # Commits come by what was read: by time there might be two in all on a busy machine.
    options = ProcessorOptions(unique("app"), until_end=True, batch_records=100, in_flight_records=200)
    Processor(counting(source, sink, QUICK), log, None, options).run()
    assert commits > 3
    assert histories(log, sink) == expected_histories(zip(keys, range(1000), strict=True))


@pytest.mark.parametrize("guarantee", list(Guarantee))
@pytest.mark.parametrize("emit", [Emit.RECORD, Emit.COMMIT])
def test_results_that_the_log_refuses_are_left_out_by_policy(
    log: Log, guarantee: Guarantee, emit: Emit
) -> None:
    source, sink, application = create(log, unique("in"), 1), small(log, unique("out")), unique("app")
    give(log, source, ["a", LARGE, "b", "a"])
    topology = counting(source, sink, replace(QUICK, guarantee=guarantee), partitions=1, emit=emit)
    with pytest.raises(RunError, match="row of operator totals"):
        run(topology, log, application)
    assert read(log, sink) == [] or guarantee is Guarantee.AT_LEAST_ONCE
    onward = replace(topology, settings=replace(topology.settings, on_write_error=ErrorPolicy.CONTINUE))
    processor = run(onward, log, application)
    found = histories(log, sink)
    assert (found["a"][-1], found["b"][-1]) == ((2, 3), (1, 2))
    assert LARGE not in found
    assert sum(processor.metrics.snapshot().errors.values()) == 1


def test_a_changelog_that_refuses_an_entry_ends_the_run(log: Log) -> None:
    source, sink, application = create(log, unique("in"), 1), unique("out"), unique("app")
    small(log, f"{application}-totals-changelog", **{"cleanup.policy": "compact"})
    give(log, source, ["a", LARGE])
    topology = counting(source, sink, QUICK, partitions=1, emit=Emit.COMMIT)
    with pytest.raises(RunError, match="refused an entry of store `totals`"):
        run(topology, log, application)
    assert read(log, sink) == []


def test_late_records_are_counted_and_kept(log: Log) -> None:
    source, sink, late = create(log, unique("in"), 1), unique("out"), unique("late")
    give(log, source, ["a", "a", "b", "a", "b"], [1_000_100, 1_000_900, 1_001_000, 1_000_950, 1_002_000])
    processor = run(windowed(source, sink, replace(QUICK, late_topic=late)), log, unique("app"))
    # The window of the first second has two records: the third of them is late.
    assert histories(log, sink) == {"a": [(1_000_000, 2)], "b": [(1_001_000, 1)]}
    (letter,) = read(log, late)
    assert (letter["key"], letter["value"]) == (b"a", b'{"n": 3, "s": "3"}')
    headers = {item["key"]: item["value"] for item in letter["headers"]}
    assert headers["headrace.late.operator"] == b"totals"
    assert headers["headrace.late.offset"] == b"3"
    now = processor.metrics.snapshot()
    assert now.late == {"totals": 1}
    assert now.state["totals"]["late"] == 1
    assert b'headrace_late_records_total{operator="totals"} 1.0' in generate_latest(
        registry_of(processor.metrics)
    )


def test_windows_close_when_nothing_comes_any_more(log: Log) -> None:
    source, sink = create(log, unique("in"), 1), unique("out")
    give(log, source, ["a", "b"], [1_000_100, 1_000_900])
    topology = windowed(source, sink, replace(QUICK, idle_timeout=0.2))
    processor = Processor(topology, log, None, ProcessorOptions(unique("app"), lag_interval=0))
    with running(processor), closing(log.admin()) as admin:
        wait_for(lambda: admin.describe(sink) is not None and bool(read(log, sink)))
    assert histories(log, sink) == {"a": [(1_000_000, 1)], "b": [(1_000_000, 1)]}
