"""The page of results says what the raw figures say, and which targets they miss."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks.results.__main__ import FOLDER
from benchmarks.results.page import pages
from benchmarks.results.raw import Raw, read
from benchmarks.results.targets import Check, Target, targets

MEBI = 1 << 20
ABOUT = {
    "machine": {
        "cores": 2,
        "memory": 24 << 30,
        "cpu": "Some CPU",
        "architecture": "x86_64",
        "system": "Linux",
    },
    "versions": {"Headrace": "1.2", "Kafka": "4"},
    "settings": {"guarantee": "exactly_once", "commit": 1.0, "threads": 2},
    "sessions": [{"date": "2026-01-01 00:00 UTC", "command": "python -m it", "load": 0.1, "revision": "abc"}],
}


def file(*entries: dict[str, Any]) -> dict[str, Any]:
    return {**ABOUT, "entries": [{"date": "2026-01-01 01:00 UTC", **entry} for entry in entries]}


def program(
    engine: str, *cpus: float, name: str = "q1", peak: int = 100, **more: Any
) -> list[dict[str, Any]]:
    key = {"program": name, "title": "Prices", "engine": engine, "records": 1_000_000}
    start = {"wall": 1.0, "cpu": 0.5, "peak": MEBI, "first": 0.8}
    costs = [{"wall": 3.0, "cpu": 0.5 + cpu, "peak": peak * MEBI, "first": 1.2} for cpu in cpus]
    compared = {"rows": 42, "differing": [], **more}
    runs = [{**key, "kind": "run", "cost": cost, **compared} for cost in costs]
    return [{**key, "kind": "start", "cost": start}, *runs]


def latency(engine: str, rate: int, number: int, p99: float) -> dict[str, Any]:
    key = {"kind": "run", "guarantee": "exactly_once", "engine": engine, "rate": rate, "number": number}
    found = {"50.0": p99 / 2, "99.0": p99, "100.0": p99 * 2}
    return {**key, "half": rate == 75_000, "milliseconds": found}


def away(engine: str, way: str, seconds: float, keys: int = 10_000_000) -> dict[str, Any]:
    return {"engine": engine, "keys": keys, "way": way, "seconds": seconds, "first": seconds}


WHOLE = Raw(
    {
        "peers": file(
            *program("Headrace", 1.0, 1.2, 1.1, peak=300),
            *program("Kafka Streams", 8.8, 9.9, 6.6, peak=500),
            *program("Flink SQL", 2.2, differing=["1 missing: (a | b)"], peak=900),
        ),
        "latency": file(
            {"kind": "capacity", "guarantee": "exactly_once", "engine": "Kafka Streams", "rate": 150_000},
            *(
                latency("Headrace", rate, number, 120 + number)
                for rate in (20_000, 75_000)
                for number in range(3)
            ),
            *(latency("Kafka Streams", rate, 0, 110) for rate in (20_000, 75_000)),
        ),
        "restart": file(
            away("Headrace", "warm", 1.0),
            away("Headrace", "warm", 1.0, keys=100_000),
            away("Kafka Streams", "warm", 12.0),
        ),
        "scale": file(
            *(
                {"curve": curve, "at": at, "rate": 1e6 * at, "cpu_per_million": 1.5, "peak": 200.0}
                for curve in ("partitions, one thread", "partitions, 2 threads")
                for at in (1, 2)
            )
        ),
    }
)


def verdicts(raw: Raw) -> dict[str, str]:
    return {target.title: target.verdict for target in targets(raw)}


def test_each_target_is_held_against_the_figures() -> None:
    found = verdicts(WHOLE)
    assert (
        found["3 times the records per CPU second of Kafka Streams, stateless programs"]
        == "not measured yet: 1 of 3"
    )
    assert found["3 times the records per CPU second of Flink SQL, stateless programs"] == "**no**: 0 of 3"
    assert found["behind no peer on any program, records per CPU second"] == "yes: 2 of 2"
    assert found["at most half of the peak memory of Kafka Streams, all programs"] == "**no**: 0 of 1"
    assert found["at most half of the peak memory of Flink SQL, all programs"] == "yes: 1 of 1"
    assert found["first result within 1.5 s of the start"] == "yes: 1 of 1"
    assert (
        found["p99 latency no worse than Kafka Streams', at half of the slowest engine's capacity"]
        == "**no**: 0 of 1"
    )
    assert (
        found["a warm restart after `kill -9` 10 times as quick as Kafka Streams', 10,000,000 keys"]
        == "yes: 1 of 1"
    )
    assert found["2 times the records per CPU second of Flink SQL, joins"] == "not measured yet: 0 of 2"


def test_without_figures_nothing_holds() -> None:
    assert {verdict.partition(":")[0] for verdict in verdicts(Raw({})).values()} == {"not measured yet"}


def test_the_worst_case_is_of_the_least_favourable_runs() -> None:
    (target,) = [item for item in targets(WHOLE) if item.title.startswith("behind")]
    streams, flink = target.checks
    assert (streams.found, streams.worst) == pytest.approx((8.0, 5.5))
    assert target.furthest == flink


@pytest.mark.parametrize(
    ("upward", "found", "holds"),
    [(True, 3.0, True), (True, 2.9, False), (False, 3.1, False), (True, None, None)],
)
def test_a_target_is_reached_at_its_value(upward: bool, found: float | None, holds: bool | None) -> None:
    assert Target("", 3.0, "x", upward, []).holds(Check("", found)) is holds


def test_the_page_shows_medians_spreads_and_what_is_not_reached() -> None:
    page = pages(WHOLE)["results.md"]
    assert (
        "| Headrace | 1,000,000 | 3 | 1.10 (1.00 to 1.20) | 1.60 | 1.0 | 500,000 | 300 | 0.80 | 42, as DuckDB's |"
        in page
    )
    assert (
        "| Flink SQL | 1,000,000 | 1 | 2.20 | 2.70 | 2.0 | 500,000 | 900 | 0.80 | 42: **1 missing** |" in page
    )
    assert "- at most half of the peak memory of Kafka Streams, all programs: q1, Kafka Streams 0.60x" in page
    assert "### Exactly once, 75,000 records/s, half of the slowest engine's capacity" in page
    assert "| Headrace | 60 | 121 (120 to 122) | 242 (240 to 244) |" in page.replace("60 (60 to 61)", "60")
    assert "| 10,000,000 keys, warm | 1.00 | 12.00 |" in page
    assert "| 100,000 keys, warm | 1.00 | - |" in page
    assert "2 cores Some CPU (x86_64), 24 GiB of memory" in page
    assert "2026-01-01 00:00 UTC to 2026-01-01 01:00 UTC, revision abc" in page


def test_every_plot_on_the_page_is_drawn() -> None:
    found = pages(WHOLE)
    plots = {name for name in found if name.endswith(".svg")}
    assert plots == {"cpu.svg", "memory.svg", "latency.svg", "restart.svg", "scale.svg"}
    for name in plots:
        assert f"]({name})" in found["results.md"]
        root = ElementTree.fromstring(found[name])
        texts = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
        assert "nan" not in found[name]
        assert texts
    assert "8.0 x" in found["cpu.svg"]
    assert "max" in found["latency.svg"]


def test_what_was_not_run_is_left_out() -> None:
    found = pages(Raw({"restart": WHOLE.files["restart"]}))
    assert set(found) == {"results.md", "restart.svg"}
    assert "## Latency" not in found["results.md"]


def test_the_published_page_is_made_from_the_raw_figures_beside_it() -> None:
    for name, text in pages(read(FOLDER)).items() if FOLDER.exists() else ():
        assert (FOLDER / name).read_text(encoding="utf-8") == text, "run python -m benchmarks.results"
