"""TIMESTAMP from parts: no part rolls over into the next, and zones are those that Java takes."""

from __future__ import annotations

import datetime as dt

import duckdb
import pytest

from tests.unit.functions.duckdb_calls import evaluate


@pytest.mark.parametrize(
    "parts",
    [
        "2024, 13, 1, 0, 0, 0",
        "2024, 2, 30, 0, 0, 0",
        "2024, 1, 1, 25, 61, 61",
        "2024, 1, 1, 24, 0, 0",
        "2024, 1, 1, 0, 60, 0",
        "2024, 1, 1, 0, 0, 60",
        "2024, 1, 1, 0, 0, -0.5",
        "2024, 0, 0, -1, 0, 0",
    ],
)
@pytest.mark.parametrize("zone", ["", ", 'Europe/Athens'", ", '+02:00'", ", 'Z'"])
def test_parts_out_of_range_fail(parts: str, zone: str) -> None:
    with pytest.raises(duckdb.Error):
        evaluate(f"TIMESTAMP({parts}{zone})")


@pytest.mark.parametrize(
    ("zone", "seconds"),
    [
        ("Z", 0),
        ("UTC", 0),
        ("+2", 7200),
        ("+02", 7200),
        ("-02:30", -9000),
        ("+0230", 9000),
        ("+02:30:15", 9015),
        ("-023015", -9015),
        ("UTC+2", 7200),
        ("GMT-18:00", -64800),
        ("UT+01:00", 3600),
        ("Asia/Kolkata", 19800),
        ("Europe/Athens", 7200),
    ],
)
def test_zones_are_those_of_java(zone: str, seconds: int) -> None:
    wanted = dt.datetime(2024, 1, 15, 12, tzinfo=dt.UTC) - dt.timedelta(seconds=seconds)
    found = evaluate(f"TIMESTAMP(2024, 1, 15, 12, 0, 0, '{zone}')")
    assert found == evaluate(f"TIMESTAMPTZ '{wanted:%Y-%m-%d %H:%M:%S}+00'", plain=True)


@pytest.mark.parametrize("zone", ["Nowhere/City", "+18:01", "+2:00", "+02:60", "UTC+25", "+", ""])
def test_other_zones_fail(zone: str) -> None:
    with pytest.raises(duckdb.Error):
        evaluate(f"TIMESTAMP(2024, 1, 15, 12, 0, 0, '{zone}')")


def test_null_gives_null() -> None:
    assert evaluate("TIMESTAMP(2024, 1, 15, 12, 0, 0, CAST(NULL AS STRING))")[1] is None
    assert evaluate("TIMESTAMP(2024, CAST(NULL AS INT), 15, 12, 0, 0)")[1] is None
    assert evaluate("TIMESTAMP(2024, 1, 15, 12, 0, CAST(NULL AS INT), 'Z')")[1] is None
