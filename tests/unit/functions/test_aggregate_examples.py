"""Every example of every aggregate, through the plan of a program and the native operator."""

from __future__ import annotations

import math
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from headrace import _native
from headrace.catalog import CatalogTopic, KnownTopics
from headrace.engine.state.kernels import LEADING, make_kernel, schema
from headrace.formats.interface import Format, Side
from headrace.functions import Example, Kind, all_functions
from headrace.planner import plan_program
from headrace.planner.connection import connection
from headrace.sql import parse_program

AGGREGATES = [function for function in all_functions() if function.kind is Kind.AGGREGATE]
EXAMPLES = [example for function in AGGREGATES for example in function.examples]

VALUES = (2, 1, 2, None)
"""`x` in the examples, in the order of arrival."""

XS = CatalogTopic(
    "xs", Side(Format.STRING, pa.string()), Side(Format.JSON, pa.struct([("x", pa.int32())])), partitions=1
)


def query(text: str, setup: tuple[str, ...], rows: pa.RecordBatch) -> pa.Table:
    duck = connection()
    try:
        for statement in setup:
            duck.execute(statement)
        duck.register("input", pa.Table.from_batches([rows]))
        found: pa.Table = duck.sql(text).to_arrow_table()
    finally:
        duck.close()
    return found


@pytest.fixture(scope="module")
def results() -> list[Any]:
    """Give the result of each example, all of them computed by one program."""
    calls = ", ".join(f"{example.call} AS e{index}" for index, example in enumerate(EXAMPLES))
    program = parse_program(f"INSERT INTO out SELECT STREAM {calls} FROM xs GROUP BY _key", "examples.sql")
    topology = plan_program(program, KnownTopics.of((XS,), None), defaults={"autocreate": "true"})
    (operator,) = topology.operators
    (feed,) = operator.feeds
    by_place: dict[tuple[str, ...], list[Any]] = {
        ("_key",): ["a"] * len(VALUES),
        ("_value", "x"): list(VALUES),
    }
    columns: list[pa.Array[Any]] = [
        pa.array(by_place[column.facet.value, *column.path], column.type)
        for column in topology.sources["xs"].columns
    ]
    names = [column.name for column in topology.sources["xs"].columns]
    numbers = pa.array(range(len(VALUES)), pa.int32())
    rows = pa.RecordBatch.from_arrays(
        [*columns, numbers, pa.array([False] * len(VALUES))], names=[*names, "_row", "_tombstone"]
    )
    fed = query(feed.query, topology.setup, rows).combine_chunks().to_batches()[0]
    leading = [
        pa.array([value] * len(VALUES), part.type) for part, value in zip(LEADING, (0, 0, 0, 1), strict=True)
    ]
    leading[1] = numbers.cast(pa.int64())
    kernel = make_kernel(operator)
    store = _native.LocalStore(None)
    store.begin(operator.store.name, operator.store.fingerprint)
    kernel.open(0, store)
    done = kernel.process(
        [pa.RecordBatch.from_arrays([*leading, *fed.columns[1:]], schema=schema((*feed.key, *feed.value)))]
    )
    assert not done.failed
    given = kernel.flush()
    assert given.num_rows == 1
    relation = pa.RecordBatch.from_arrays(
        [*given.columns[len(LEADING) :], pa.array([0], pa.int32())],
        names=[*(column.name for column in operator.columns), "_row"],
    )
    (pipeline,) = topology.pipelines
    row = query(pipeline.query, topology.setup, relation).to_pylist()[0]
    return [row[column.name] for column in pipeline.value_columns]


@pytest.mark.parametrize(
    ("index", "example"), [pytest.param(index, item, id=item.call) for index, item in enumerate(EXAMPLES)]
)
def test_the_example_gives_its_result(index: int, example: Example, results: list[Any]) -> None:
    (expected,) = duckdb.execute(f"SELECT {example.result}").fetchone() or ()
    found = results[index]
    if isinstance(found, float):
        assert math.isclose(found, float(expected))
    else:
        assert found == expected


@pytest.mark.parametrize("function", AGGREGATES, ids=lambda function: function.name)
def test_an_aggregate_has_two_examples_that_call_it(function: Any) -> None:
    assert len(function.examples) >= 2
    assert all(f"{function.name}(" in example.call for example in function.examples)
