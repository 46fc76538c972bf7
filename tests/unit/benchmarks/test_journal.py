"""Raw figures are written one by one, and what is there is not measured again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.journal import Journal, OtherSettingsError
from benchmarks.peers.__main__ import measure_all
from benchmarks.peers.engines import ENGINES
from benchmarks.peers.latency import half_of_slowest
from benchmarks.peers.programs import PROGRAMS
from benchmarks.peers.restart import missing

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.peers.engines import Engine
    from benchmarks.peers.programs import Program

MADE_BY = {"machine": {"cores": 2}, "settings": {"records": 5}}
NOW = {"date": "now", "command": "c"}


def opened(folder: Path, **settings: Any) -> Journal:
    return Journal(folder / "new" / "peers.json", {**MADE_BY, **settings}, NOW)


class Bench:
    """Remembers what it is asked for; stops when it has had enough, or fails."""

    def __init__(self, enough: int = 1_000, failing: str = "") -> None:
        self.asked: list[tuple[str, str, str, int]] = []
        self._enough = enough
        self._failing = failing

    def measure(self, program: Program, engine: Engine, kind: str, number: int) -> dict[str, Any]:
        if len(self.asked) == self._enough:
            raise KeyboardInterrupt
        self.asked.append((program.name, engine.slug, kind, number))
        if engine.slug == self._failing:
            message = "ended with 1"
            raise RuntimeError(message)
        return {"program": program.name, "engine": engine.name, "kind": kind, "number": number}


def run(journal: Journal, bench: Bench, runs: int = 2) -> None:
    programs = [program for program in PROGRAMS if program.name in ("q1", "q8")]
    engines = [engine for engine in ENGINES if engine.slug in ("headrace", "streams", "quix")]
    # The table of figures needs costs, which this bench has none of: without a comparison it is empty.
    measure_all(bench, journal, programs, engines, {"start": 1, "run": runs})  # type: ignore[arg-type]


def keys(journal: Journal) -> list[tuple[str, str, str, int]]:
    slugs = {engine.name: engine.slug for engine in ENGINES}
    return [
        (entry["program"], slugs[entry["engine"]], entry["kind"], entry["number"])
        for entry in journal.entries
    ]


@pytest.fixture(autouse=True)
def _no_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.peers.__main__.figures_of", lambda entries: [])


def test_engines_of_a_program_take_turns(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    run(journal, Bench())
    assert keys(journal)[:6] == [
        ("q1", "headrace", "start", 0),
        ("q1", "streams", "start", 0),
        ("q1", "quix", "start", 0),
        ("q1", "headrace", "run", 0),
        ("q1", "streams", "run", 0),
        ("q1", "quix", "run", 0),
    ]
    assert "quix" not in {engine for program, engine, _, _ in keys(journal) if program == "q8"}


def test_what_was_stopped_goes_on_where_it_was(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(opened(tmp_path), Bench(enough=7))
    bench = Bench()
    run(opened(tmp_path), bench)
    assert bench.asked[0] == ("q1", "streams", "run", 1)
    assert len(bench.asked) == 9 + 6 - 7
    more = Bench()
    run(opened(tmp_path), more, runs=3)
    assert {(kind, number) for _, _, kind, number in more.asked} == {("run", 2)}


def test_an_engine_that_fails_is_left_out_of_the_program_and_tried_again_later(tmp_path: Path) -> None:
    bench = Bench(failing="streams")
    journal = opened(tmp_path)
    run(journal, bench)
    assert [key for key in bench.asked if key[1] == "streams"] == [
        ("q1", "streams", "start", 0),
        ("q8", "streams", "start", 0),
    ]
    again = Bench()
    run(opened(tmp_path), again)
    assert {engine for _, engine, _, _ in again.asked} == {"streams"}


def test_the_file_says_what_the_figures_depend_on_and_which_calls_made_them(tmp_path: Path) -> None:
    opened(tmp_path).add({"number": 1})
    opened(tmp_path)
    second = opened(tmp_path)
    second.add({"number": 2})
    second.add({"number": 3})
    whole = json.loads((tmp_path / "new" / "peers.json").read_text())
    assert whole == {**MADE_BY, "sessions": [NOW, NOW], "entries": [{"number": n} for n in (1, 2, 3)]}
    assert second.find(number=2) == [{"number": 2}]


def test_figures_of_other_settings_are_not_mixed(tmp_path: Path) -> None:
    opened(tmp_path).add({"number": 1})
    with pytest.raises(OtherSettingsError, match="settings records: 5 there, 6 now"):
        opened(tmp_path, settings={"records": 6})
    with pytest.raises(OtherSettingsError, match="machine cores"):
        opened(tmp_path, machine={"cores": 4})


def test_the_rate_is_half_of_the_slowest_and_stays(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    engines = ENGINES[:3]
    capacities = {"headrace": 900_000.0, "streams": 151_900.0, "flink": 200_000.0}
    found = half_of_slowest(journal, engines, "exactly_once", lambda engine: capacities[engine.slug])
    assert found == 75_000
    assert half_of_slowest(journal, engines, "exactly_once", lambda engine: 1.0) == 75_000
    journal.add({"kind": "run", "guarantee": "at_least_once", "half": True, "rate": 60_000})
    assert half_of_slowest(journal, engines, "at_least_once", lambda engine: 1.0) == 60_000


@pytest.mark.parametrize(
    ("before", "runs", "ways"),
    [
        ([], 2, ["warm", "cold", "warm", "cold"]),
        (["warm"], 1, ["cold"]),
        (["warm", "cold", "warm"], 3, ["cold", "warm", "cold"]),
        (["warm", "cold"], 1, []),
    ],
)
def test_restarts_that_are_missing_are_made(before: list[str], runs: int, ways: list[str]) -> None:
    assert missing([{"way": way} for way in before], runs) == ways
