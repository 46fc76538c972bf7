"""Golden cases whose processes are killed in the middle: what comes out in the end is the same.

A few of them each time, on the embedded log; with HEADRACE_ALL_VARIANTS=1 all that keep state, in all ways.
"""

from __future__ import annotations

import itertools
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from headrace.formats.registry import open_registry
from headrace.log import open_log
from headrace.testing import Outcome, Stop, Variant, plan_case, read_case
from headrace.testing.run_case import run_on
from tests.engine.processes import Child

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.testing.run_case import CaseRun

FOLDER = Path(__file__).parents[1] / "cases" / "run"

SAMPLE = (
    ("aggregate/collect_keeps_arrival", Variant(1, 1, Stop.CRASH)),
    ("aggregate/results_at_each_commit", Variant(7, 4, Stop.CRASH, 2)),
    ("join/stream_with_stream", Variant(7, 1, Stop.CRASH)),
    ("join/table_with_table_full", Variant(1, 4, Stop.CRASH)),
    ("join/aggregate_then_join", Variant(1, 1, Stop.CRASH, 2)),
    ("window/session_at_commits", Variant(1, 4, Stop.CRASH)),
)


def chosen() -> Iterator[tuple[str, Variant]]:
    if os.environ.get("HEADRACE_ALL_VARIANTS") != "1":
        yield from SAMPLE
        return
    ways = [
        Variant(batch, partitions, Stop.CRASH, instances)
        for batch, partitions, instances in itertools.product((1, 7), (1, 4), (1, 2))
    ]
    for path in sorted(FOLDER.rglob("*.case")):
        case = read_case(path)
        ends_well = not {"failure", "diagnostics"} & case.expected.keys()
        if ends_well and any(topic.records for topic in case.topics) and plan_case(case).stateful:
            yield from itertools.product([path.relative_to(FOLDER).with_suffix("").as_posix()], ways)


@pytest.mark.parametrize(("name", "variant"), [*chosen()])
def test_killed_in_the_middle(name: str, variant: Variant, commands: Path, tmp_path: Path) -> None:
    path = FOLDER / f"{name}.case"
    case = read_case(path)
    url = f"sqlite:{tmp_path / 'log.db'}"

    def kill(run: CaseRun, _records: int) -> None:
        way = (str(variant.partitions), str(variant.batch), str(run.folder), run.application)
        children = [
            Child(
                commands, tmp_path / f"{number}.log", url, str(path), *way, str(number),
                module="tests.recovery.case_child",
            )
            for number in range(run.variant.instances)
        ]  # fmt: skip
        codes = [child.wait() for child in children]
        # Of two, one may have to do all of it alone, and come to the end.
        assert -signal.SIGKILL in codes, [child.lines.read_text() for child in children]
        assert set(codes) <= {0, -signal.SIGKILL}, [child.lines.read_text() for child in children]

    with open_log(url) as log:
        actual = run_on(case, variant, log, open_registry(None, log), crash=kill)
    found, expected = actual.comparable(Outcome(case.expected))
    assert found == expected
