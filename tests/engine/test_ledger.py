"""What is remembered of an output until its commit: enough to say where it came from, and no more."""

from __future__ import annotations

import pyarrow as pa

from headrace.engine.delivery import Kind, Ledger
from headrace.engine.pipeline import Output
from headrace.log.interface import DeliveryFailure, TopicPartition

ROWS = 1_000
VALUE = b"x" * 10_000


def imported(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Give a batch as the native module does: all of its columns in one piece of memory."""
    return pa.RecordBatch._import_from_c_capsule(*batch.__arrow_c_array__())  # type: ignore[no-untyped-call]


def inputs() -> pa.RecordBatch:
    names = pa.DictionaryArray.from_arrays(pa.array([0] * ROWS, pa.int32()), pa.array(["in"]))
    columns = {
        "topic": names,
        "partition": pa.array([3] * ROWS, pa.int32()),
        "offset": pa.array(range(ROWS), pa.int64()),
        "value": pa.array([VALUE] * ROWS),
    }
    return imported(pa.record_batch(columns))


def outputs(operator: str | None) -> Output:
    keys = pa.array([b"%d" % row for row in range(ROWS)])
    records = imported(pa.record_batch({"key": keys, "value": pa.array([VALUE] * ROWS)}))
    return Output("out", records, pa.array(range(ROWS), pa.int32()), operator)


def test_values_are_not_kept_until_the_commit() -> None:
    before = pa.total_allocated_bytes()
    ledger = Ledger()
    for number in range(4):
        ledger.note(2 * number, inputs(), outputs(None), Kind.OUTPUT)
        ledger.note(2 * number + 1, None, outputs("sums"), Kind.STATE)
    assert pa.total_allocated_bytes() - before < 8 * ROWS * 100

    failed = ledger.origin(DeliveryFailure("out", 1, 6, 7, "too large", False))
    assert (failed.partition, failed.offset) == (TopicPartition("in", 3), 7)
    failed = ledger.origin(DeliveryFailure("out", 1, 7, 7, "too large", False))
    assert (failed.partition.topic, failed.key, failed.of_operator) == ("sums", b"7", True)
    ledger.clear()
    assert pa.total_allocated_bytes() - before < ROWS
