"""Joins over random records, run whole on the embedded log, beside DuckDB over the same records.

Of joins of tables the last state of each key is compared, whatever came out in between; of joins of streams each row.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from headrace.testing import Stop, Variant, run_case
from headrace.testing.case_file import Case, TopicInput

if TYPE_CHECKING:
    from collections.abc import Iterable

Record = dict[str, Any]

KINDS = ("INNER", "LEFT", "RIGHT", "FULL")
PLAIN = Variant()
SPREAD = Variant(batch=10, partitions=3, stop=Stop.CLEAN)


def changes(seed: int, form: str, columns: int) -> TopicInput:
    """Give changes of a table: rows come, change and go."""
    chance = random.Random(seed)
    records: list[Record] = []
    for number in range(50):
        key = chance.randrange(8)
        value = {f"c{index}": chance.choice([None, *range(5)]) for index in range(columns)}
        records.append(
            {
                "key": key if form == "LONG" else f"k{key}",
                "value": None if chance.random() < 0.25 else {"id": number, **value},
                "timestamp": 1000 + 10 * number,
            }
        )
    return TopicInput(f"t{seed}", {"format": f"{form}, JSON"}, tuple(records))


def events(seed: int, *, ends: bool) -> TopicInput:
    """Give records of a stream in the order of their times, and last one that lets all windows close."""
    chance = random.Random(seed)
    times = sorted(chance.sample(range(1000, 9000), 40))
    records: list[Record] = [
        {
            "key": f"k{chance.randrange(4)}",
            "value": {"id": number, "c0": chance.choice([None, 0, 1, 2])},
            "timestamp": time,
        }
        for number, time in enumerate(times)
    ]
    if ends:
        records.append({"key": "end", "value": {"id": -1, "c0": 9}, "timestamp": 10_000_000})
    return TopicInput(f"s{seed}", {"format": "STRING, JSON", "partitions": "1"}, tuple(records))


def run(
    sql: str, topics: tuple[TopicInput, ...], variant: Variant, targets: tuple[str, ...] = KINDS
) -> dict[str, list[Record]]:
    """Run a program; give the records of each target in order."""
    outcome = run_case(Case("SET autocreate=true;\n" + sql, topics, {}, ""), variant)
    assert set(outcome.sections) <= {f"output {name}" for name in targets}, outcome.sections
    return {
        title.removeprefix("output "): [
            json.loads(line) for line in body.splitlines() if line.startswith("{")
        ]
        for title, body in outcome.sections.items()
    }


def latest(records: Iterable[Record]) -> dict[str, Any]:
    """Give the last value of each key, without those that are gone."""
    found = {json.dumps(record["key"], sort_keys=True): record["value"] for record in records}
    return {key: value for key, value in found.items() if value is not None}


def load(duck: duckdb.DuckDBPyConnection, topic: TopicInput, *, table: bool) -> None:
    """Put the records of a topic into DuckDB: all of them, or the rows of the table that they are."""
    rows = [record for record in topic.records if record["value"] is not None]
    if table:
        rows = [
            {"key": json.loads(key), "value": value, "timestamp": 0}
            for key, value in latest(topic.records).items()
        ]
    kind = "VARCHAR" if topic.options["format"].startswith("STRING") else "BIGINT"
    duck.execute(f"CREATE TABLE {topic.name} (_key {kind}, _time BIGINT, id BIGINT, c0 BIGINT, c1 BIGINT)")
    for row in rows:
        value = row["value"]
        duck.execute(
            f"INSERT INTO {topic.name} VALUES (?, ?, ?, ?, ?)",
            [row["key"], row["timestamp"], value["id"], value.get("c0"), value.get("c1")],
        )


def counted(rows: Iterable[tuple[Any, ...]]) -> Counter[tuple[Any, ...]]:
    return Counter(tuple(row) for row in rows)


@pytest.mark.parametrize(
    ("condition", "forms", "variant"),
    [
        ("a._key = b._key", ("STRING", "STRING"), SPREAD),
        ("a.c0 = b._key", ("STRING", "LONG"), PLAIN),
        ("a.c0 = b._key", ("STRING", "LONG"), SPREAD),
        ("a._key = b.c0", ("LONG", "STRING"), PLAIN),
        ("a.c0 = b.c0 AND a.c1 = b.c1", ("STRING", "LONG"), PLAIN),
    ],
    ids=["keys", "key on the right", "key on the right, spread", "key on the left", "no keys"],
)
def test_tables(condition: str, forms: tuple[str, str], variant: Variant) -> None:
    topics = changes(1, forms[0], 2), changes(2, forms[1], 2)
    sql = ";\n".join(
        f"INSERT INTO `{kind}` SELECT TABLE a.id AS one, b.id AS two FROM t1 AS a {kind} JOIN t2 AS b ON {condition}"
        for kind in KINDS
    )
    found = run(sql, topics, variant)
    with duckdb.connect() as duck:
        for topic in topics:
            load(duck, topic, table=True)
        for kind in KINDS:
            rows = duck.sql(f"SELECT a.id, b.id FROM t1 AS a {kind} JOIN t2 AS b ON {condition}").fetchall()
            state = latest(found[kind]).values()
            assert counted((row["one"], row["two"]) for row in state) == counted(rows), kind


@pytest.mark.parametrize("condition", ["a._key = b._key", "a.c0 = b.c0"])
def test_streams(condition: str) -> None:
    topics = events(3, ends=True), events(4, ends=True)
    sql = ";\n".join(
        f"INSERT INTO `{kind}` SELECT STREAM a.id AS one, b.id AS two FROM s3 AS a {kind} JOIN s4 AS b ON {condition} "
        "WITHIN (200, ms, 500, ms) GRACE BY 1h"
        for kind in KINDS
    )
    found = run(sql, topics, Variant(batch=7))
    with duckdb.connect() as duck:
        for topic in topics:
            load(duck, topic, table=False)
        for kind in KINDS:
            rows = duck.sql(
                f"SELECT a.id, b.id FROM s3 AS a {kind} JOIN s4 AS b ON {condition} "
                "AND b._time BETWEEN a._time - 200 AND a._time + 500"
            ).fetchall()
            assert counted((row["value"]["one"], row["value"]["two"]) for row in found[kind]) == counted(
                rows
            ), kind


@pytest.mark.parametrize("kind", ["INNER", "LEFT"])
def test_a_stream_takes_what_the_table_holds_at_its_time(kind: str) -> None:
    table = changes(5, "LONG", 1)
    table = TopicInput(table.name, {**table.options, "partitions": "1"}, table.records)
    stream = events(6, ends=False)
    sql = f"INSERT INTO `{kind}` SELECT STREAM a.id AS one, b.id AS two FROM s6 AS a {kind} JOIN t5 AS b ON a.c0 = b._key"
    found = run(sql, (stream, table), PLAIN)
    expected = []
    for record in stream.records:
        before = [change for change in table.records if change["timestamp"] <= record["timestamp"]]
        row = latest(before).get(json.dumps(record["value"]["c0"]))
        if row is not None or kind == "LEFT":
            expected.append((record["value"]["id"], None if row is None else row["id"]))
    assert counted((row["value"]["one"], row["value"]["two"]) for row in found[kind]) == counted(expected)
