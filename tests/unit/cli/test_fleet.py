"""The invented ships of the demo."""

from __future__ import annotations

from typing import Any

from headrace.cli.fleet import VALUE_SCHEMA, Fleet
from headrace.types.avro import avro_to_arrow

START = 1_700_000_000_000


def test_the_same_seed_gives_the_same_reports() -> None:
    assert Fleet(20, START).reports(50, START + 1000) == Fleet(20, START).reports(50, START + 1000)


def test_reports_fit_the_schema() -> None:
    keys, values = Fleet(5, START).reports(10, START)
    assert values.cast(avro_to_arrow(VALUE_SCHEMA)).null_count == 0
    assert keys.field("MMSI") == values.field("MMSI")


def test_about_two_thirds_are_faster_than_ten_knots() -> None:
    _, values = Fleet(300, START).reports(3_000, START + 1000)
    fast = sum(speed.as_py() > 10 for speed in values.field("Speed"))
    assert 0.55 < fast / 3_000 < 0.8


def test_a_ship_moves_as_fast_as_it_says() -> None:
    fleet = Fleet(1, START)
    _, before = fleet.reports(1, START)
    _, after = fleet.reports(1, START + 3_600_000)
    first: Any = before[0].as_py()
    last: Any = after[0].as_py()
    degrees = abs(last["Latitude"] - first["Latitude"]) + abs(last["Longitude"] - first["Longitude"])
    assert 0.1 * first["Speed"] / 60 < degrees < 4 * first["Speed"] / 60
