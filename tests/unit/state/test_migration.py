"""State of an aggregate that gets other calls: what both have goes on, what is new counts the rows that come from then on."""

from __future__ import annotations

import json
import os
import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from headrace import _native
from headrace.engine.state.kernels import schema, specification
from headrace.log.interface import TopicDescription
from headrace.plan.operators import (
    Aggregate,
    AggregateCall,
    Changes,
    Column,
    Emit,
    Feed,
    Operator,
    Store,
    Window,
    WindowKind,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SEEDS = range(int(os.environ.get("HEADRACE_FUZZ_EXAMPLES", "30")) // 10)
ROWS = 60
GRACE = 1_000_000

Row = tuple[str | None, int, int, int | None]
"""Key, another key, time, value."""


@dataclass(frozen=True, slots=True)
class Function:
    """An aggregate function, and what it gives of the values that are not null, in the order of arrival."""

    call: AggregateCall
    expected: Callable[[list[int]], Any]


def count_of(values: list[int]) -> int:
    return len(values)


FUNCTIONS = {
    "count": Function(AggregateCall("COUNT", (0,), pa.int64()), count_of),
    "sum": Function(AggregateCall("SUM", (0,), pa.int64()), lambda values: sum(values) if values else None),
    "mean": Function(
        AggregateCall("AVG", (0,), pa.float64()), lambda values: sum(values) / len(values) if values else None
    ),
    "least": Function(AggregateCall("MIN", (0,), pa.int64()), lambda values: min(values, default=None)),
    "first": Function(AggregateCall("FIRST", (0,), pa.int64()), lambda values: values[0] if values else None),
    "distinct": Function(
        AggregateCall("COUNT", (0,), pa.int64(), distinct=True), lambda values: len(set(values))
    ),
    "unique": Function(
        AggregateCall("COLLECT_UNIQUE", (0,), pa.list_(pa.int64())),
        lambda values: list(dict.fromkeys(values)) or None,
    ),
    "often": Function(
        AggregateCall("TOPK", (0,), pa.list_(pa.int64()), limit=2),
        lambda values: sorted(set(values), key=lambda value: (-values.count(value), value))[:2] or None,
    ),
}

WINDOWS = {
    "none": None,
    "tumble": Window(WindowKind.TUMBLE, 20, GRACE),
    "hop": Window(WindowKind.HOP, 20, GRACE, 5),
    "session": Window(WindowKind.SESSION, 4, GRACE),
    "slide": Window(WindowKind.SLIDE, 6, GRACE),
}


def operator(names: Sequence[str], window: Window | None, emit: Emit = Emit.COMMIT) -> Operator:
    feed = Feed(
        "in",
        "",
        (Column("k0", pa.string()), Column("k1", pa.int64())),
        (Column("v0", pa.int64()),),
        Changes.APPEND,
    )
    calls = tuple(FUNCTIONS[name].call for name in names)
    bounds = () if window is None else (Column("w0", pa.int64()), Column("w1", pa.int64()))
    results = tuple(Column(f"a{number}", call.type) for number, call in enumerate(calls))
    return Operator(
        "store",
        Aggregate(feed, calls, emit, window),
        (*feed.key, *bounds, *results),
        Changes.UPSERT,
        Store("store", TopicDescription("changelog", 1), "fingerprint"),
    )


@dataclass(slots=True)
class Run:
    """A kernel, with the store of one task, as after a restore."""

    plan: Operator
    kernel: _native.Kernel
    store: _native.LocalStore

    @classmethod
    def of(
        cls, plan: Operator, keys: pa.BinaryArray | None = None, values: pa.BinaryArray | None = None
    ) -> Run:
        store = _native.LocalStore(None)
        store.begin("store", "fingerprint")
        if keys is not None and values is not None:
            store.restore("store", keys, values, 1)
        made = _native.Kernel(*sides(plan))
        made.open(0, store)
        return cls(plan, made, store)

    def take(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """Process and commit; give what came out last of each key and window."""
        columns: list[pa.Array[Any]] = [
            pa.array([0] * len(rows), pa.int32()),
            pa.array(range(len(rows)), pa.int64()),
            pa.array([row[2] for row in rows], pa.int64()),
            pa.array([1] * len(rows), pa.int8()),
            pa.array([row[0] for row in rows], pa.string()),
            pa.array([row[1] for row in rows], pa.int64()),
            pa.array([row[3] for row in rows], pa.int64()),
        ]
        feed = self.plan.feeds[0]
        batch = pa.RecordBatch.from_arrays(columns, schema=schema((*feed.key, *feed.value)))
        found = [*self.kernel.process([batch]).rows.to_pylist(), *self.kernel.flush().to_pylist()]
        self.kernel.changes()
        self.kernel.committed({0: 1})
        return found

    def entries(self) -> tuple[pa.BinaryArray, pa.BinaryArray]:
        return self.store.entries("store", None, 1_000_000)


def sides(plan: Operator) -> tuple[str, list[pa.Schema], pa.Schema]:
    # So that sets become entries of their own, and sessions too, though there are few of them.
    spec = {**specification(plan), "inline_bytes": 12}
    feed = plan.feeds[0]
    return json.dumps(spec), [schema((*feed.key, *feed.value))], schema(plan.columns)


def made_rows(rng: random.Random) -> list[Row]:
    return [
        (
            rng.choice(["a", "b", "a longer key than fits into one block of its row", None]),
            rng.randrange(2),
            time,
            rng.choice([None, *range(-3, 40)]),
        )
        for time in sorted(rng.randrange(100) for _ in range(ROWS))
    ]


def inside(window: Window | None, row: Row, result: dict[str, Any]) -> bool:
    if (row[0], row[1]) != (result["k0"], result["k1"]):
        return False
    if window is None:
        return True
    end = result["w1"] - (window.kind in (WindowKind.TUMBLE, WindowKind.HOP))
    return bool(result["w0"] <= row[2] <= end)


def values(rows: Sequence[Row]) -> Iterator[int]:
    return (row[3] for row in rows if row[3] is not None)


def pick(rng: random.Random) -> tuple[list[str], list[str]]:
    names = [*FUNCTIONS]
    return rng.sample(names, rng.randrange(1, len(names))), rng.sample(names, rng.randrange(1, len(names)))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("emit", [Emit.COMMIT, Emit.RECORD, Emit.FINAL])
@pytest.mark.parametrize("kind", WINDOWS)
def test_calls_that_stay_go_on_and_new_ones_begin(kind: str, emit: Emit, seed: int) -> None:
    window = WINDOWS[kind]
    if window is None and emit is Emit.FINAL:
        emit = Emit.COMMIT
    if emit is Emit.FINAL and window is not None:
        window = replace(window, grace=200)
    rng = random.Random(f"{kind} {emit} {seed}")
    rows, (was, now) = made_rows(rng), pick(rng)
    if emit is Emit.FINAL:
        # Closes every window.
        rows.append(("end", 0, 10_000, 1))
    cut = rng.randrange(len(rows))
    # Whether results come at commits or at records is not kept.
    earlier = rng.choice([Emit.COMMIT, Emit.RECORD]) if emit is not Emit.FINAL else emit
    old, new = operator(was, window, earlier), operator(now, window, emit)
    before = Run.of(old)
    before.take(rows[:cut])
    calls = [was.index(name) if name in was else None for name in now]
    migration = _native.Migration(*sides(old), *sides(new), calls)
    after = Run.of(new, *migration.convert(*before.entries()))
    results: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in after.take(rows[cut:]):
        place = (row["k0"], row["k1"], row.get("w0"), row.get("w1"))
        results.pop(place, None)
        if row["_op"] > 0:
            results[place] = row
    assert results or cut == len(rows)
    for result in results.values():
        for number, name in enumerate(now):
            counted = rows if name in was else rows[cut:]
            mine = [row for row in counted if inside(window, row, result)]
            assert result[f"a{number}"] == FUNCTIONS[name].expected([*values(mine)]), (name, result)


def test_the_entries_are_those_of_the_new_version_and_no_others() -> None:
    """What a removed call has left behind is gone, also where it had entries of its own."""
    rows = made_rows(random.Random(7))
    old = operator(["distinct", "sum", "unique"], None)
    before = Run.of(old)
    before.take(rows)
    new = operator(["unique"], None)
    keys, _ = _native.Migration(*sides(old), *sides(new), [2]).convert(*before.entries())
    alone = Run.of(new)
    alone.take(rows)
    assert {*keys.to_pylist()} == {*alone.entries()[0].to_pylist()}


def test_entries_that_are_gone_stay_so() -> None:
    old, new = operator(["sum", "distinct"], None), operator(["distinct"], None)
    before = Run.of(old)
    before.take(made_rows(random.Random(3)))
    keys, found = before.entries()
    migration = _native.Migration(*sides(old), *sides(new), [1])
    nothing = pa.array([None] * len(found), pa.binary())
    converted = migration.convert(keys, nothing)
    assert converted[0].to_pylist() == migration.convert(keys, found)[0].to_pylist()
    assert converted[1].null_count == len(converted[1])


def test_what_differs_in_more_than_calls_is_refused() -> None:
    old = operator(["sum"], WINDOWS["tumble"])
    for new in (
        operator(["sum"], WINDOWS["hop"]),
        operator(["sum"], None),
        operator(["sum"], WINDOWS["tumble"], Emit.FINAL),
    ):
        with pytest.raises(ValueError, match="more than calls"):
            _native.Migration(*sides(old), *sides(new), [0])
    with pytest.raises(ValueError, match="said to be the same"):
        _native.Migration(*sides(old), *sides(operator(["mean"], WINDOWS["tumble"])), [0])


def test_bytes_that_are_no_state_are_told() -> None:
    old, new = operator(["sum"], None), operator(["sum", "mean"], None)
    migration = _native.Migration(*sides(old), *sides(new), [0, None])
    for key, value in ((b"gkey", b""), (b"gkey", b"\x03"), (b"Gkey", b"\x01")):
        with pytest.raises(_native.DamagedStateError):
            migration.convert(pa.array([key], pa.binary()), pa.array([value], pa.binary()))
