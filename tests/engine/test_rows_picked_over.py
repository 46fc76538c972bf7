"""LAG, FIRST_VALUE, LAST_VALUE and NTH_VALUE OVER random rows, run whole on the embedded log, beside a plain model.

The model takes one row at a time and holds all of them in lists.
"""

from __future__ import annotations

import random
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest

from headrace.testing import Stop, Variant
from headrace.testing.case_file import TopicInput
from tests.engine.test_joins_against_duckdb import latest, run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.engine.test_joins_against_duckdb import Record

GRACE, LENGTH = 30, 60
LAGS = {
    "LAG({0})": (1, None),
    "LAG({0}, 2)": (2, None),
    "LAG({0}, 0, {1})": (0, 1),
    "LAG({0}, 2, {1})": (2, 1),
}
"""How far each goes back, and whether it has a default."""
PICKS = {
    "FIRST_VALUE({0})": (0, False),
    "FIRST_VALUE({0} IGNORE NULLS)": (0, True),
    "LAST_VALUE({0})": (-1, False),
    "LAST_VALUE({0} IGNORE NULLS)": (-1, True),
    "NTH_VALUE({0}, 2)": (1, False),
    "NTH_VALUE({0}, 2) IGNORE NULLS": (1, True),
}
"""Which row of the frame each takes, and whether of those with a value alone."""
VALUES = {"c1": "-1", "name": "'none'", "tags": "null"}
"""Columns, and what stands for a row that is not there."""
DEFAULTS: Record = {"c1": -1, "name": "none", "tags": None}

ROWS = "ROWS BETWEEN 2 PRECEDING AND CURRENT ROW"
ALL = "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"
TIME = f"RANGE BETWEEN INTERVAL '{LENGTH}' MILLISECOND PRECEDING AND CURRENT ROW"
ALL_TIME = "RANGE UNBOUNDED PRECEDING"
STREAMS = {"rows": ROWS, "all_rows": ALL, "stretch": TIME, "all_time": ALL_TIME}


def calls(frame: str, order: str) -> str:
    """Give the columns of a SELECT: each function of each column, those of LAG where the frame has so many rows."""
    parts = f"PARTITION BY c0 ORDER BY {order}"
    written = []
    for column, missing in VALUES.items():
        if frame == ROWS:
            written += [f"{lag.format(column, missing)} OVER ({parts})" for lag in LAGS]
        written += [f"{pick.format(column)} OVER ({parts} {frame})" for pick in PICKS]
    return ", ".join(f"{call} AS r{number}" for number, call in enumerate(written))


def results(frame: Sequence[Record], *, lags: bool) -> Record:
    """Give what they are over a frame, whose last row is the row itself (or, of a stretch of time, one of its time)."""
    found: list[Any] = []
    for column in VALUES:
        values = [row[column] for row in frame]
        if lags:
            for back, default in LAGS.values():
                there = len(values) > back
                found.append(values[-1 - back] if there else DEFAULTS[column] if default else None)
        for place, skips in PICKS.values():
            taken = [value for value in values if value is not None] if skips else values
            found.append(taken[place] if len(taken) > max(place, 0) or (place < 0 and taken) else None)
    return {f"r{number}": value for number, value in enumerate(found)}


def value(chance: random.Random, number: int) -> Record:
    return {
        "id": number,
        "c0": chance.choice([0, 1, None]),
        "c1": chance.choice([None, 1, 2, 3]),
        "name": chance.choice([None, "", "a", "b"]),
        "tags": chance.choice([None, [], [1], [1, None]]),
    }


def stream(seed: int) -> TopicInput:
    """Give facts whose times go on, and sometimes back, by more than the grace too."""
    chance = random.Random(seed)
    time, records = 1000, []
    for number in range(80):
        time += chance.choice([0, 0, 5, 10, 40])
        row = value(chance, number)
        late = chance.choice([0, 0, 0, 10, 25, 80])
        records.append({"key": f"k{row['c0']}", "value": row, "timestamp": time - late})
    return TopicInput("facts", {"format": "STRING, JSON", "partitions": "1"}, tuple(records))


def by_rows(topic: TopicInput, name: str) -> list[Record]:
    """Give the rows with their results as they come; `name` is that of the frame."""
    parts: defaultdict[int | None, list[Record]] = defaultdict(list)
    found = []
    for record in topic.records:
        row = record["value"]
        part = parts[row["c0"]]
        part.append(row)
        frame = part[-3:] if name == "rows" else part
        # What LAG goes back to lies in the frame.
        found.append({"id": row["id"], **results(frame, lags=name == "rows")})
    return found


def by_time(topic: TopicInput, length: float) -> list[Record]:
    """Give the rows whose time has passed in the order of their times, without those that came too late."""
    now = -1
    came: list[Record] = []
    found: list[Record] = []
    given: set[int] = set()
    for record in topic.records:
        if record["timestamp"] + GRACE < now:
            continue
        came.append(record)
        now = max(now, record["timestamp"])
        for one in sorted(came, key=lambda other: other["timestamp"]):
            row, time = one["value"], one["timestamp"]
            if time + GRACE >= now or row["id"] in given:
                continue
            given.add(row["id"])
            frame = [
                other
                for other in came
                if other["value"]["c0"] == row["c0"] and time - length <= other["timestamp"] <= time
            ]
            frame.sort(key=lambda other: other["timestamp"])
            found.append({"id": row["id"], **results([other["value"] for other in frame], lags=False)})
    return found


@pytest.mark.parametrize(
    "variant",
    [Variant(batch=1), Variant(batch=7, stop=Stop.CLEAN), Variant()],
    ids=["one by one", "stopped", "all at once"],
)
def test_rows_of_a_stream(variant: Variant) -> None:
    seed = variant.batch or 0
    topic = stream(seed)
    grace = f"GRACE BY {GRACE}ms"
    sql = ";\n".join(
        f"INSERT INTO {name} SELECT STREAM id, {calls(frame, '_meta.timestamp')} FROM facts "
        f"{grace if 'RANGE' in frame else ''}"
        for name, frame in STREAMS.items()
    )
    found = run(sql, (topic,), variant, tuple(STREAMS))
    expected = {
        "rows": by_rows(topic, "rows"),
        "all_rows": by_rows(topic, "all_rows"),
        "stretch": by_time(topic, LENGTH),
        "all_time": by_time(topic, float("inf")),
    }
    for name, rows in expected.items():
        assert len(rows) > 40
        assert [record["value"] for record in found[name]] == rows, name


@pytest.mark.parametrize(
    "variant", [Variant(batch=1), Variant(batch=7, partitions=3, stop=Stop.CLEAN)], ids=["plain", "spread"]
)
def test_rows_of_a_table_that_changes(variant: Variant) -> None:
    chance = random.Random(variant.batch)
    records: list[Record] = []
    for number in range(80):
        row = None if chance.random() < 0.2 else value(chance, number)
        records.append({"key": f"k{chance.randrange(20)}", "value": row, "timestamp": 1000 + 10 * number})
    topic = TopicInput("facts", {"format": "STRING, JSON"}, tuple(records))
    sql = f"INSERT INTO picked SELECT TABLE id, c0, {calls(ROWS, 'c1 DESC NULLS FIRST, id')} FROM facts"
    found = run(sql, (topic,), variant, ("picked",))
    rows = sorted(latest(records).values(), key=lambda row: row["id"])
    rows.sort(key=lambda row: -9 if row["c1"] is None else -row["c1"])
    expected = {}
    for row in rows:
        part = [other for other in rows if other["c0"] == row["c0"]]
        place = part.index(row)
        frame = part[max(0, place - 2) : place + 1]
        expected[row["id"]] = {"id": row["id"], "c0": row["c0"], **results(frame, lags=True)}
    assert len(expected) > 8
    state = latest(found["picked"]).values()
    assert {row["id"]: row for row in state} == expected
