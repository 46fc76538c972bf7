"""The probe must find exactly the rows that fail alone: a row too many is a good record taken for a bad one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pytest

from headrace.engine.probe import probe_query
from headrace.engine.query import InputRelation

if TYPE_CHECKING:
    from collections.abc import Iterator

NUMBERS = [0, 1, 2, 3, -1, None, 2147483647, 5, -2147483648, 10]
TEXTS = ["1", "x", None, "", "99999999999", "-3", "2020-01-01", "7", "1.5", " 4 "]
LISTS = [[1], None, [], [0], [None, 2], [1, 0, 3], [None], [5, 5], [2147483647], [-1]]
BATCH = pa.record_batch(
    {
        "c0": pa.array([NUMBERS[row % 10] for row in range(100)], pa.int32()),
        "c1": pa.array([TEXTS[row * 7 // 10 % 10] for row in range(100)], pa.string()),
        "c2": pa.array([LISTS[row * 3 // 10 % 10] for row in range(100)], pa.list_(pa.int32())),
        "_row": pa.array(range(100), pa.int32()),
        "_tombstone": pa.array([row % 11 == 0 for row in range(100)]),
    }
)


@pytest.fixture
def relation() -> Iterator[InputRelation]:
    opened = InputRelation(BATCH.schema, ())
    yield opened
    opened.close()


def failing(relation: InputRelation, query: str) -> set[int]:
    run = relation.prepare(query)
    found = set()
    for row in range(BATCH.num_rows):
        try:
            run(BATCH.slice(row, 1))
        except duckdb.Error:
            found.add(row)
    return found


@pytest.mark.parametrize(
    "query",
    [
        "SELECT _row, CAST(c1 AS INT) AS v0 FROM input WHERE NOT _tombstone",
        "SELECT _row, c0 + 1 AS v0, CAST(c1 AS DATE) AS v1 FROM input",
        "SELECT _row, c0 AS v0 FROM input WHERE NOT _tombstone AND CAST(c1 AS INT) > 0",
        "SELECT _row, c0 AS v0 FROM input WHERE c0 = 0 OR CAST(c1 AS INT) > 0",
        "SELECT _row, CASE WHEN c0 > 0 THEN CAST(c1 AS INT) END AS v0 FROM input",
        "SELECT _row, COALESCE(c0, CAST(c1 AS INT)) AS v0 FROM input",
        "SELECT _row, CAST(c1 AS INT) AS v0 FROM input WHERE c0 > 2",
        "SELECT _row, x2 + 1 AS v0 FROM (SELECT _row, CAST(c1 AS INT) AS x2 FROM input WHERE c0 > 0) AS s WHERE x2 > 3",
        "SELECT _row, 2147483647 + x AS v0 FROM (SELECT _row, UNNEST(c2) AS x FROM input) AS s WHERE x > 0",
        "SELECT _row, list_transform(c2, lambda n: n + 2147483647) AS v0 FROM input",
    ],
)
def test_the_probe_finds_exactly_the_rows_that_fail_alone(relation: InputRelation, query: str) -> None:
    asked = probe_query(query)
    assert asked is not None
    expected = failing(relation, query)
    assert 0 < len(expected) < BATCH.num_rows
    assert set(relation.prepare(asked)(BATCH).column("_row").to_pylist()) == expected


@pytest.mark.parametrize(
    "query",
    [
        "SELECT _row, sum(c0) AS v0 FROM input GROUP BY _row",
        "SELECT a._row, a.c0 AS v0 FROM input AS a JOIN input AS b USING (_row)",
        "SELECT DISTINCT _row, c0 AS v0 FROM input",
        "not SQL at all (",
    ],
)
def test_a_query_that_is_more_than_a_filter_and_a_projection_is_not_probed(query: str) -> None:
    assert probe_query(query) is None
