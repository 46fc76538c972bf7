"""Raw runs of the peers become figures."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.peers.figures import Figures, figures_of, ratio, table
from benchmarks.peers.measure import Cost
from benchmarks.spread import Spread, spread

MEBI = 1 << 20
START = Cost(1.0, 0.5, 50 * MEBI, 0.9)


def figures(engine: str, *cpus: float, differing: list[str] | None = None) -> Figures:
    costs = [Cost(3.0, cpu, 100 * MEBI, 1.2) for cpu in cpus]
    return Figures("q1", "Prices", engine, 2_000_000, 42, differing or [], [START], costs)


OURS = figures("Headrace", 2.5, 4.5, 2.9)
THEIRS = figures("Other", 10.5, differing=["3 missing: (1,)"])


def test_the_start_is_not_in_the_figures_of_a_million_records() -> None:
    assert (OURS.cpu.median, OURS.cpu.low, OURS.cpu.high) == pytest.approx((1.2, 1.0, 2.0))
    assert OURS.whole_cpu == pytest.approx(1.45)
    assert OURS.rate == pytest.approx(1_000_000)
    assert OURS.peak == Spread(100, 100, 100)


def test_a_rate_is_not_given_where_the_start_is_all() -> None:
    item = Figures("q1", "", "Other", 10, 1, [], [START], [Cost(1.05, 0.6, MEBI, None)])
    assert item.rate is None
    assert "- records/s" in table([item])


def test_the_cheapest_start_is_taken_off_and_all_first_results_count() -> None:
    starts = [START, Cost(1.2, 0.7, 50 * MEBI, 1.1), Cost(1.2, 0.6, 50 * MEBI, None)]
    item = Figures("q1", "", "Other", 1_000_000, 1, [], starts, [Cost(3.0, 1.5, MEBI, 1.0)])
    assert item.cpu.median == pytest.approx(1.0)
    assert item.first == spread([0.9, 1.1])


def test_the_table_says_what_differs() -> None:
    first, second = table([OURS, THEIRS]).splitlines()
    assert "42 results" in first
    assert "3 missing" in second


def test_raw_runs_are_put_together() -> None:
    def raw(kind: str, cpu: float, **more: Any) -> dict[str, Any]:
        cost = {"wall": 1.0, "cpu": cpu, "peak": MEBI, "first": None}
        return {
            "program": "q1",
            "title": "t",
            "engine": "E",
            "kind": kind,
            "records": 5,
            "cost": cost,
            **more,
        }

    start, first, second = raw("start", 0.5), raw("run", 1.0, rows=3, differing=[]), raw("run", 2.0)
    (found,) = figures_of([start, second, first])
    assert [cost.cpu for cost in found.costs] == [2.0, 1.0]
    assert (found.rows, found.records, found.first) == (3, 5, None)
    assert figures_of([first]) == [], "without a start there is nothing to say yet"


@pytest.mark.parametrize(("ours", "theirs"), [(0.45, 2.5), (2.5, 0.54)])
def test_there_is_no_ratio_where_the_start_is_all(ours: float, theirs: float) -> None:
    assert ratio(figures("Other", theirs), figures("Headrace", ours)) is None
    assert ratio(figures("Other", theirs), None) is None


def test_a_ratio_is_of_our_median() -> None:
    found = ratio(THEIRS, OURS)
    assert found is not None
    assert found.median == pytest.approx(5 / 1.2)


def test_a_spread_is_shown_where_there_is_one() -> None:
    assert spread([3.0, 1.0, 2.0]).text(1) == "2.0 (1.0 to 3.0)"
    assert spread([1001.0, 1001.2]).text(0) == "1,001"
