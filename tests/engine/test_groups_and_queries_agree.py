"""Design invariant 4 for groups: the last results of a stream are those of a snapshot query over the same records."""

from __future__ import annotations

import json
import math
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from headrace.catalog import Catalog
from headrace.engine import Processor, ProcessorOptions
from headrace.engine.snapshot import SnapshotQuery
from headrace.formats import make_encoder
from headrace.formats.interface import Format, Side
from headrace.functions import Kind, all_functions
from headrace.log import open_log
from headrace.planner import plan_program
from headrace.planner.duckdb_types import storable
from headrace.planner.snapshot import plan_query
from headrace.sql import parse_program
from tests.engine.programs import create, fill, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from headrace.log.interface import Log

Row = dict[str, Any]

ROWS: list[Row] = [
    {
        "id": number,
        "name": ("ann", "Bob", "Émile", "", "x-1,y")[number % 5],
        "amount": None if number % 7 == 3 else number * 3.75 - 20,
        "price": f"{number % 9}.{number % 10}5",
        "big": (number - 30) * 10**12,
        "flag": (True, False, None)[number % 3],
        "at": {"lat": number % 4, "deep": {"n": number % 3}},
        "tags": ["red", "green", "blue"][: number % 4],
    }
    for number in range(60)
]

AGGREGATES = """
COUNT(*)
COUNT(amount)
COUNT(DISTINCT amount)
COUNT(DISTINCT name)
SUM(id)
SUM(big)
SUM(amount)
SUM(DISTINCT id % 4)
SUM(CAST(price AS decimal(10, 2)))
SUM(amount) / COUNT(*) + 1
SUM(id) / COUNT(*)
SUM(id) % 7
(SUM(id) - MIN(id)) / 4
AVG(CAST(price AS decimal(10, 2)))
AVG(CAST(price AS decimal(10, 2))) * 2
SUM(DISTINCT CAST(price AS decimal(10, 2)))
SIZEOF(COLLECT(amount))
SIZEOF(COLLECT_UNIQUE(flag))
COLLECT(amount) FILTER (WHERE id > 1000)
MAXK(amount, 100)
COUNT(*) * 10 / SUM(id + 1)
MIN(id) / 2 + MAX(id) / 3
AVG(amount)
AVG(id)
AVG(DISTINCT id % 4)
MIN(amount)
MAX(amount)
MIN(name)
MAX(name)
MIN(CAST(price AS decimal(10, 2)))
MAX(CAST(price AS decimal(10, 2)))
MIN(flag)
MAX(CAST(1700000000000 + id AS timestamp))
MIN(CAST('2024-01-05' AS date))
MAXK_UNIQUE(id, 3)
MINK_UNIQUE(id % 10, 2)
MAXK(id, 3)
MINK(amount, 2)
TOPK(id % 3, 2)
BOTTOMK(name, 1)
STDDEV(id)
STDDEV_POP(amount)
VARIANCE(amount)
VAR_POP(id)
BOOL_AND(flag)
BOOL_OR(flag)
COUNT(*) FILTER (WHERE flag)
SUM(amount) FILTER (WHERE id > 20 AND NOT flag)
MAX(at.deep.n) FILTER (WHERE flag IS NULL)
CASE WHEN COUNT(*) > 13 THEN 'many' ELSE 'few' END
COALESCE(MAX(amount) FILTER (WHERE id > 1000), -1.0)
UPPER(MIN(name)) || '!'
ROUND(AVG(amount), 1) BETWEEN 0 AND 100
LEN(STRING_AGG(name))
MAX(LEN(tags))
SUM(id) > 400 AND COUNT(flag) > 2
""".strip().splitlines()

GROUPS = {
    "a field": ("at.lat",),
    "the key": ("_key",),
    "an expression": ("UPPER(name)",),
    "several": ("at.lat", "flag", "id % 2"),
    "none": (),
}


@pytest.fixture(scope="module", params=[1, 4], ids=["one partition", "four partitions"])
def log(request: pytest.FixtureRequest) -> Iterator[Log]:
    with open_log("sqlite::memory:") as opened:
        create(opened, "rows", request.param)
        fill(
            opened,
            "rows",
            [json.dumps(row).encode() for row in ROWS],
            keys=[f"k{row['id'] % 6}".encode() for row in ROWS],
            timestamps=[1_700_000_000_000 + row["id"] for row in ROWS],
        )
        yield opened


def queried(log: Log, text: str) -> list[Row]:
    with closing(Catalog(log)) as catalog:
        plan = plan_query(parse_program(text), catalog)
    found: list[Row] = []
    with SnapshotQuery(plan, log, None) as query:
        for batch in query.batches():
            records: Any = batch.to_struct_array()
            records = records.cast(storable(records.type))
            encoded = make_encoder(Side(Format.JSON, records.type)).encode(records)
            assert not encoded.errors
            found += [json.loads(item) for item in encoded.data.to_pylist() if item is not None]
    return found


def streamed(log: Log, target: str, select: str) -> list[Row]:
    """Give what is left of a target when only the last record of each key counts."""
    program = f"SET autocreate = true; INSERT INTO {target} STORE KEY AS JSON {select}"
    with closing(Catalog(log)) as catalog:
        topology = plan_program(parse_program(program), catalog)
    Processor(topology, log, None, ProcessorOptions(target, until_end=True, lag_interval=0)).run()
    left = {row["key"]: row["value"] for row in read(log, target)}
    return [json.loads(value) for value in left.values() if value is not None]


def by_group(rows: list[Row], keys: int) -> dict[str, Mapping[str, Any]]:
    return {json.dumps([row[f"k{index}"] for index in range(keys)]): row for row in rows}


def same(left: Any, right: Any) -> bool:
    if isinstance(left, float) or isinstance(right, float):
        return left is not None and right is not None and math.isclose(left, right, rel_tol=1e-9)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(same(*pair) for pair in zip(left, right, strict=True))
    return bool(left == right)


@pytest.mark.parametrize("name", GROUPS)
def test_the_last_results_are_those_of_a_query(name: str, log: Log) -> None:
    keys = GROUPS[name]
    columns = [f"{key} AS k{index}" for index, key in enumerate(keys)]
    columns += [f"{call} AS a{index}" for index, call in enumerate(AGGREGATES)]
    group = f" GROUP BY {', '.join(keys)}" if keys else ""
    target = "out_" + name.replace(" ", "_")
    found = streamed(log, target, f"SELECT STREAM {', '.join(columns)} FROM rows{group}")
    expected = queried(log, f"SELECT {', '.join(columns)} FROM rows{group}")
    assert len(found) == len(expected)
    there = by_group(found, len(keys))
    for key, row in by_group(expected, len(keys)).items():
        wrong = [
            (call, there[key][f"a{index}"], row[f"a{index}"])
            for index, call in enumerate(AGGREGATES)
            if not same(there[key][f"a{index}"], row[f"a{index}"])
        ]
        assert not wrong, key


def test_the_examples_of_aggregates_hold_in_queries() -> None:
    examples = [item for found in all_functions() if found.kind is Kind.AGGREGATE for item in found.examples]
    calls = ", ".join(f"{example.call} AS a{index}" for index, example in enumerate(examples))
    with open_log("sqlite::memory:") as opened:
        create(opened, "xs", 1)
        fill(opened, "xs", [json.dumps({"x": value}).encode() for value in (2, 1, 2, None)])
        (found,) = queried(opened, f"SELECT {calls} FROM xs")
        (expected,) = queried(
            opened,
            f"SELECT {', '.join(f'{example.result} AS a{index}' for index, example in enumerate(examples))}",
        )
    wrong = [
        (example.call, found[name], expected[name])
        for index, example in enumerate(examples)
        if not same(found[name := f"a{index}"], expected[name])
        # The sketch gives the least number above 0 for 0.
        and not (example.call.startswith("APPROX") and abs(found[name]) < 1e-300)
    ]
    assert not wrong


def test_first_and_last_leave_nulls_out() -> None:
    with open_log("sqlite::memory:") as opened:
        create(opened, "xs", 1)
        fill(opened, "xs", [json.dumps({"x": value}).encode() for value in (None, 2, 3, 1, None)])
        columns = "FIRST(x) AS f, LAST(x) AS l, LAST(x) FILTER (WHERE x > 1 OR x IS NULL) AS g"
        expected = [{"f": 2, "l": 1, "g": 3}]
        assert queried(opened, f"SELECT {columns} FROM xs") == expected
        assert streamed(opened, "out", f"SELECT STREAM {columns} FROM xs") == expected
        over = "OVER (ORDER BY _meta.offset)"
        rows = queried(opened, f"SELECT FIRST(x) {over} AS f, LAST(x) {over} AS l FROM xs")
        assert [(row["f"], row["l"]) for row in rows] == [(None, None), (2, 2), (2, 3), (2, 1), (2, 1)]


def test_having_keeps_the_groups_that_match(log: Log) -> None:
    text = "at.lat AS k0, COUNT(*) AS n FROM rows WHERE id > 7 GROUP BY at.lat HAVING SUM(id) % 2 = 0 AND MAX(name) > 'a'"
    found, expected = streamed(log, "out_having", f"SELECT STREAM {text}"), queried(log, f"SELECT {text}")
    assert by_group(found, 1) == by_group(expected, 1)


def test_a_group_of_groups(log: Log) -> None:
    inner = "SELECT {} name, flag, COUNT(*) AS n, SUM(id) AS s FROM rows GROUP BY name, flag"
    outer = "SELECT {} name AS k0, SUM(n) AS n, MAX(s) AS s, COUNT(*) AS c FROM ({}) GROUP BY name"
    found = streamed(log, "out_nested", outer.format("TABLE", inner.format("STREAM")))
    expected = queried(log, outer.format("", inner.format("")))
    assert by_group(found, 1) == by_group(expected, 1)


def test_the_first_rows_of_each_part(log: Log) -> None:
    rank = "ROW_NUMBER() OVER (PARTITION BY at.lat ORDER BY amount DESC NULLS LAST, id) AS n"
    text = "SELECT {} lat AS k0, n AS k1, id FROM (SELECT {} at.lat AS lat, id, {} FROM rows) WHERE n <= 3"
    found = streamed(log, "out_rank", text.format("TABLE", "STREAM", rank))
    expected = queried(log, text.format("", "", rank))
    assert by_group(found, 2) == by_group(expected, 2)
    assert len(found) == 12


def test_the_first_groups_of_each_part(log: Log) -> None:
    rank = "ROW_NUMBER() OVER (PARTITION BY at.lat ORDER BY SUM(big) DESC, largest, UPPER(name)) AS k1"
    text = (
        f"at.lat AS k0, COUNT(*) AS n, MAX(id) AS largest, {rank} FROM rows "
        "GROUP BY at.lat, UPPER(name) HAVING COUNT(*) > 1 QUALIFY k1 <= 4 AND largest < 59"
    )
    found, expected = streamed(log, "out_groups", f"SELECT STREAM {text}"), queried(log, f"SELECT {text}")
    assert len(found) > 4
    assert by_group(found, 2) == by_group(expected, 2)


def test_the_first_rows_of_a_union(log: Log) -> None:
    both = (
        "(SELECT {} id, at.lat AS lat FROM rows UNION ALL SELECT {} id * 10, id % 3 FROM rows WHERE id > 7)"
    )
    rank = "ROW_NUMBER() OVER (PARTITION BY lat ORDER BY id DESC) AS k1"
    text = "SELECT {} lat AS k0, {}, id FROM {} QUALIFY k1 <= 5"
    found = streamed(log, "out_union", text.format("STREAM", rank, both.format("STREAM", "STREAM")))
    expected = queried(log, text.format("", rank, both.format("", "")))
    assert len(found) == 20
    assert by_group(found, 2) == by_group(expected, 2)


def test_the_first_rows_of_first_rows(log: Log) -> None:
    rank = "ROW_NUMBER() OVER (PARTITION BY at.lat ORDER BY amount DESC, id)"
    inner = f"SELECT {{}} id, amount FROM rows QUALIFY {rank} <= 3"
    text = (
        "SELECT {} ROW_NUMBER() OVER (ORDER BY amount, id) AS k0, id FROM ({}) WHERE id <> 40 QUALIFY k0 <= 7"
    )
    found = streamed(log, "out_ranks", text.format("TABLE", inner.format("STREAM")))
    expected = queried(log, text.format("", inner.format("")))
    assert len(found) == 7
    assert by_group(found, 1) == by_group(expected, 1)


def test_distinct_rows(log: Log) -> None:
    text = "DISTINCT at.lat AS k0, flag AS k1, UPPER(name) AS k2 FROM rows"
    found, expected = streamed(log, "out_distinct", f"SELECT STREAM {text}"), queried(log, f"SELECT {text}")
    assert len(found) == len(expected)
    assert by_group(found, 3) == by_group(expected, 3)


def test_a_table_counts_the_last_record_of_each_key(log: Log) -> None:
    found = streamed(
        log, "out_table", "SELECT TABLE name AS k0, COUNT(*) AS n, SUM(id) AS s FROM rows GROUP BY name"
    )
    last = "SELECT *, ROW_NUMBER() OVER (PARTITION BY _key ORDER BY id DESC) AS place FROM rows"
    expected = queried(
        log, f"SELECT name AS k0, COUNT(*) AS n, SUM(id) AS s FROM ({last}) WHERE place = 1 GROUP BY name"
    )
    assert by_group(found, 1) == by_group(expected, 1)
