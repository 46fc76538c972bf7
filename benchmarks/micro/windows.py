"""Nanoseconds per row of the kernels of windowed aggregates, on one core: `python benchmarks/micro/windows.py [words of a case]`.

COUNT, SUM and MAX per LONG key, keys drawn uniformly, mostly 100,000 rows a second of event time, a little out of order. The rows
come in batches as large as a poll gives; a commit after every 50,000. Figures are CPU time: of `process`, of everything that a
commit does (`flush`, `changes`, `committed` to a store in memory), and of both.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from headrace._native import Kernel, LocalStore

ROWS = 2_000_000
BATCH = 10_000
COMMIT = 50_000
RATE = 100_000
GRACE = 500
LEADING = [("_partition", pa.int32()), ("_seq", pa.int64()), ("_time", pa.int64()), ("_op", pa.int8())]
INPUT = pa.schema([*LEADING, ("k0", pa.int64()), ("v0", pa.int64())])
OUTPUT = pa.schema(
    [*LEADING, ("k0", pa.int64()), ("w0", pa.int64()), ("w1", pa.int64())]
    + [(name, pa.int64()) for name in ("a0", "a1", "a2")]
)
CALLS = [{"function": "COUNT", "arguments": []}] + [
    {"function": name, "arguments": [0]} for name in ("SUM", "MAX")
]


@dataclass(frozen=True)
class Case:
    name: str
    window: dict[str, Any]
    emit: str
    keys: int = 50_000
    rows: int = ROWS
    rate: int = RATE
    more: dict[str, Any] = field(default_factory=dict)

    def kernel(self) -> Kernel:
        spec = {
            "store": "windows",
            "kernel": "aggregate",
            "keys": 1,
            "inputs": ["append"],
            "calls": CALLS,
            "emit": self.emit,
            "window": self.window | {"grace": GRACE},
            "retracts": False,
        }
        return Kernel(json.dumps(spec | self.more), [INPUT], OUTPUT)

    def batches(self) -> list[pa.RecordBatch]:
        random = np.random.default_rng(1)
        times = (
            1_700_000_000_000 + np.arange(self.rows) * 1000 // self.rate - random.integers(0, 200, self.rows)
        )
        columns: list[np.ndarray[Any, Any]] = [
            np.zeros(self.rows, np.int32),
            np.arange(self.rows),
            times,
            np.ones(self.rows, np.int8),
            random.integers(0, self.keys, self.rows),
            random.integers(0, 1_000_000, self.rows),
        ]
        table = pa.record_batch([pa.array(column) for column in columns], schema=INPUT)
        return [table.slice(start, BATCH) for start in range(0, self.rows, BATCH)]

    def run(self) -> None:
        kernel, store = self.kernel(), LocalStore(None)
        store.begin("windows", "")
        kernel.open(0, store)
        process = commit = 0.0
        results = 0
        for number, batch in enumerate(self.batches(), 1):
            start = time.process_time()
            results += kernel.process([batch]).rows.num_rows
            middle = time.process_time()
            process += middle - start
            if number * BATCH % COMMIT == 0:
                results += kernel.flush().num_rows
                kernel.changes()
                kernel.committed({0: number})
                commit += time.process_time() - middle
        stats = kernel.stats()
        size = stats["bytes"] / max(stats["entries"], 1)
        unit = 1e9 / self.rows
        print(
            f"{self.name:36}{process * unit:8.0f}{commit * unit:8.0f}{(process + commit) * unit:8.0f} ns/row"
            f"{results / self.rows:8.2f} results/row{size:8.0f} bytes/entry"
        )


CASES = [
    Case("tumble 1 min, commit", {"kind": "tumble", "size": 60_000}, "commit"),
    Case("tumble 10 s, final", {"kind": "tumble", "size": 10_000}, "final"),
    Case("tumble 10 s, record", {"kind": "tumble", "size": 10_000}, "record"),
    Case("hop 10 s every 1 s, final", {"kind": "hop", "size": 10_000, "advance": 1_000}, "final"),
    Case(
        "hop 10 s every 1 s, few rows, final",
        {"kind": "hop", "size": 10_000, "advance": 1_000},
        "final",
        keys=12_500,
        rows=500_000,
        rate=2_000,
    ),
    Case(
        "hop 10 s every 10 ms, final",
        {"kind": "hop", "size": 10_000, "advance": 10},
        "final",
        keys=100,
    ),
    Case("hop 10 s every 1 s, commit", {"kind": "hop", "size": 10_000, "advance": 1_000}, "commit"),
    Case("session 2 s, commit", {"kind": "session", "size": 2_000}, "commit"),
    Case("session 2 s, final", {"kind": "session", "size": 2_000}, "final"),
    Case("slide 1 s, final", {"kind": "slide", "size": 1_000}, "final", rows=200_000),
]


def main() -> None:
    print(f"{'':36}{'process':>8}{'commit':>8}{'both':>8}")
    for case in CASES:
        if all(word in case.name for word in sys.argv[1:]):
            case.run()


if __name__ == "__main__":
    main()
