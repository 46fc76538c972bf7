from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pytest

from headrace.engine.pipeline import PipelineRunner, SchemaIds
from headrace.errors import RunError
from headrace.formats.interface import Format, Side
from headrace.plan.topology import KeyMode, OutputColumn, Pipeline, Sink, ValueMode

if TYPE_CHECKING:
    from collections.abc import Callable

    from headrace.engine.faults import Fault

NUMBER = Side(Format.LONG, pa.int64())
PIPELINE = Pipeline(
    "p",
    "in",
    "out",
    "SELECT _row, c0 AS v0 FROM input",
    KeyMode.NONE,
    ValueMode.ENCODE,
    value_columns=(OutputColumn("v0", ()),),
)


class Broken:
    """DuckDB after a fault of its own, which cannot be had on demand: each query is refused."""

    schema = pa.schema([pa.field("c0", pa.int64()), pa.field("_row", pa.int32())])

    def prepare(self, query: str) -> Callable[[pa.RecordBatch], pa.Table]:
        def run(batch: pa.RecordBatch) -> pa.Table:
            message = "database has been invalidated because of a previous fatal error"
            raise duckdb.FatalException(message)

        return run


def test_a_broken_duckdb_stops_the_run_and_makes_no_record_bad() -> None:
    relation: Any = Broken()
    pipeline = replace(PIPELINE, query="SELECT _row, c0 + 1 AS v0 FROM input")
    runner = PipelineRunner(pipeline, Sink("out", NUMBER, NUMBER), SchemaIds(), relation)
    rows = pa.record_batch({"c0": pa.array([1, 2]), "_row": pa.array([0, 1], pa.int32())})
    faults: dict[int, Fault] = {}
    with pytest.raises(RunError, match="DuckDB has failed"):
        list(runner.process(rows, rows, faults))
    assert not faults
