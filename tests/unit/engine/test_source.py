from __future__ import annotations

import pyarrow as pa

from headrace.engine.faults import Fault, Stage
from headrace.engine.source import SourceReader
from headrace.formats.interface import Format, Side
from headrace.log.records import RECORDS
from headrace.plan.topology import Facet, InputColumn, SourceTopic

TIME = pa.timestamp("ms", tz="UTC")
MOST = ((1 << 63) - 1) // 1000


def test_times_that_duckdb_cannot_count_are_bad_alone() -> None:
    """DuckDB counts microseconds and refuses the whole batch for one time that is beyond them."""
    texts = [0, MOST, MOST + 1, None, -MOST, -MOST - 1, (1 << 63) - 1, -(1 << 63)]
    values = [b"{}" if number is None else f'{{"t":{number}}}'.encode() for number in texts]
    count = len(values)
    records = pa.RecordBatch.from_arrays(
        [
            pa.array(["in"] * count).dictionary_encode(),
            pa.array([0] * count, pa.int32()),
            pa.array(range(count), pa.int64()),
            pa.array([1] * count, TIME),
            pa.nulls(count, pa.binary()),
            pa.array(values, pa.binary()),
            pa.nulls(count, RECORDS.field("headers").type),
        ],
        schema=RECORDS,
    )
    side = Side(Format.JSON, pa.struct([("t", TIME)]))
    column = InputColumn("c0", Facet.VALUE, ("t",), TIME)
    read = SourceReader(SourceTopic("in", Side(Format.BYTES, pa.binary()), side, (column,)), None).read(
        records
    )
    assert read.faults == dict.fromkeys(
        (2, 5, 6, 7), Fault(Stage.DECODE_VALUE, "field `t`: timestamp out of range")
    )
    assert read.rows.column("_row").to_pylist() == [0, 1, 3, 4]
    assert read.rows.column("c0").cast(pa.int64()).to_pylist() == [0, MOST, None, -MOST]
