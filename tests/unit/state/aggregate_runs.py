"""Drives an aggregate without a window beside its oracle: what Hypothesis draws, and what happens between commits."""

from __future__ import annotations

import datetime as dt
import json
import math
from dataclasses import dataclass
from decimal import Decimal
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from hypothesis import strategies as st

from headrace._native import Kernel
from headrace.plan.operators import Emit, RowKind
from tests.unit.state.aggregate_oracle import AggregateOracle, Call, Near, Result, Row, comparable, shown
from tests.unit.state.kept import LEADING, Kept, call_specs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace._native import Processed

STORE = "groups"
PARTITIONS = 3

FLOATS = [0.0, -0.0, 1.5, -2.25, math.nan, math.inf, -math.inf]
LARGEST = "9" * 36 + ".99"
COLUMNS: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "flag": (pa.bool_(), st.booleans()),
    "long": (pa.int64(), st.integers(-3, 3)),
    "byte": (pa.int8(), st.sampled_from([-128, 0, 1, 127])),
    "double": (pa.float64(), st.sampled_from(FLOATS)),
    "float": (pa.float32(), st.sampled_from(FLOATS)),
    "decimal": (
        pa.decimal128(10, 2),
        st.sampled_from(list(map(Decimal, ["0.00", "1.25", "-7.10", "99999999.99"]))),
    ),
    "huge": (
        pa.decimal128(38, 2),
        st.sampled_from(list(map(Decimal, [LARGEST, f"-{LARGEST}", "2" * 35 + ".22", "1.25"]))),
    ),
    "text": (pa.string(), st.sampled_from(["", "a", "b", "ab", "ä" * 20])),
    "bytes": (pa.binary(), st.sampled_from([b"", b"\0", b"\xff", b"\0\xff" * 9])),
    "day": (pa.date32(), st.sampled_from([dt.date(1969, 12, 31), dt.date(2024, 2, 29)])),
    "moment": (
        pa.timestamp("us", "UTC"),
        st.sampled_from([dt.datetime(2024, 1, day, tzinfo=dt.UTC) for day in (1, 2, 3)]),
    ),
    "list": (pa.list_(pa.int32()), st.lists(st.integers(0, 1) | st.none(), max_size=2)),
    "struct": (
        pa.struct([("a", pa.float64()), ("b", pa.string())]),
        st.fixed_dictionaries(
            {"a": st.sampled_from([-0.0, 0.0, math.nan]), "b": st.sampled_from(["", "b"]) | st.none()}
        ),
    ),
    "map": (pa.map_(pa.string(), pa.int32()), st.sampled_from([[], [("a", 1)], [("b", None)]])),
}
NAMES = list(COLUMNS)
OVER_TABLES: dict[str, st.SearchStrategy[Any]] = {
    "long": st.integers(-3, 3) | st.sampled_from([2**63 - 1, -(2**63)]),
    "double": st.sampled_from([*FLOATS, 0.1, 0.2, 1e16, -1e16, 1e308, -1.7e308, 5e-324, 1e9 + 0.1])
    | st.floats(allow_nan=False, allow_infinity=False),
}
"""Values that leave traces when they are taken away, unless sums are exact and have room for them."""
ANY = set(NAMES)
NUMBERS = {"long", "byte", "double", "float", "decimal", "huge"}
ORDERED = ANY - {"list", "struct", "map"}
TAKES = {
    "COUNT": ANY,
    "SUM": NUMBERS,
    "AVG": NUMBERS,
    "STDDEV": NUMBERS,
    "STDDEV_POP": NUMBERS,
    "VARIANCE": NUMBERS,
    "VAR_POP": NUMBERS,
    "MIN": ORDERED,
    "MAX": ORDERED,
    "FIRST": ANY,
    "ANYF": ANY,
    "LAST": ANY,
    "COLLECT": ANY,
    "COLLECT_UNIQUE": ANY,
    "MAXK": ANY,
    "MAXK_UNIQUE": ANY,
    "MINK": ANY,
    "MINK_UNIQUE": ANY,
    "TOPK": ANY,
    "BOTTOMK": ANY,
    "STRING_AGG": {"text"},
    "BOOL_AND": {"flag"},
    "BOOL_OR": {"flag"},
}
WITHOUT_INVERSE = {"FIRST", "LAST", "ANYF"}
LISTS = {name for name in TAKES if name.startswith(("COLLECT", "MAXK", "MINK", "TOPK", "BOTTOMK"))}
WITH_DISTINCT = {
    "COUNT",
    "SUM",
    "AVG",
    "STDDEV",
    "VAR_POP",
    "MIN",
    "COLLECT",
    "MAXK",
    "STRING_AGG",
    "BOOL_AND",
}
INLINE_BYTES = st.sampled_from([None, 0, 0, 20])
"""Small values divide sets that would lie in one entry otherwise."""
KEYS: dict[str, pa.DataType] = {
    "long": pa.int64(),
    "text": pa.string(),
    "double": pa.float64(),
    "list": pa.list_(pa.int32()),
}


def result_type(call: Call) -> pa.DataType:
    """Give the type that the planner gives to the result of a call."""
    if call.column is None or call.function == "COUNT":
        return pa.int64()
    type_ = COLUMNS[NAMES[call.column]][0]
    if call.function in LISTS:
        return pa.list_(type_)
    if call.function == "AVG" and call.result_scale is not None:
        return pa.decimal128(38, call.result_scale)
    if call.function == "AVG" or call.function.startswith(("STDDEV", "VAR")):
        return pa.float64()
    if call.function == "SUM":
        if pa.types.is_decimal(type_):
            return pa.decimal128(38, type_.scale)
        return pa.float64() if pa.types.is_floating(type_) else pa.int64()
    return type_


@dataclass(frozen=True)
class Program:
    """An aggregate without a window."""

    calls: tuple[Call, ...]
    keys: tuple[str, ...] = ("long",)
    emit: Emit = Emit.COMMIT
    retracts: bool = False
    keeps_nulls: bool = False
    table: bool = False
    inline_bytes: int | None = None

    def spec(self) -> str:
        calls = call_specs(self.calls)
        spec = {"store": STORE, "kernel": "aggregate", "keys": len(self.keys), "calls": calls, "window": None}
        changes = "retract" if self.table else "append"
        spec |= {
            "inputs": [changes],
            "emit": self.emit.value,
            "retracts": self.retracts,
            "keeps_nulls": self.keeps_nulls,
        }
        return json.dumps(spec | {"inline_bytes": self.inline_bytes})

    def key_fields(self) -> list[tuple[str, pa.DataType]]:
        return [(f"k{index}", KEYS[key]) for index, key in enumerate(self.keys)]

    def input(self) -> pa.Schema:
        values = [(f"v{index}", type_) for index, (type_, _) in enumerate(COLUMNS.values())]
        return pa.schema(LEADING + self.key_fields() + values)

    def output(self) -> pa.Schema:
        results = [(f"a{index}", result_type(call)) for index, call in enumerate(self.calls)]
        return pa.schema(LEADING + self.key_fields() + results)

    def kernel(self) -> Kernel:
        return Kernel(self.spec(), [self.input()], self.output())

    def oracle(self) -> AggregateOracle:
        return AggregateOracle(self.calls, self.emit, self.retracts, self.table, self.keeps_nulls)

    def batch(self, rows: Sequence[Row]) -> pa.RecordBatch:
        columns = [
            [row.partition for row in rows],
            [row.seq for row in rows],
            [row.time for row in rows],
            [int(row.op) for row in rows],
            *([row.key[index] for row in rows] for index in range(len(self.keys))),
            *([row.values[index] for row in rows] for index in range(len(COLUMNS))),
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
            key, values = tuple(map(comparable, rest[: len(self.keys)])), self.values(rest[len(self.keys) :])
            bare = op == RowKind.DELETE and not self.retracts
            assert not bare or set(rest[len(self.keys) :]) <= {None}
            result = Result(partition, seq, time, RowKind(op), key, None if bare else values)
            found.setdefault(partition, []).append(result)
        return found

    def values(self, results: Sequence[Any]) -> tuple[Any, ...]:
        near = [
            call.function.startswith(("STDDEV", "VAR"))
            and not (self.table and call.column in (NAMES.index("double"), NAMES.index("float")))
            for call in self.calls
        ]
        pairs = zip(near, results, strict=True)
        return tuple(
            Near(value) if is_near and value is not None else shown(value) for is_near, value in pairs
        )


def by_partition(results: Sequence[Result]) -> dict[int, list[Result]]:
    found: dict[int, list[Result]] = {}
    for result in results:
        found.setdefault(result.partition, []).append(result)
    return found


Change = tuple[Row, ...]
"""A row, or one that goes and one that comes in its place."""


@dataclass(frozen=True)
class Epoch:
    """What is processed between two commits.

    Args:
        cut: changes of a batch at most.
        flushes: after how many batches there is a flush before the last one.
        lost: so many of the changes are processed, then forgotten, before all of them are.
        crash: they are forgotten by a new kernel, rather than by `rollback`.
        flushed: what is lost was flushed, and its changes asked for, before it was forgotten.
        restart: how the next one finds the state.
    """

    changes: tuple[Change, ...]
    cut: int = 100
    flushes: int = 0
    lost: int | None = None
    crash: bool = False
    flushed: bool = False
    restart: str = "none"


class Machine:
    """A kernel with the local stores and changelogs of its tasks, driven beside the oracle."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.oracle = program.oracle()
        self.kept = Kept(STORE, PARTITIONS)
        self.null_keys = 0
        self.open()

    def open(self) -> None:
        self.kernel = self.program.kernel()
        self.kept.open(self.kernel)
        self.oracle.null_keys = 0

    def run(self, epoch: Epoch) -> None:
        if epoch.lost is not None:
            self.lose(epoch, epoch.changes[: epoch.lost])
        for number, start in enumerate(range(0, len(epoch.changes), epoch.cut), 1):
            self.step(epoch.changes[start : start + epoch.cut])
            if number == epoch.flushes:
                self.flush()
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

    def lose(self, epoch: Epoch, changes: Sequence[Change]) -> None:
        null_keys = self.kernel.stats()["null_keys"]
        for start in range(0, len(changes), epoch.cut):
            self.process(changes[start : start + epoch.cut])
        if epoch.flushed:
            self.kernel.flush()
            self.kernel.changes()
        if epoch.crash:
            self.open()
        else:
            self.kernel.rollback()
            self.oracle.null_keys += self.kernel.stats()["null_keys"] - null_keys

    def process(self, changes: Sequence[Change]) -> Processed:
        return self.kernel.process([self.program.batch([row for change in changes for row in change])])

    def step(self, changes: Sequence[Change]) -> None:
        """Process a batch in the kernel and in the oracle."""
        processed = self.process(changes)
        expected: list[Result] = []
        failed: list[Row] = []
        for change, following in zip_longest(changes, changes[1:]):
            results, refused = self.oracle.process(change, following[0] if following else None)
            expected += results
            failed += refused
        assert self.program.results(processed.rows) == by_partition(expected)
        rows = [row for change in changes for row in change]
        assert [rows[row] for _, row, _ in processed.failed] == failed
        assert processed.late[0].to_pylist() == []
        assert self.kernel.stats()["null_keys"] == self.oracle.null_keys

    def flush(self) -> None:
        assert self.program.results(self.kernel.flush()) == by_partition(self.oracle.flush())

    def commit(self) -> None:
        self.kept.commit(self.kernel)

    def restore(self) -> None:
        self.kept.restore()

    def stored(self, partition: int) -> dict[Any, Any]:
        """Give the entries of the local store as the table that people see."""
        store = self.kept.stores[partition]
        table = self.kernel.decode(*store.entries(STORE, None, 1 << 20), store)
        keys = len(self.program.keys)
        columns = [column.to_pylist() for column in table.columns]
        rows = [[column[row] for column in columns] for row in range(table.num_rows)]
        return {tuple(map(comparable, row[:keys])): self.program.values(row[keys:]) for row in rows}


@st.composite
def calls(draw: st.DrawFn, *, table: bool) -> Call:
    function = draw(st.sampled_from(sorted(set(TAKES) - (WITHOUT_INVERSE if table else set()))))
    if function == "COUNT" and draw(st.booleans()):
        return Call("COUNT", None, filter=draw(st.none() | st.just(NAMES.index("flag"))))
    name = draw(st.sampled_from(sorted(TAKES[function])))
    type_ = COLUMNS[name][0]
    scale = type_.scale if pa.types.is_decimal(type_) else None
    return Call(
        function,
        NAMES.index(name),
        distinct=function in WITH_DISTINCT and draw(st.booleans()),
        filter=draw(st.none() | st.none() | st.just(NAMES.index("flag"))),
        limit=draw(st.none() | st.integers(1, 4)) if function in LISTS else None,
        parameter=draw(st.sampled_from([",", "", " - "])) if function == "STRING_AGG" else None,
        scale=scale,
        result_scale=draw(st.none() | st.just(6)) if function == "AVG" and scale is not None else None,
    )


@st.composite
def programs(draw: st.DrawFn) -> Program:
    table = draw(st.booleans())
    return Program(
        calls=tuple(draw(st.lists(calls(table=table), max_size=5))),
        keys=tuple(draw(st.lists(st.sampled_from(sorted(KEYS)), max_size=2))),
        emit=draw(st.sampled_from([Emit.COMMIT, Emit.COMMIT, Emit.RECORD])),
        retracts=draw(st.booleans()),
        keeps_nulls=draw(st.booleans()),
        table=table,
        inline_bytes=draw(INLINE_BYTES),
    )


KEY_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "long": st.sampled_from([1, 2, None]),
    "text": st.sampled_from(["", "a", "a" * 40, None]),
    "double": st.sampled_from([0.0, -0.0, math.nan, None]),
    "list": st.sampled_from([[], [1], [None], None]),
}


@st.composite
def changes(draw: st.DrawFn, program: Program) -> list[Change]:
    """Rows of several partitions; over a table those that go are there."""
    key = st.tuples(*(KEY_VALUES[key] for key in program.keys))
    used = {call.column for call in program.calls} | {call.filter for call in program.calls}
    # Values of columns that no call reads would only be noise.
    values = st.tuples(
        *(
            (OVER_TABLES.get(name, strategy) if program.table else strategy) | st.none()
            if index in used
            else st.none()
            for index, (name, (_, strategy)) in enumerate(COLUMNS.items())
        )
    )
    live: list[list[tuple[Any, Any]]] = [[] for _ in range(PARTITIONS)]
    found: list[Change] = []
    for seq in range(draw(st.integers(0, 30))):
        partition = draw(st.integers(0, PARTITIONS - 1))
        time = draw(st.integers(0, 50))
        there = live[partition]
        what = (
            draw(st.sampled_from(["insert", "insert", "update", "rekey", "delete"]))
            if program.table
            else "insert"
        )
        if what == "insert" or not there:
            there.append((draw(key), draw(values)))
            found.append((Row(partition, seq, time, RowKind.INSERT, *there[-1]),))
            continue
        old = there.pop(draw(st.integers(0, len(there) - 1)))
        if what == "delete":
            found.append((Row(partition, seq, time, RowKind.DELETE, *old),))
            continue
        there.append((old[0] if what == "update" else draw(key), draw(values)))
        before = Row(partition, seq, time, RowKind.UPDATE_BEFORE, *old)
        after = Row(partition, seq, time, RowKind.UPDATE_AFTER, *there[-1])
        same = tuple(map(comparable, before.key)) == tuple(map(comparable, after.key))
        found += [(before, after)] if same else [(before,), (after,)]
    return found


@st.composite
def runs(draw: st.DrawFn) -> tuple[Program, list[Epoch]]:
    program = draw(programs())
    waiting = draw(changes(program))
    epochs = []
    for _ in range(draw(st.integers(1, 3))):
        size = draw(st.integers(0, len(waiting)))
        part, waiting = waiting[:size], waiting[size:]
        epochs.append(
            Epoch(
                tuple(part),
                cut=draw(st.sampled_from([1, 2, 7, 100])),
                flushes=draw(st.integers(0, 3)),
                lost=draw(st.none() | st.integers(0, size)),
                crash=draw(st.booleans()),
                flushed=draw(st.booleans()),
                restart=draw(st.sampled_from(["none", "store", "changelog", "trim"])),
            )
        )
    return program, [*epochs, Epoch(tuple(waiting), restart="changelog")]
