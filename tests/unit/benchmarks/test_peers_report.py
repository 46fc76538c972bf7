"""Figures of the peers become the page that they are published on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from benchmarks.peers.measure import Cost
from benchmarks.peers.report import Figures, bars, from_data, table, write_page

if TYPE_CHECKING:
    from pathlib import Path

MEBI = 1 << 20
START = Cost(1.0, 0.5, 50 * MEBI, 0.9)


def figures(engine: str, *cpus: float, differing: list[str] | None = None) -> Figures:
    costs = [Cost(3.0, cpu, 100 * MEBI, 1.2) for cpu in cpus]
    return Figures("q1", "Prices", engine, "1.0", 2_000_000, 42, differing or [], START, costs)


OURS = figures("Headrace", 2.5, 4.5, 2.9)
THEIRS = figures("Other", 10.5, differing=["3 missing: (1,)"])


def test_the_start_is_not_in_the_figures_of_a_million_records() -> None:
    assert OURS.cpu == pytest.approx(1.2)
    assert OURS.whole_cpu == pytest.approx(1.45)
    assert OURS.rate == pytest.approx(1_000_000)


def test_a_rate_is_not_given_where_the_start_is_all() -> None:
    item = Figures("q1", "", "Other", "1", 10, 1, [], START, [Cost(1.05, 0.6, MEBI, None)])
    assert item.rate is None
    assert "- records/s" in table([item])


def test_the_table_says_what_differs() -> None:
    first, second = table([OURS, THEIRS]).splitlines()
    assert "42 results" in first
    assert "3 missing" in second


def test_the_page_has_ratios_and_verdicts(tmp_path: Path) -> None:
    raw = {
        "date": "2026-01-01 00:00 UTC",
        "command": "python -m benchmarks.peers",
        "load": 0.1,
        "cores": 2,
        "memory": 1 << 34,
        "machine": "x86_64",
        "python": "3",
        "java": "17",
        "kafka": "4",
        "guarantee": "exactly_once",
        "commit": 1.0,
        "threads": 2,
        "runs": 3,
        "figures": [OURS.as_data(), THEIRS.as_data()],
    }
    (tmp_path / "results.json").write_text(json.dumps(raw))
    write_page(tmp_path)
    page = (tmp_path / "results.md").read_text()
    assert "| Headrace | 2,000,000 | 1.20 | 1.00 | 1.45 | 1.0 |" in page
    assert "| Other | 2,000,000 | 5.00 | 0.00 | 5.25 | 4.2 |" in page
    assert "**differ**: 3 missing" in page
    assert "4.2 x" in (tmp_path / "ratios.svg").read_text()


def test_data_become_figures_again() -> None:
    assert from_data(json.loads(json.dumps(OURS.as_data()))) == OURS


def test_bars_leave_out_programs_that_we_have_not_measured() -> None:
    assert "<rect" in bars([OURS, THEIRS])
    assert " x</text>" not in bars([THEIRS])


@pytest.mark.parametrize(("ours", "theirs"), [(0.45, 2.5), (2.5, 0.54)])
def test_there_is_no_ratio_where_the_start_is_all(ours: float, theirs: float) -> None:
    shown = bars([figures("Headrace", ours), figures("Other", theirs)])
    assert shown.count(" x</text>") == (1 if ours > theirs else 0)
