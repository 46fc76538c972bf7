"""What sources give a repartition topic in a step, in the order of their records."""

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

    Records of one source may stand by partition, and what came of them is smaller than they: that is put in order.

    Args:
        parts: outputs to one topic, each with the records that its rows count.
    """
    if len(parts) == 1:
        return [_sorted(*parts[0])]
    if any(not output.records.schema.equals(parts[0][0].records.schema) for output, _ in parts):
        return [_sorted(output, arrived) for output, arrived in parts]
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


def _sorted(output: Output, arrived: Arrived) -> Sending:
    seq = arrived.seq[output.rows.to_numpy()]
    if (seq[1:] >= seq[:-1]).all():
        return Sending(output, arrived.records)
    order = pa.array(np.argsort(seq, kind="stable"), pa.int64())
    rows = output.rows.take(order)
    return Sending(Output(output.topic, output.records.take(order), rows), arrived.records)


def _whole(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    return pa.Table.from_batches(batches).combine_chunks().to_batches()[0]
