"""What several sources give one repartition topic in a step, in the order of their records."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headrace.engine.operators.step import Sending
from headrace.engine.pipeline import Output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.engine.operators.step import Arrived

_ORIGIN = ["topic", "partition", "offset"]
"""Columns of input records that tell where an output came from."""


def gathered(parts: Sequence[tuple[Output, Arrived]]) -> list[Sending]:
    """Give one sending for outputs to one topic, ordered as the records that they came from: one source alone would be early.

    Args:
        parts: outputs to one topic, each with the records that its rows count.
    """
    if len(parts) < 2 or any(
        not output.records.schema.equals(parts[0][0].records.schema) for output, _ in parts
    ):
        return [Sending(output, arrived.records) for output, arrived in parts]
    rows, seq, first = [], [], 0
    for output, arrived in parts:
        own = output.rows.to_numpy()
        rows.append(own + first)
        seq.append(arrived.seq[own])
        first += arrived.records.num_rows
    order = pa.array(np.argsort(np.concatenate(seq), kind="stable"), pa.int64())
    records = _whole([output.records for output, _ in parts]).take(order)
    origin = _whole([arrived.records.select(_ORIGIN) for _, arrived in parts])
    places = pc.take(pa.array(np.concatenate(rows), pa.int32()), order)
    return [Sending(Output(parts[0][0].topic, records, places), origin)]


def _whole(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    return pa.Table.from_batches(batches).combine_chunks().to_batches()[0]
