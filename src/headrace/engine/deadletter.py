"""Builds dead letters and late records: the record as it came, with headers that say what was wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headrace.log.records import HEADERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headrace.engine.faults import Fault

PREFIX = "headrace.error."
LATE_PREFIX = "headrace.late."


def dead_letters(records: pa.RecordBatch, faults: Mapping[int, Fault], application: str) -> pa.RecordBatch:
    """Give the failed records as they came, with the headers of the error after their own.

    Args:
        records: a batch of one topic.
        faults: what failed, by row.
        application: id of the application, for a topic that several applications share.
    """
    chosen = records.take(pa.array(list(faults), pa.int32()))
    facts = {
        **_place(chosen),
        "stage": pa.array([fault.stage.value for fault in faults.values()], pa.string()),
        "reason": pa.array([fault.reason for fault in faults.values()], pa.string()),
        "application": pa.repeat(pa.scalar(application), chosen.num_rows),
    }
    return _letters(chosen, facts, PREFIX)


def late_records(
    records: pa.RecordBatch, rows: pa.Int32Array, operator: str, application: str
) -> pa.RecordBatch:
    """Give the records at these rows as they came, with headers that say for which operator they were too late."""
    chosen = records.take(rows)
    facts = {
        **_place(chosen),
        "operator": pa.repeat(pa.scalar(operator), chosen.num_rows),
        "application": pa.repeat(pa.scalar(application), chosen.num_rows),
    }
    return _letters(chosen, facts, LATE_PREFIX)


def _letters(chosen: pa.RecordBatch, facts: Mapping[str, pa.Array[Any]], prefix: str) -> pa.RecordBatch:
    own = cast("pa.ListArray[Any]", chosen.column("headers"))
    return pa.RecordBatch.from_arrays(
        [
            chosen.column("key"),
            chosen.column("value"),
            chosen.column("timestamp"),
            _with_facts(own, facts, prefix),
        ],
        names=["key", "value", "timestamp", "headers"],
    )


def _place(chosen: pa.RecordBatch) -> dict[str, pa.Array[Any]]:
    return {
        "topic": chosen.column("topic").cast(pa.string()),
        "partition": chosen.column("partition").cast(pa.string()),
        "offset": chosen.column("offset").cast(pa.string()),
    }


def _with_facts(own: pa.ListArray[Any], facts: Mapping[str, pa.Array[Any]], prefix: str) -> pa.Array[Any]:
    """Put n headers of each fact after the n lists of own headers; no Python per record, for floods of bad records."""
    count, width = len(own), len(facts)
    mine = pc.fill_null(pc.list_value_length(own), 0).to_numpy(zero_copy_only=False)
    ends = np.cumsum(mine + width)
    # Rows of the table below: fact f of record r is f * count + r; the own headers, flat, stand after all facts.
    order = np.full(count * width + int(mine.sum()), -1, np.int64)
    for index in range(width):
        order[ends - width + index] = index * count + np.arange(count)
    free = order < 0
    order[free] = count * width + np.arange(int(free.sum()))
    flat = own.flatten()
    names = [pa.repeat(pa.scalar(prefix + name), count) for name in facts]
    keys = pa.concat_arrays([*names, pc.struct_field(flat, "key")])
    values = pa.concat_arrays(
        [*(column.cast(pa.binary()) for column in facts.values()), pc.struct_field(flat, "value")]
    )
    take = pa.array(order)
    headers = pa.StructArray.from_arrays(
        [keys.take(take), values.take(take)], fields=list(HEADERS.value_type.fields)
    )
    offsets = pa.array(np.concatenate([[0], ends]), pa.int32())
    return pa.ListArray.from_arrays(offsets, headers, type=HEADERS)
