"""Rows of one group that go through a repartition topic as one: the results are those of rows that go one by one."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from headrace.catalog import Catalog
from headrace.engine import Processor, ProcessorOptions
from headrace.log.embedded import EmbeddedLog
from headrace.planner import plan_program
from headrace.sql import parse_program
from tests.engine.programs import create, fill, read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.plan.topology import Topology

START = 1_700_000_000_000
Row = tuple[int | None, int | None, int]
"""Group, amount, and milliseconds after the start."""

RESULTS = (
    "COUNT(*) AS n, COUNT(amount) AS amounts, SUM(amount) AS total, MIN(amount) AS least, MAX(amount) AS most, "
    "COUNT(*) FILTER (WHERE amount > 3) AS big, SUM(amount) FILTER (WHERE amount > 3) AS big_total, MAX(at) AS last"
)
WINDOWS = {
    "none": "",
    "tumble": "WINDOW BY TUMBLE 5s GRACE BY 2s",
    "hop": "WINDOW BY HOP 6s,2s GRACE BY 3s",
    "no grace": "WINDOW BY TUMBLE 1s GRACE BY 0s",
}
ROWS = st.lists(
    st.tuples(
        st.one_of(st.none(), st.integers(0, 3)),
        st.one_of(st.none(), st.integers(-5, 9)),
        st.integers(0, 20_000),
    ),
    max_size=60,
)


def program(window: str, emit: str = "", settings: str = "") -> str:
    return (
        "SET defaults.topic.autocreate = true;\n"
        f"CREATE TABLE source (grp int, amount int, at long) FORMAT (STRING, JSON);\n{settings}"
        f"INSERT INTO result SELECT STREAM {RESULTS} FROM source EVENTTIME BY at {WINDOWS[window]} GROUP BY grp {emit}"
    )


@dataclass(frozen=True)
class Ran:
    """What a run gave: the last value of each key, how many records came late, how many went through the topic in between."""

    values: dict[Any, Any]
    late: int
    between: int


def planned(log: EmbeddedLog, text: str) -> Topology:
    with closing(Catalog(log, None)) as catalog:
        return plan_program(parse_program(text), catalog)


def run(
    text: str,
    rows: Sequence[Row],
    partitions: int,
    batch: int,
    monkeypatch: pytest.MonkeyPatch,
    *,
    combine: bool,
) -> Ran:
    monkeypatch.setattr("headrace.engine.combining._FEWEST", 2 if combine else 1 << 30)
    # Without it a batch that has little to combine would keep the next ones from it.
    monkeypatch.setattr("headrace.engine.combining._MOST_LEFT", 1.0)
    with EmbeddedLog(":memory:") as log:
        create(log, "source", partitions)
        values = [
            json.dumps({"grp": group, "amount": amount, "at": START + at}).encode()
            for group, amount, at in rows
        ]
        if values:
            fill(log, "source", values, timestamps=[START + at for _, _, at in rows])
        processor = Processor(
            planned(log, text), log, None, ProcessorOptions("app", until_end=True, batch_records=batch)
        )
        processor.run()
        found = {row["key"]: (json.loads(row["value"]), row["timestamp"]) for row in read(log, "result")}
        with closing(log.admin()) as admin:
            (topic,) = [name for name in admin.topics() if name.endswith("-repartition")]
        late = sum(processor.metrics.snapshot().late.values())
        return Ran(found, late, processor.metrics.snapshot().produced.get(topic, 0))


@pytest.mark.parametrize("emit", ["", "EMIT FINAL"])
@pytest.mark.parametrize("window", WINDOWS)
@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, partitions=st.integers(2, 3), batch=st.sampled_from([1, 7, 1000]))
@example(rows=[(1, 5, 0), (1, None, 100), (1, 2, 200), (None, 1, 300), (2, 9, 400)], partitions=2, batch=1000)
@example(rows=[(1, 5, 0), (1, 5, 20_000), (1, 7, 100), (2, 7, 19_000)], partitions=2, batch=1000)
def test_results_are_those_of_rows_one_by_one(
    window: str, emit: str, rows: list[Row], partitions: int, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if emit and window == "none":
        return
    # Commits in between, whenever the clock says so, would decide in which order the partitions of the source are read.
    text = program(window, emit, "SET commit.interval.ms = 60000;\n")
    alone = run(text, rows, partitions, batch, monkeypatch, combine=False)
    together = run(text, rows, partitions, batch, monkeypatch, combine=True)
    assert together.values == alone.values
    assert together.late == alone.late
    assert alone.between == len(rows)


def test_a_batch_gives_one_record_for_each_group_and_pane(monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[Row] = [(number % 3, number, number) for number in range(600)]
    assert run(program("none"), rows, 2, 1000, monkeypatch, combine=True).between == 3
    assert run(program("hop"), rows, 2, 1000, monkeypatch, combine=True).between == 3
    rows = [(number % 3, number, number * 8) for number in range(600)]
    assert run(program("hop"), rows, 2, 1000, monkeypatch, combine=True).between == 9
    # Rows without a group are in none, and counted one by one.
    rows = [(None, number, number) for number in range(10)]
    assert run(program("tumble"), rows, 2, 1000, monkeypatch, combine=True).between == 10


@pytest.mark.parametrize(
    ("results", "combined"),
    [
        ("COUNT(*) AS n", True),
        ("COUNT(DISTINCT amount) AS n", False),
        ("AVG(amount) AS n", False),
        ("SUM(amount / 2.0) AS n", False),
        ("LAST(amount) AS n", False),
        ("MAX(CAST(amount AS STRING)) AS n", False),
        ("MIN(amount) AS n, COLLECT(amount) AS m", False),
    ],
)
def test_only_what_needs_no_order_is_combined(results: str, combined: bool) -> None:
    text = program("tumble").replace(RESULTS, results)
    with EmbeddedLog(":memory:") as log:
        create(log, "source", 2)
        (pipeline, *_) = [item for item in planned(log, text).pipelines if "repartition" in item.sink]
        assert (pipeline.combined is not None) == combined


@pytest.mark.parametrize(
    ("clauses", "settings"),
    [
        ("WINDOW BY SESSION 5s GROUP BY grp", ""),
        ("WINDOW BY HOP 5s,2s GROUP BY grp", ""),
        ("WINDOW BY TUMBLE 5s GROUP BY amount / 2.0", ""),
        ("GROUP BY grp", "SET emit = 'record';\n"),
    ],
)
def test_rows_that_must_stay_apart_do(clauses: str, settings: str) -> None:
    text = program("none", settings=settings).replace("GROUP BY grp", clauses)
    with EmbeddedLog(":memory:") as log:
        create(log, "source", 2)
        (pipeline, *_) = [item for item in planned(log, text).pipelines if "repartition" in item.sink]
        assert pipeline.combined is None


def test_of_a_late_row_the_record_itself_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(1, 1, 20_000), *((1, number, number) for number in range(5))]
    text = program("no grace", settings="SET late.topic = 'late';\n")
    ran = run(text, rows, 2, 1000, monkeypatch, combine=True)
    assert (ran.between, ran.late > 0) == (6, True)


def test_a_row_that_fails_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(1, number, number) for number in range(9)]
    text = program("none", settings="SET error.policy = 'continue';\n").replace(
        "GROUP BY grp", "GROUP BY 10 / (grp - grp + amount - 4)"
    )
    text = text.replace("10 / (", "CAST(10 / (").replace("- 4)", "- 4) AS LONG)")
    alone = run(text, rows, 2, 1000, monkeypatch, combine=False)
    assert run(text, rows, 2, 1000, monkeypatch, combine=True).values == alone.values
