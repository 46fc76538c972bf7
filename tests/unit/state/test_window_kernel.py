"""Windowed aggregates: the native kernel beside a plain oracle, over windows, rows and interruptions that Hypothesis makes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace._native import Kernel, LocalStore
from headrace.plan.operators import Emit, RowKind, Window, WindowKind
from tests.unit.formats.decoding import examples
from tests.unit.state.window_oracle import Result, Row, WindowOracle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

STORE = "windows"
LEADING = [("_partition", pa.int32()), ("_seq", pa.int64()), ("_time", pa.int64()), ("_op", pa.int8())]
KEYS = [("k0", pa.int64()), ("k1", pa.string())]
VALUES = [("v0", pa.int64()), ("v1", pa.string()), ("v2", pa.bool_())]
PARTITIONS = 3


@dataclass(frozen=True)
class Call:
    """An aggregate function: what the kernel is told, the type of its result, and what it gives over rows."""

    spec: dict[str, Any]
    type: pa.DataType
    evaluate: Callable[[Sequence[Row]], Any]


def column(index: int) -> Callable[[Sequence[Row]], list[Any]]:
    return lambda rows: [row.values[index] for row in rows if row.values[index] is not None]


NUMBERS, TEXTS = column(0), column(1)
CALLS = {
    "count": Call({"function": "COUNT", "arguments": []}, pa.int64(), len),
    "count_v0": Call({"function": "COUNT", "arguments": [0]}, pa.int64(), lambda rows: len(NUMBERS(rows))),
    "sum": Call(
        {"function": "SUM", "arguments": [0]},
        pa.int64(),
        lambda rows: sum(NUMBERS(rows)) if NUMBERS(rows) else None,
    ),
    "filtered": Call(
        {"function": "COUNT", "arguments": [], "filter": 2},
        pa.int64(),
        lambda rows: sum(1 for row in rows if row.values[2]),
    ),
    "max": Call(
        {"function": "MAX", "arguments": [0]}, pa.int64(), lambda rows: max(NUMBERS(rows), default=None)
    ),
    "min_text": Call(
        {"function": "MIN", "arguments": [1]}, pa.string(), lambda rows: min(TEXTS(rows), default=None)
    ),
    "distinct": Call(
        {"function": "COUNT", "arguments": [0], "distinct": True},
        pa.int64(),
        lambda rows: len(set(NUMBERS(rows))),
    ),
    "first": Call(
        {"function": "FIRST", "arguments": [1]}, pa.string(), lambda rows: next(iter(TEXTS(rows)), None)
    ),
    "last": Call(
        {"function": "LAST", "arguments": [1]}, pa.string(), lambda rows: next(iter(TEXTS(rows)[::-1]), None)
    ),
    "collect": Call(
        {"function": "COLLECT", "arguments": [0], "limit": 3},
        pa.list_(pa.int64()),
        lambda rows: NUMBERS(rows)[:3] or None,
    ),
}


@dataclass(frozen=True)
class Program:
    """A windowed aggregate."""

    window: Window
    emit: Emit
    retracts: bool
    keys: int
    calls: tuple[str, ...]

    def spec(self) -> str:
        window = self.window
        return json.dumps(
            {
                "store": STORE,
                "kernel": "aggregate",
                "keys": self.keys,
                "inputs": ["append"],
                "calls": [CALLS[call].spec for call in self.calls],
                "emit": self.emit.value,
                "retracts": self.retracts,
                "window": {
                    "kind": window.kind.value,
                    "size": window.size,
                    "advance": window.advance,
                    "grace": window.grace,
                },
            }
        )

    def input(self) -> pa.Schema:
        return pa.schema(LEADING + KEYS[: self.keys] + VALUES)

    def output(self) -> pa.Schema:
        bounds = [("w0", pa.int64()), ("w1", pa.int64())]
        calls = [(f"a{index}", CALLS[call].type) for index, call in enumerate(self.calls)]
        return pa.schema(LEADING + KEYS[: self.keys] + bounds + calls)

    def kernel(self) -> Kernel:
        return Kernel(self.spec(), [self.input()], self.output())

    def oracle(self) -> WindowOracle:
        calls = [CALLS[call].evaluate for call in self.calls]
        return WindowOracle(
            self.window, self.emit, self.retracts, lambda rows: tuple(evaluate(rows) for evaluate in calls)
        )

    def batch(self, rows: Sequence[Row]) -> pa.RecordBatch:
        columns = [
            [row.partition for row in rows],
            [row.seq for row in rows],
            [row.time for row in rows],
            [RowKind.INSERT.value for _ in rows],
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
            result = Result(
                partition, seq, time, op, tuple(key), (bounds[0], bounds[1]), None if bare else tuple(values)
            )
            found.setdefault(partition, []).append(result)
        return found


def by_partition(results: Sequence[Result]) -> dict[int, list[Result]]:
    found: dict[int, list[Result]] = {}
    for result in results:
        found.setdefault(result.partition, []).append(result)
    return found


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
        lost: so many of the events are processed, then forgotten, before all of them are.
        flushed: what is lost was flushed, and its changes asked for, before it was forgotten.
        restart: how the next one finds the state.
    """

    events: tuple[Event, ...]
    cut: int
    lost: int | None
    flushed: bool
    restart: str


class Machine:
    """A kernel with the local stores and changelogs of its tasks, driven beside the oracle."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.oracle = program.oracle()
        self.stores = {partition: LocalStore(None) for partition in range(PARTITIONS)}
        for store in self.stores.values():
            store.begin(STORE, "fingerprint")
        self.changelog: dict[int, list[tuple[bytes, bytes | None]]] = {
            partition: [] for partition in self.stores
        }
        self.late = 0
        self.null_keys = 0
        self.open()

    def open(self) -> None:
        self.kernel = self.program.kernel()
        for partition, store in self.stores.items():
            self.kernel.open(partition, store)
        for task in self.oracle.tasks.values():
            task.seq = 0  # The place of the last row is not part of the state.

    def process(
        self, events: Sequence[Event], cut: int
    ) -> tuple[list[dict[int, list[Result]]], list[list[int]]]:
        """Give the results of each batch, and the rows of each that were late."""
        results, late = [], []
        for is_row, run in groupby(events, key=lambda event: isinstance(event, Row)):
            part = list(run)
            if not is_row:
                for event in part:
                    results.append(
                        self.program.results(self.kernel.advance(event.partition, event.time).rows)
                    )
                continue
            for start in range(0, len(part), cut):
                processed = self.kernel.process([self.program.batch(part[start : start + cut])])
                assert processed.failed == []
                results.append(self.program.results(processed.rows))
                late.append(processed.late[0].to_pylist())
        return results, late

    def expected(
        self, events: Sequence[Event], cut: int
    ) -> tuple[list[dict[int, list[Result]]], list[list[int]]]:
        results, late = [], []
        for is_row, run in groupby(events, key=lambda event: isinstance(event, Row)):
            part = list(run)
            if not is_row:
                results += [by_partition(self.oracle.advance(event.partition, event.time)) for event in part]
                continue
            for start in range(0, len(part), cut):
                batch = [self.oracle.process(row) for row in part[start : start + cut]]
                results.append(by_partition([result for given, _ in batch for result in given]))
                late.append([index for index, (_, is_late) in enumerate(batch) if is_late])
        return results, late

    def run(self, epoch: Epoch) -> None:
        if epoch.lost is not None:
            self.process(epoch.events[: epoch.lost], epoch.cut)
            if epoch.flushed:
                self.kernel.flush()
                self.kernel.changes()
            self.kernel.rollback()
        assert self.process(epoch.events, epoch.cut) == self.expected(epoch.events, epoch.cut)
        assert self.program.results(self.kernel.flush()) == by_partition(self.oracle.flush())
        self.commit()
        match epoch.restart:
            case "store":
                self.open()
            case "changelog":
                self.restore()
                self.open()

    def commit(self) -> None:
        changes = self.kernel.changes()
        for partition, key, value in zip(
            *(changes.column(index).to_pylist() for index in range(3)), strict=True
        ):
            self.changelog[partition].append((key, value))
        self.kernel.committed({partition: len(log) for partition, log in self.changelog.items()})
        assert self.kernel.changes().num_rows == 0

    def restore(self) -> None:
        for partition, log in self.changelog.items():
            store = LocalStore(None)
            store.begin(STORE, "fingerprint")
            keys, values = [key for key, _ in log], [value for _, value in log]
            store.restore(STORE, pa.array(keys, pa.binary()), pa.array(values, pa.binary()), len(log))
            self.stores[partition] = store


@st.composite
def windows(draw: st.DrawFn) -> Window:
    kind = draw(st.sampled_from(WindowKind))
    size = draw(st.integers(1, 12))
    grace = draw(st.sampled_from([0, 0, 3, 20]))
    advance = draw(st.integers(1, size)) if kind is WindowKind.HOP else None
    if kind in {WindowKind.SESSION, WindowKind.SLIDE}:
        size = draw(st.integers(0, 12))
    return Window(kind, size, grace, advance)


@st.composite
def programs(draw: st.DrawFn) -> Program:
    emit = draw(st.sampled_from(Emit))
    return Program(
        window=draw(windows()),
        emit=emit,
        retracts=emit is not Emit.FINAL and draw(st.booleans()),
        keys=draw(st.integers(0, 2)),
        calls=tuple(draw(st.lists(st.sampled_from(sorted(CALLS)), max_size=4))),
    )


@st.composite
def events(draw: st.DrawFn, keys: int) -> list[Event]:
    """Rows of several partitions, mostly forward in time, some far behind."""
    steps = st.integers(-12, 8) | st.integers(0, 3) | st.just(60)
    key = st.tuples(*(st.integers(0, 2) | st.none(), st.sampled_from("ab") | st.none())[:keys])
    values = st.tuples(
        st.integers(-5, 5) | st.none(), st.sampled_from("xyz") | st.none(), st.booleans() | st.none()
    )
    drawn = draw(
        st.lists(
            st.tuples(st.integers(0, PARTITIONS - 1), steps, key, values, st.integers(0, 19)), max_size=40
        )
    )
    time = [draw(st.integers(0, 30)) for _ in range(PARTITIONS)]
    found: list[Event] = []
    for seq, (partition, step, name, value, kind) in enumerate(drawn):
        if kind == 0:
            found.append(Advance(partition, max(0, time[partition] + step)))
            continue
        row = Row(partition, seq, max(0, time[partition] + step), name, value)
        time[partition] = max(time[partition], row.time)
        found.append(row)
    return found


@st.composite
def runs(draw: st.DrawFn) -> tuple[Program, list[Epoch]]:
    program = draw(programs())
    all_events = draw(events(program.keys))
    ends = sorted({*draw(st.lists(st.integers(0, len(all_events)), max_size=4)), len(all_events)})
    epochs = []
    for start, end in zip([0, *ends], ends, strict=False):
        part = tuple(all_events[start:end])
        epochs.append(
            Epoch(
                part,
                cut=draw(st.sampled_from([1, 7, 1000])),
                lost=draw(st.none() | st.integers(0, len(part))),
                flushed=draw(st.booleans()),
                restart=draw(st.sampled_from(["", "store", "changelog"])),
            )
        )
    return program, epochs


@settings(
    max_examples=examples(300),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(runs())
def test_windows_give_what_the_oracle_gives(run: tuple[Program, list[Epoch]]) -> None:
    program, epochs = run
    machine = Machine(program)
    for epoch in epochs:
        machine.run(epoch)
