"""Runs the kernel of a windowed aggregate and its oracle over the same rows, with commits, restarts and failures in between."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from headrace._native import Kernel
from headrace.plan.operators import Emit, RowKind, Window
from tests.unit.state.aggregate_oracle import Call, Near, evaluate, shown
from tests.unit.state.kept import LEADING, Kept, call_specs
from tests.unit.state.window_oracle import Result, Row, WindowOracle

if TYPE_CHECKING:
    from collections.abc import Sequence

STORE = "windows"
PARTITIONS = 3
KEYS: list[tuple[str, pa.DataType]] = [("k0", pa.int64()), ("k1", pa.string())]
VALUES: list[tuple[str, pa.DataType]] = [
    ("v0", pa.int64()),
    ("v1", pa.string()),
    ("v2", pa.bool_()),
    ("v3", pa.float64()),
    ("v4", pa.decimal128(10, 2)),
    ("v5", pa.list_(pa.int32())),
]
LONG, TEXT, FLAG, DOUBLE, DECIMAL, LIST = range(len(VALUES))
LISTS = ("COLLECT", "MAXK", "MINK", "TOPK", "BOTTOMK")
NEAR = ("STDDEV", "VAR")


def result_type(call: Call) -> pa.DataType:
    """Give the type that the planner gives to the result of a call."""
    if call.column is None or call.function == "COUNT":
        return pa.int64()
    type_ = VALUES[call.column][1]
    if call.function.startswith(LISTS):
        return pa.list_(type_)
    if call.function.startswith(NEAR) or call.function == "AVG":
        return pa.float64()
    if call.function == "SUM" and call.column == DECIMAL:
        return pa.decimal128(38, 2)
    return type_


@dataclass(frozen=True)
class Program:
    """A windowed aggregate."""

    window: Window
    emit: Emit = Emit.COMMIT
    retracts: bool = False
    keys: int = 1
    calls: tuple[Call, ...] = (Call("COUNT", None), Call("SUM", LONG))
    inline_bytes: int | None = None

    def spec(self) -> str:
        calls = call_specs(self.calls)
        spec = {
            "store": STORE,
            "kernel": "aggregate",
            "keys": self.keys,
            "inputs": ["append"],
            "calls": calls,
        }
        window = {name: getattr(self.window, name) for name in ("kind", "size", "advance", "grace", "offset")}
        spec |= {"emit": self.emit.value, "retracts": self.retracts, "window": window}
        return json.dumps(spec | {"inline_bytes": self.inline_bytes})

    def input(self) -> pa.Schema:
        return pa.schema(LEADING + KEYS[: self.keys] + VALUES)

    def output(self) -> pa.Schema:
        bounds: list[tuple[str, pa.DataType]] = [("w0", pa.int64()), ("w1", pa.int64())]
        results = [(f"a{index}", result_type(call)) for index, call in enumerate(self.calls)]
        return pa.schema(LEADING + KEYS[: self.keys] + bounds + results)

    def kernel(self) -> Kernel:
        return Kernel(self.spec(), [self.input()], self.output())

    def oracle(self) -> WindowOracle:
        def results(rows: Sequence[Row]) -> tuple[Any, ...]:
            values = [row.values for row in rows]
            return tuple(evaluate(call, values, table=False) for call in self.calls)

        return WindowOracle(self.window, self.emit, self.retracts, results)

    def batch(self, rows: Sequence[Row]) -> pa.RecordBatch:
        columns = [
            [row.partition for row in rows],
            [row.seq for row in rows],
            [row.time for row in rows],
            [int(RowKind.INSERT) for _ in rows],
            *([row.key[index] for row in rows] for index in range(self.keys)),
            *([row.values[index] for row in rows] for index in range(len(VALUES))),
        ]
        schema = self.input()
        arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
        return pa.record_batch(arrays, schema=schema)

    def results(self, batch: pa.RecordBatch) -> dict[int, list[Result]]:
        """Take a batch of the kernel apart, by partition."""
        assert batch.schema == self.output()
        batch.validate(full=True)
        found: dict[int, list[Result]] = {}
        for partition, seq, time, op, *rest in zip(*(c.to_pylist() for c in batch.columns), strict=True):
            key, bounds, values = rest[: self.keys], rest[self.keys : self.keys + 2], rest[self.keys + 2 :]
            bare = op == RowKind.DELETE and not self.retracts
            assert not bare or all(value is None for value in values)
            found.setdefault(partition, []).append(
                Result(
                    partition,
                    seq,
                    time,
                    RowKind(op),
                    tuple(key),
                    (bounds[0], bounds[1]),
                    None if bare else self.values(values),
                )
            )
        return found

    def values(self, results: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(
            Near(value) if call.function.startswith(NEAR) and value is not None else shown(value)
            for call, value in zip(self.calls, results, strict=True)
        )


@dataclass(frozen=True)
class Advance:
    """Stream time moves on without a row."""

    partition: int
    time: int


Event = Row | Advance


@dataclass(frozen=True)
class Epoch:
    """What is processed between two commits.

    Args:
        cut: rows of a batch at most.
        flush: after how many events there is a flush before the last one.
        lost: so many of the events are processed, then forgotten, before all of them are.
        crash: they are forgotten by a new kernel, rather than by `rollback`.
        flushed: what is lost was flushed, and its changes asked for, before it was forgotten.
        restart: how the next one finds the state.
    """

    events: tuple[Event, ...]
    cut: int = 1000
    flush: int | None = None
    lost: int | None = None
    crash: bool = False
    flushed: bool = False
    restart: str = "none"


def by_partition(results: Sequence[Result]) -> dict[int, list[Result]]:
    found: dict[int, list[Result]] = {}
    for result in results:
        found.setdefault(result.partition, []).append(result)
    return found


class Machine:
    """A kernel with the local stores and changelogs of its tasks, driven beside the oracle."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.oracle = program.oracle()
        self.kept = Kept(STORE, PARTITIONS)
        self.open()

    def open(self) -> None:
        self.kernel = self.program.kernel()
        self.kept.open(self.kernel)
        for task in self.oracle.tasks.values():
            task.seq = 0  # The place of the last row is not part of the state.
        self.uncounted = self.oracle.late, self.oracle.null_keys

    def run(self, epoch: Epoch) -> None:
        if epoch.lost is not None:
            self.lose(epoch, epoch.events[: epoch.lost])
        middle = len(epoch.events) if epoch.flush is None else epoch.flush
        self.step(epoch.events[:middle], epoch.cut)
        self.flush()
        self.step(epoch.events[middle:], epoch.cut)
        self.flush()
        self.commit()
        match epoch.restart:
            case "store":
                self.open()
            case "changelog":
                self.restore()
                self.open()
            case "trim":
                self.kernel.limit(0)

    def lose(self, epoch: Epoch, events: Sequence[Event]) -> None:
        before = self.kernel.stats()
        for part in runs(events, epoch.cut):
            self.process(part)
        if epoch.flushed:
            self.kernel.flush()
            self.kernel.changes()
        if epoch.crash:
            self.open()
            return
        self.kernel.rollback()
        stats = self.kernel.stats()
        late, null_keys = self.uncounted
        self.uncounted = (
            late - (stats["late"] - before["late"]),
            null_keys - (stats["null_keys"] - before["null_keys"]),
        )

    def process(self, events: Sequence[Event]) -> tuple[dict[int, list[Result]], list[int | None], list[int]]:
        """Give the results of rows, or of one advance, and the numbers of the rows that were late or failed."""
        if isinstance(events[0], Advance):
            found = self.kernel.advance(events[0].partition, events[0].time)
        else:
            found = self.kernel.process([self.program.batch([row for row in events if isinstance(row, Row)])])
        failed = [row for _, row, _ in found.failed]
        return self.program.results(found.rows), found.late[0].to_pylist(), failed

    def expected(self, events: Sequence[Event]) -> tuple[dict[int, list[Result]], list[int], list[int]]:
        results: list[Result] = []
        late, failed = [], []
        for number, event in enumerate(events):
            if isinstance(event, Advance):
                results += self.oracle.advance(event.partition, event.time)
            else:
                given, is_late, has_failed = self.oracle.process(event)
                results += given
                late += [number] * is_late
                failed += [number] * has_failed
        return by_partition(results), late, failed

    def step(self, events: Sequence[Event], cut: int) -> None:
        """Process events in the kernel and in the oracle."""
        for part in runs(events, cut):
            assert self.process(part) == self.expected(part)
        stats = self.kernel.stats()
        late, null_keys = self.uncounted
        assert (stats["late"], stats["null_keys"]) == (
            self.oracle.late - late,
            self.oracle.null_keys - null_keys,
        )

    def flush(self) -> None:
        assert self.program.results(self.kernel.flush()) == by_partition(self.oracle.flush())

    def commit(self) -> None:
        self.kept.commit(self.kernel)

    def restore(self) -> None:
        self.kept.restore()


def runs(events: Sequence[Event], cut: int) -> list[list[Event]]:
    """Give rows that go into one batch, and each advance by itself."""
    found: list[list[Event]] = []
    for is_row, run in groupby(events, key=lambda event: isinstance(event, Row)):
        part = list(run)
        size = cut if is_row else 1
        found += [part[start : start + size] for start in range(0, len(part), size)]
    return found
