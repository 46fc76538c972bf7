"""Microseconds of CPU a row of the kernels of joins, tables and ranks, on one core: `python benchmarks/micro/joins.py`.

State is in memory, rows come in batches of 8,192 and a commit follows each 10 of them, as under load. Each figure is the best of
several runs; `commit` is the share of collecting the changes and writing them to the local store.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from headrace._native import Kernel, LocalStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

BATCH = 8_192
COMMIT_EVERY = 10
TABLE_KEYS = 1_000_000
ROWS = 1_000_000
RUNS = 3
FIXED: list[pa.Field[Any]] = [
    pa.field("_partition", pa.int32()),
    pa.field("_seq", pa.int64()),
    pa.field("_time", pa.int64()),
    pa.field("_op", pa.int8()),
]
KEY = pa.field("k0", pa.int64())
VALUES: list[pa.Field[Any]] = [pa.field("v0", pa.int64()), pa.field("v1", pa.string())]
INPUT = pa.schema([*FIXED, KEY, *VALUES])
JOINED = pa.schema([*FIXED, KEY, *(field.with_name(f"c{at}") for at, field in enumerate(VALUES * 2))])
NAMES = np.array([f"name of {number}" for number in range(1000)], dtype=object)


def batch(seq: int, keys: NDArray[np.int64], times: NDArray[np.int64], op: int = 1) -> pa.RecordBatch:
    rows = len(keys)
    columns = [
        pa.array(np.zeros(rows, np.int32)),
        pa.array(np.arange(seq, seq + rows)),
        pa.array(times),
        pa.array(np.full(rows, op, np.int8)),
        pa.array(keys),
        pa.array(keys * 7),
        pa.array(NAMES[keys % 1000], pa.string()),
    ]
    return pa.record_batch(columns, schema=INPUT)


@dataclass
class Bench:
    """A kernel with one task."""

    kernel: Kernel
    position: int = 0
    rows: int = 0
    out: int = 0
    processing: float = 0.0
    committing: float = 0.0

    @classmethod
    def of(cls, spec: dict[str, Any], inputs: Sequence[pa.Schema], output: pa.Schema) -> Bench:
        store = LocalStore(None)
        store.begin("s", "")
        kernel = Kernel(json.dumps({"store": "s", "keys": 1, **spec}), inputs, output)
        kernel.open(0, store)
        return cls(kernel)

    def run(self, batches: Iterable[list[pa.RecordBatch | None]]) -> None:
        for number, inputs in enumerate(batches, 1):
            start = time.process_time()
            self.out += self.kernel.process(inputs).rows.num_rows
            self.processing += time.process_time() - start
            self.rows += sum(part.num_rows for part in inputs if part is not None)
            if number % COMMIT_EVERY == 0:
                self.commit()
        self.commit()

    def commit(self) -> None:
        start = time.process_time()
        self.kernel.changes()
        self.position += 1
        self.kernel.committed({0: self.position})
        self.committing += time.process_time() - start

    def reset(self) -> None:
        self.rows = self.out = 0
        self.processing = self.committing = 0.0


def report(name: str, runs: Sequence[Bench]) -> None:
    best = min(runs, key=lambda bench: bench.processing + bench.committing)
    micros, commit = (1e6 * part / best.rows for part in (best.processing, best.committing))
    stats = best.kernel.stats()
    each = stats["bytes"] / max(stats["entries"], 1)
    print(
        f"{name:34} {micros:6.2f} us a row  + commit {commit:5.2f}   {best.out:9,} rows out   {each:5.0f} bytes an entry"
    )


def random_keys(keys: int, seed: int = 1) -> list[NDArray[np.int64]]:
    generator = np.random.default_rng(seed)
    return [generator.integers(0, keys, BATCH) for _ in range(ROWS // BATCH)]


def numbered(keys: Sequence[NDArray[np.int64]], step: float = 0.01) -> Iterable[pa.RecordBatch]:
    """Batches one after another in time, `step` milliseconds a row."""
    for number, part in enumerate(keys):
        rows = np.arange(number * BATCH, number * BATCH + len(part))
        yield batch(number * BATCH, part, (rows * step).astype(np.int64))


def every_key(keys: int) -> list[NDArray[np.int64]]:
    order = np.random.default_rng(0).permutation(keys)
    return [order[start : start + BATCH] for start in range(0, keys, BATCH)]


def table() -> Bench:
    output = pa.schema([*FIXED, KEY, *VALUES])
    bench = Bench.of({"kernel": "table", "inputs": ["upsert"], "counted": False}, [INPUT], output)
    bench.run([part] for part in numbered(every_key(TABLE_KEYS)))
    return bench


def lookup_join() -> Bench:
    spec = {"kernel": "lookup_join", "inputs": ["append", "upsert"], "kind": "inner"}
    bench = Bench.of(spec, [INPUT, INPUT], JOINED)
    bench.run([None, part] for part in numbered(every_key(TABLE_KEYS)))
    bench.reset()
    bench.run([part, None] for part in numbered(random_keys(TABLE_KEYS)))
    return bench


def stream_join(kind: str) -> Bench:
    """Both sides in turn, 10 s within; each key comes once on each side, about a second apart."""
    spec = {"kernel": "stream_join", "inputs": ["append", "append"], "kind": kind}
    bench = Bench.of({**spec, "before": 10_000, "after": 10_000, "grace": 0}, [INPUT, INPUT], JOINED)
    half = BATCH // 2
    calls = list[list[pa.RecordBatch | None]]()
    for number in range(ROWS // BATCH):
        rows = np.arange(number * half, (number + 1) * half)
        times = rows // 40
        calls.append(
            [
                batch(number * BATCH, rows, times),
                batch(number * BATCH, np.maximum(rows - 40_000, -rows), times),
            ]
        )
    bench.run(calls)
    return bench


def table_join() -> Bench:
    """Orders of customers: a million rows on the left, 100,000 on the right."""
    spec = {"kernel": "table_join", "inputs": ["retract", "upsert"], "kind": "left"}
    bench = Bench.of(spec, [INPUT, INPUT], JOINED)
    bench.run([None, part] for part in numbered(every_key(100_000)))
    bench.reset()
    bench.run([part, None] for part in numbered([keys % 100_000 for keys in every_key(ROWS)]))
    return bench


def rank(limit: int) -> Bench:
    spec = {
        "kernel": "rank",
        "inputs": ["append"],
        "order": [{"column": 0, "descending": True}],
        "limit": limit,
    }
    output = pa.schema([*FIXED, KEY, pa.field("n0", pa.int64()), *VALUES])
    bench = Bench.of({**spec, "retracts": False}, [INPUT], output)
    bench.run([part] for part in numbered(random_keys(50_000)))
    return bench


def main() -> None:
    report("table, 1 M keys", [table() for _ in range(RUNS)])
    report("stream-table join, 1 M keys", [lookup_join() for _ in range(RUNS)])
    report("stream-stream join, 10 s, one match", [stream_join("inner") for _ in range(RUNS)])
    report("stream-stream left join", [stream_join("left") for _ in range(RUNS)])
    report("table-table left join, 1:10", [table_join() for _ in range(RUNS)])
    report("rank, first 1 of 50 k keys", [rank(1) for _ in range(RUNS)])
    report("rank, first 3 of 50 k keys", [rank(3) for _ in range(RUNS)])


if __name__ == "__main__":
    main()
