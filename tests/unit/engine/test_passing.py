"""What DuckDB does not get must come out as if it had."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.engine import passing
from headrace.engine.query import InputRelation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LISTS = st.lists(st.integers(-5, 5), max_size=3)
ROW = st.tuples(
    st.none() | st.integers(-5, 5),
    st.none() | st.text(max_size=4),
    st.none() | st.floats(),
    st.none() | st.datetimes(timezones=st.just(datetime.UTC)),
    st.none() | st.binary(max_size=3),
    st.none() | st.decimals(-99, 99, places=2),
    st.none() | LISTS,
    st.booleans(),
)
COLUMNS: dict[str, pa.DataType] = {
    "c0": pa.int64(),
    "c1": pa.string(),
    "c2": pa.float64(),
    "c3": pa.timestamp("ms", "UTC"),
    "c4": pa.binary(),
    "c5": pa.decimal128(10, 2),
    "c6": pa.list_(pa.int64()),
    "_tombstone": pa.bool_(),
    "_row": pa.int32(),
}
SCHEMA = pa.schema(COLUMNS)
PASSED = {
    "SELECT _row, c0 AS v0, c1 AS v1, c2 AS v2, c3 AS v3, c4 AS v4, c5 AS v5 FROM input": None,
    "SELECT _row, c1 AS k0, c1 AS v0, input.c0 AS v1 FROM input WHERE NOT _tombstone": None,
    "SELECT _row, c0 AS v0, c0 + 1 AS v1, c3 AS v2 FROM input WHERE NOT _tombstone": ["_row", "v1"],
    "SELECT _row, c0 AS v0, c6 AS v1 FROM input WHERE NOT _tombstone": ["_row", "v1"],
    "SELECT _row, c1 AS v0, UNNEST(c6) AS v1 FROM input": ["_row", "v1"],
    "SELECT _row, c1 AS v0, CASE WHEN _tombstone THEN c0 END AS v1 FROM input": [
        "_row",
        "v1",
    ],
}
WHOLE = (
    "SELECT _row, c0 + 1 AS v0 FROM input",
    "SELECT _row, c1 AS v0 FROM input WHERE c0 > 0",
    "SELECT _row, c1 AS v0 FROM input WHERE NOT _tombstone AND c2 > c0",
    "SELECT _row, c6 AS v0 FROM input",
    "SELECT _row, x AS v0 FROM (SELECT _row, UNNEST(c6) AS x FROM input) AS s",
    "SELECT min(_row) AS _row, c0 AS v0 FROM input GROUP BY c0 ORDER BY 1",
    "SELECT _row, c0 AS v0, v0 + 1 AS v1 FROM input",
    "SELECT _row, c0 AS v0 FROM input ORDER BY c1, _row DESC",
    "SELECT DISTINCT _row, c0 AS v0 FROM input ORDER BY ALL",
)


@pytest.fixture(scope="module")
def relation() -> Iterator[InputRelation]:
    opened = InputRelation(SCHEMA, ())
    yield opened
    opened.close()


@given(rows=st.lists(ROW, max_size=20), data=st.data())
@pytest.mark.parametrize("query", [*PASSED, *WHOLE])
def test_columns_that_are_passed_on_are_those_of_the_whole_query(
    relation: InputRelation, query: str, rows: list[tuple[object, ...]], data: st.DataObject
) -> None:
    columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in SCHEMA.names[:-1]]
    # Rows that have failed are gone, and a batch may be a part of another.
    numbers = sorted(data.draw(st.sets(st.integers(0, 60), min_size=len(rows), max_size=len(rows))))
    batch = pa.record_batch([*columns, numbers], schema=SCHEMA)
    batch = batch.slice(data.draw(st.integers(0, len(rows))))
    found = passing.prepare(relation.prepare, query, SCHEMA)(batch)
    wanted = relation.prepare(query)(batch)
    assert found.schema.names == wanted.schema.names
    # DuckDB counts microseconds; text, for NaN equals nothing.
    assert repr(found.to_pylist()) == repr(wanted.to_pylist())


@pytest.mark.parametrize(("query", "columns"), PASSED.items())
def test_duckdb_gets_what_is_computed(relation: InputRelation, query: str, columns: list[str] | None) -> None:
    asked: list[list[str]] = []

    def compiled(text: str) -> Callable[[pa.RecordBatch], pa.Table]:
        run = relation.prepare(text)

        def noted(batch: pa.RecordBatch) -> pa.Table:
            table = run(batch)
            asked.append(table.schema.names)
            return table

        return noted

    passing.prepare(compiled, query, SCHEMA)(one_row())
    assert asked == ([] if columns is None else [columns])


def one_row() -> pa.RecordBatch:
    row = dict.fromkeys(SCHEMA.names) | {"c1": "x", "_tombstone": False, "_row": 0}
    return pa.RecordBatch.from_pylist([row], schema=SCHEMA)


def test_what_fails_still_fails(relation: InputRelation) -> None:
    run = passing.prepare(relation.prepare, "SELECT _row, c1 AS v0, CAST(c1 AS INT) AS v1 FROM input", SCHEMA)
    with pytest.raises(duckdb.ConversionException):
        run(one_row())
