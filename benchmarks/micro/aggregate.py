"""Nanoseconds of CPU per row, and bytes per key, of an aggregate without windows: `python benchmarks/micro/aggregate.py`.

COUNT, SUM and MAX over int64 keys that are drawn uniformly, in batches of 20,000 rows; a flush and a commit to a local
store in memory every 200,000 rows are timed apart. Each figure is the best of several rounds over the same keys.
"""

from __future__ import annotations

import json
import sys
import time
from random import Random
from typing import TYPE_CHECKING

import pyarrow as pa

from headrace._native import Kernel, LocalStore
from headrace.plan.operators import OP, PARTITION, SEQ, TIME

if TYPE_CHECKING:
    from collections.abc import Callable

BATCH = 20_000
BATCHES = 10
ROUNDS = 12
STORE = "groups"
FIXED: list[tuple[str, pa.DataType]] = [
    (PARTITION, pa.int32()),
    (SEQ, pa.int64()),
    (TIME, pa.int64()),
    (OP, pa.int8()),
]
INPUT = pa.schema([*FIXED, ("k0", pa.int64()), ("v0", pa.int64())])
OUTPUT = pa.schema([*FIXED, ("k0", pa.int64()), *((f"a{index}", pa.int64()) for index in range(3))])
SPEC = {
    "store": STORE,
    "kernel": "aggregate",
    "keys": 1,
    "inputs": ["append"],
    "emit": "commit",
    "window": None,
    "retracts": False,
    "calls": [
        {"function": "COUNT", "arguments": []},
        {"function": "SUM", "arguments": [0]},
        {"function": "MAX", "arguments": [0]},
    ],
}


def batch(keys: list[int], seq: int) -> pa.RecordBatch:
    rows = len(keys)
    columns = [[0] * rows, range(seq, seq + rows), range(seq, seq + rows), [1] * rows, keys, range(rows)]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, INPUT, strict=True)]
    return pa.record_batch(arrays, schema=INPUT)


def timed(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def measure(keys: int) -> None:
    kernel = Kernel(json.dumps(SPEC), [INPUT], OUTPUT)
    store = LocalStore(None)
    store.begin(STORE, "fingerprint")
    kernel.open(0, store)
    random = Random(7)
    position = 0

    def commit() -> tuple[float, float]:
        nonlocal position
        position += 1
        flushed = timed(kernel.flush)
        return flushed, timed(kernel.changes) + timed(lambda: kernel.committed({0: position}))

    for start in range(0, keys, BATCH):
        kernel.process([batch(list(range(start, min(keys, start + BATCH))), start)])
    commit()
    stats = kernel.stats()
    seq = keys
    processing, flushing, committing = [], [], []
    for _ in range(ROUNDS):
        batches = []
        for _ in range(BATCHES):
            batches.append(batch(random.choices(range(keys), k=BATCH), seq))
            seq += BATCH
        processing.append(sum(timed(lambda rows=rows: kernel.process([rows])) for rows in batches))  # type: ignore[misc]
        flushed, written = commit()
        flushing.append(flushed)
        committing.append(written)
    rows = BATCH * BATCHES
    print(
        f"{keys:>9,} keys: {min(processing) / rows * 1e9:5.0f} ns a row (process), "
        f"{min(flushing) / rows * 1e9:5.0f} (flush), {min(committing) / rows * 1e9:5.0f} (changes and commit); "
        f"{stats['bytes'] / stats['entries']:.0f} bytes a key"
    )


def main() -> None:
    for keys in map(int, sys.argv[1:] or (1_000, 50_000, 2_000_000)):
        measure(keys)


if __name__ == "__main__":
    main()
