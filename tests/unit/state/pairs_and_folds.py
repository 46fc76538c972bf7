"""Runs kernels of aggregates of one call over random rows, with commits and restarts in between.

For functions of several arguments, and for those that Python folds: what the other runs have no columns for.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from headrace._native import Kernel
from headrace.plan.operators import RowKind
from tests.unit.state.kept import LEADING, Kept

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

STORE = "s"
Values = tuple[Any, ...]
Group = tuple[int, int, int]
"""Key and bounds of the window, 0 and 0 without one."""

WINDOWS: dict[str, dict[str, Any] | None] = {
    "stream": None,
    "table": None,
    "tumble": {"kind": "tumble", "size": 20, "grace": 1000},
    "hop": {"kind": "hop", "size": 20, "advance": 5, "grace": 1000},
    "slide": {"kind": "slide", "size": 20, "grace": 1000},
    "session": {"kind": "session", "size": 3, "grace": 1000},
}


@dataclass(frozen=True)
class Row:
    """A row of the key, its time, and the values of the call's arguments."""

    key: int
    time: int
    values: Values
    op: RowKind = RowKind.INSERT


@dataclass
class Run:
    """Args: which of WINDOWS, the call, the types of the values, that of the result, what the kernel is given beside."""

    over: str
    call: dict[str, Any]
    types: Sequence[pa.DataType]
    result: pa.DataType
    folds: Mapping[str, Callable[[list[bytes]], bytes]] = field(default_factory=dict)
    seq: int = 0
    given: dict[Group, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.kept = Kept(STORE, 1)
        self.open()

    def open(self) -> None:
        """Begin with what was committed."""
        values = [(f"v{index}", kind) for index, kind in enumerate(self.types)]
        bounds = [] if WINDOWS[self.over] is None else [("w0", pa.int64()), ("w1", pa.int64())]
        self.input = pa.schema([*LEADING, ("k0", pa.int64()), *values])
        output = pa.schema([*LEADING, ("k0", pa.int64()), *bounds, ("a0", self.result)])
        spec = {
            "store": STORE,
            "kernel": "aggregate",
            "keys": 1,
            "inputs": ["retract" if self.over == "table" else "append"],
            "calls": [{"arguments": list(range(len(self.types))), **self.call}],
            "emit": "commit",
            "retracts": False,
            "window": WINDOWS[self.over],
        }
        self.kernel = Kernel(json.dumps(spec), [self.input], output, self.folds)
        self.kept.open(self.kernel)

    def take(self, rows: Sequence[Row]) -> None:
        """Process rows in one batch, and commit."""
        numbers = range(self.seq, self.seq + len(rows))
        self.seq += len(rows)
        columns = [
            [0] * len(rows),
            numbers,
            [row.time for row in rows],
            [int(row.op) for row in rows],
            [row.key for row in rows],
            *([row.values[index] for row in rows] for index in range(len(self.types))),
        ]
        arrays = [pa.array(column, part.type) for column, part in zip(columns, self.input, strict=True)]
        done = self.kernel.process([pa.record_batch(arrays, schema=self.input)])
        assert not done.failed
        for batch in (done.rows, self.kernel.flush()):
            for row in batch.to_pylist():
                group = (row["k0"], row.get("w0", 0), row.get("w1", 0))
                if row["_op"] > 0:
                    self.given[group] = row["a0"]
                else:
                    self.given.pop(group, None)
        self.kept.commit(self.kernel)

    def restart(self) -> None:
        """Go on with stores made of the changelog."""
        self.kept.restore()
        self.open()


def groups(over: str, rows: Sequence[Row]) -> dict[Group, list[Values]]:
    """Give the values of each group, row by row, by what windows are said to be."""
    found: dict[Group, list[Values]] = {}
    keys = sorted({row.key for row in rows})
    for key in keys:
        own = [row for row in rows if row.key == key]
        for bounds, inside in _windows(over, own):
            found[key, *bounds] = [row.values for row in inside]
    return found


def _windows(over: str, rows: Sequence[Row]) -> list[tuple[tuple[int, int], list[Row]]]:
    if over == "table":
        left: list[Row] = []
        for row in rows:
            if row.op > 0:
                left.append(row)
            else:
                left.remove(Row(row.key, row.time, row.values))
        return [((0, 0), left)] if left else []
    if over == "stream":
        return [((0, 0), list(rows))]
    if over == "session":
        times = sorted({row.time for row in rows})
        sessions: list[tuple[int, int]] = []
        for time in times:
            if sessions and time - sessions[-1][1] <= 3:
                sessions[-1] = (sessions[-1][0], time)
            else:
                sessions.append((time, time))
        return [(bounds, [row for row in rows if bounds[0] <= row.time <= bounds[1]]) for bounds in sessions]
    step = 20 if over == "tumble" else 5
    starts = sorted({start for row in rows for start in range(row.time // step * step, row.time - 20, -step)})
    return [
        ((start, start + 20), [row for row in rows if start <= row.time < start + 20])
        for start in starts
        if start >= 0
    ]
