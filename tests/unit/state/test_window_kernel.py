"""Windowed aggregates: the native kernel beside a plain oracle, over windows, calls, rows and interruptions that Hypothesis
makes; and single behaviours by name."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace._native import Kernel
from headrace.plan.operators import Emit, RowKind, Window, WindowKind
from tests.unit.formats.decoding import examples
from tests.unit.state.aggregate_oracle import Call
from tests.unit.state.aggregate_runs import INLINE_BYTES
from tests.unit.state.kept import entries
from tests.unit.state.window_oracle import Row
from tests.unit.state.window_runs import (
    DECIMAL,
    DOUBLE,
    FLAG,
    LIST,
    LONG,
    PARTITIONS,
    STORE,
    TEXT,
    Advance,
    Epoch,
    Event,
    Machine,
    Program,
)

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
CALLS = [
    Call("COUNT", None),
    Call("COUNT", None, filter=FLAG),
    Call("COUNT", LONG),
    Call("COUNT", LONG, distinct=True),
    Call("SUM", LONG),
    Call("SUM", LONG, distinct=True, filter=FLAG),
    Call("SUM", DECIMAL, scale=2),
    Call("SUM", DOUBLE),
    Call("AVG", DOUBLE),
    Call("AVG", LONG),
    Call("AVG", DECIMAL, scale=2),
    Call("STDDEV", LONG),
    Call("VAR_POP", DOUBLE),
    Call("MIN", TEXT),
    Call("MAX", LONG, filter=FLAG),
    Call("MAX", DOUBLE),
    Call("MIN", DECIMAL),
    Call("FIRST", TEXT),
    Call("LAST", DOUBLE),
    Call("LAST", LIST),
    Call("ANYF", LONG, filter=FLAG),
    Call("COLLECT", LONG, limit=3),
    Call("COLLECT", LIST),
    Call("COLLECT_UNIQUE", TEXT, limit=2),
    Call("MAXK", LONG, limit=2),
    Call("MAXK_UNIQUE", DOUBLE, limit=2),
    Call("MINK", DECIMAL, limit=3),
    Call("MINK_UNIQUE", TEXT, limit=1),
    Call("TOPK", TEXT, limit=2),
    Call("BOTTOMK", LONG, limit=2),
    Call("STRING_AGG", TEXT, parameter="/"),
    Call("STRING_AGG", TEXT, parameter="", distinct=True),
    Call("BOOL_AND", FLAG),
    Call("BOOL_OR", FLAG),
]


@st.composite
def windows(draw: st.DrawFn) -> Window:
    kind = draw(st.sampled_from(WindowKind))
    grace = draw(st.sampled_from([0, 0, 3, 20]))
    if kind in {WindowKind.SESSION, WindowKind.SLIDE}:
        return Window(kind, draw(st.integers(0, 12)), grace)
    size = draw(st.integers(1, 12))
    advance = None
    if kind is WindowKind.HOP:
        advance = draw(st.integers(1, size))
    elif kind is WindowKind.CUMULATE:
        advance = draw(st.sampled_from([step for step in range(1, size + 1) if size % step == 0]))
    period = advance if kind is WindowKind.HOP and advance else size
    return Window(kind, size, grace, advance, draw(st.just(0) | st.integers(0, period - 1)))


@st.composite
def programs(draw: st.DrawFn) -> Program:
    emit = draw(st.sampled_from(Emit))
    return Program(
        window=draw(windows()),
        emit=emit,
        retracts=emit is not Emit.FINAL and draw(st.booleans()),
        keys=draw(st.integers(0, 2)),
        calls=tuple(draw(st.lists(st.sampled_from(CALLS), max_size=4))),
        inline_bytes=draw(INLINE_BYTES),
    )


def value_rows() -> st.SearchStrategy[tuple[Any, ...]]:
    return st.tuples(
        st.integers(-5, 5) | st.integers(-5, 5) | st.none() | st.sampled_from([2**63 - 1, 2**62, -(2**63)]),
        st.sampled_from(["", "x", "y", "z" * 30]) | st.none(),
        st.booleans() | st.none(),
        st.sampled_from([0.0, -0.0, 1.5, -2.25, math.nan, math.inf, -math.inf]) | st.none(),
        st.sampled_from([Decimal("0.25"), Decimal("-7.10"), Decimal("99999999.99")]) | st.none(),
        st.lists(st.integers(0, 1), max_size=2) | st.none(),
    )


@st.composite
def events(draw: st.DrawFn, keys: int) -> list[Event]:
    """Rows of several partitions, mostly forward in time, some far behind."""
    steps = st.integers(-12, 8) | st.integers(0, 3) | st.just(60)
    key = st.tuples(*(st.integers(0, 2) | st.none(), st.sampled_from("ab") | st.none())[:keys])
    drawn = draw(
        st.lists(
            st.tuples(st.integers(0, PARTITIONS - 1), steps, key, value_rows(), st.integers(0, 19)),
            max_size=40,
        )
    )
    time = [draw(st.integers(0, 30)) for _ in range(PARTITIONS)]
    found: list[Event] = []
    for seq, (partition, step, name, values, kind) in enumerate(drawn):
        at = max(0, time[partition] + step)
        if kind == 0:
            found.append(Advance(partition, at))
            continue
        time[partition] = max(time[partition], at)
        found.append(Row(partition, seq, at, name, values))
    return found


@st.composite
def epochs(draw: st.DrawFn, keys: int) -> list[Epoch]:
    all_events = draw(events(keys))
    ends = sorted({*draw(st.lists(st.integers(0, len(all_events)), max_size=4)), len(all_events)})
    found = []
    for start, end in zip([0, *ends], ends, strict=False):
        part = tuple(all_events[start:end])
        found.append(
            Epoch(
                part,
                cut=draw(st.sampled_from([1, 7, 1000])),
                flush=draw(st.none() | st.integers(0, len(part))),
                lost=draw(st.none() | st.integers(0, len(part))),
                crash=draw(st.booleans()),
                flushed=draw(st.booleans()),
                restart=draw(st.sampled_from(["none", "store", "changelog", "trim"])),
            )
        )
    return found


@settings(max_examples=examples(75), deadline=None, suppress_health_check=SLOW)
@given(st.data())
def test_windows_give_what_the_oracle_gives(data: st.DataObject) -> None:
    program = data.draw(programs())
    machine = Machine(program)
    for epoch in data.draw(epochs(program.keys)):
        machine.run(epoch)


TUMBLE = Window(WindowKind.TUMBLE, 10, grace=0)
HOP = Window(WindowKind.HOP, 10, grace=0, advance=5)
SESSION = Window(WindowKind.SESSION, 5, grace=0)
SLIDE = Window(WindowKind.SLIDE, 5, grace=0)


def row(time: int, value: int | None = 1, key: int | None = 1, partition: int = 0) -> Row:
    return Row(partition, time, time, (key,), (value, None, None, None, None, None))


class Run:
    """A kernel alone, with the results of one partition as short tuples."""

    def __init__(self, window: Window, emit: Emit = Emit.COMMIT, retracts: bool = False) -> None:
        self.program = Program(window, emit, retracts)
        self.machine = Machine(self.program)
        self.kernel = self.machine.kernel

    def rows(self, *rows: Row) -> list[tuple[Any, ...]]:
        return short(self.program, self.kernel.process([self.program.batch(rows)]).rows)

    def flush(self) -> list[tuple[Any, ...]]:
        return short(self.program, self.kernel.flush())


def short(program: Program, batch: pa.RecordBatch) -> list[tuple[Any, ...]]:
    """Give kind, bounds and values of each row."""
    found = program.results(batch).get(0, [])
    return [(RowKind(result.op).name, *result.bounds, *(result.values or ())) for result in found]


def test_a_window_takes_rows_from_its_start_to_right_before_its_end() -> None:
    run = Run(TUMBLE)
    run.rows(row(0), row(9), row(10))
    assert run.flush() == [("INSERT", 0, 10, 2, 2), ("INSERT", 10, 20, 1, 1)]


def test_a_row_is_late_once_stream_time_has_reached_end_and_grace() -> None:
    program = Program(replace(TUMBLE, grace=5))
    kernel = Machine(program).kernel
    found = kernel.process([program.batch([row(14), row(9), row(15), row(9), row(15)])])
    assert found.late[0].to_pylist() == [3]
    assert kernel.stats()["late"] == 1


def test_a_row_that_is_late_for_some_windows_counts_in_the_others() -> None:
    run = Run(HOP)
    run.rows(row(7), row(12), row(8))
    assert run.flush() == [("INSERT", 0, 10, 1, 1), ("INSERT", 5, 15, 3, 3), ("INSERT", 10, 20, 1, 1)]


def test_a_row_that_comes_when_some_of_its_windows_are_given_counts_in_those_that_follow() -> None:
    run = Run(replace(HOP, advance=2), Emit.FINAL)
    run.rows(row(1, 5), row(11, 7))
    assert run.rows(row(9, 20), row(12)) == [("INSERT", 2, 12, 2, 27)]
    found = run.rows(row(5, 9, key=2), row(15))
    assert found == [("INSERT", 4, 14, 3, 28), ("INSERT", 4, 14, 1, 9)]


@pytest.mark.parametrize("advance", [1, 2, 4, 7])
def test_sums_of_doubles_are_the_same_to_the_last_bit_however_they_are_given(advance: int) -> None:
    latest = []
    for emit in Emit:
        program = Program(Window(WindowKind.HOP, 10, 30, advance), emit, calls=(Call("SUM", DOUBLE),))
        kernel = Machine(program).kernel
        rows = [Row(0, time, time, (1,), (None, None, None, 0.1 * time, None, None)) for time in range(40)]
        results = program.results(kernel.process([program.batch(rows)]).rows).get(0, [])
        results += program.results(kernel.flush()).get(0, [])
        results += program.results(kernel.advance(0, 1000).rows).get(0, [])
        latest.append({result.bounds: result.values for result in results})
    assert latest[0] == latest[1] == latest[2]


def test_a_final_result_comes_with_the_row_that_closes_the_window() -> None:
    run = Run(TUMBLE, Emit.FINAL)
    assert run.rows(row(1), row(9)) == []
    assert run.rows(row(10)) == [("INSERT", 0, 10, 2, 2)]
    assert run.flush() == []
    assert run.rows(row(25), row(35)) == [("INSERT", 10, 20, 1, 1), ("INSERT", 20, 30, 1, 1)]


def test_old_results_are_those_of_the_last_flush() -> None:
    run = Run(TUMBLE, retracts=True)
    run.rows(row(1, 5))
    run.flush()
    run.rows(row(2, 6), row(3, 7))
    assert run.flush() == [("UPDATE_BEFORE", 0, 10, 1, 5), ("UPDATE_AFTER", 0, 10, 3, 18)]


def test_sessions_that_grow_together_are_deleted_before_the_one_that_takes_their_place() -> None:
    run = Run(replace(SESSION, grace=100), Emit.RECORD, retracts=True)
    assert run.rows(row(10, 1)) == [("INSERT", 10, 10, 1, 1)]
    assert run.rows(row(4, 2)) == [("INSERT", 4, 4, 1, 2)]
    assert run.rows(row(7, 4)) == [
        ("DELETE", 4, 4, 1, 2),
        ("DELETE", 10, 10, 1, 1),
        ("INSERT", 4, 10, 3, 7),
    ]
    assert run.rows(row(8, 8)) == [("UPDATE_BEFORE", 4, 10, 3, 7), ("UPDATE_AFTER", 4, 10, 4, 15)]


def test_a_session_that_was_never_given_is_not_deleted() -> None:
    run = Run(SESSION)
    run.rows(row(10), row(14), row(18))
    assert run.flush() == [("INSERT", 10, 18, 3, 3)]
    run.rows(row(20))
    assert run.flush() == [("DELETE", 10, 18), ("INSERT", 10, 20, 4, 4)]


def test_a_gap_joins_rows_that_are_exactly_that_far_apart() -> None:
    run = Run(SESSION)
    run.rows(row(0), row(5), row(11))
    assert run.flush() == [("INSERT", 0, 5, 2, 2), ("INSERT", 11, 11, 1, 1)]


def test_sliding_windows_end_at_rows_or_begin_right_after_them() -> None:
    run = Run(replace(SLIDE, grace=100), Emit.RECORD)
    assert run.rows(row(10)) == [("INSERT", 5, 10, 1, 1)]
    assert run.rows(row(13)) == [("INSERT", 8, 13, 2, 2), ("INSERT", 11, 16, 1, 1)]
    assert run.rows(row(3)) == [("INSERT", 0, 5, 1, 1)]


def test_the_earliest_rows_share_the_sliding_window_that_begins_at_zero() -> None:
    run = Run(SLIDE)
    run.rows(row(1), row(3), row(5))
    assert ("INSERT", 0, 5, 3, 3) in run.flush()


@pytest.mark.parametrize("window", [TUMBLE, HOP, SESSION, SLIDE], ids=lambda window: window.kind.value)
@pytest.mark.parametrize("emit", Emit)
def test_closed_windows_leave_nothing_behind(window: Window, emit: Emit) -> None:
    machine = Machine(Program(window, emit))
    machine.run(Epoch(tuple(row(time, key=key) for time in range(0, 40, 3) for key in range(5))))
    assert machine.kernel.stats()["entries"] > 0
    machine.run(Epoch((Advance(0, 1000),)))
    assert machine.kernel.stats()["entries"] == 0
    assert {key for key in entries(machine.kept.stores[0], STORE) if key} <= {b"\0time", b"c", b"a", b"l"}


@pytest.mark.parametrize("window", [TUMBLE, HOP, SESSION, SLIDE], ids=lambda window: window.kind.value)
def test_entries_of_the_store_are_shown_as_rows(window: Window) -> None:
    machine = Machine(Program(window))
    machine.run(Epoch((row(6, 2), row(7, 3), row(7, 4, key=2))))
    keys, values = machine.kept.stores[0].entries(STORE, None, 100)
    shown = machine.kernel.decode(keys, values)
    assert shown.schema == pa.schema(list(machine.program.output())[4:])
    sums = dict.fromkeys((1, 2), 0)
    for entry in shown.to_pylist():
        sums[entry["k0"]] += entry["a1"]
    assert sums == {1: 5, 2: 4}


@pytest.mark.parametrize("window", [TUMBLE, HOP, SESSION, SLIDE], ids=lambda window: window.kind.value)
@pytest.mark.parametrize("emit", Emit)
def test_a_row_that_makes_a_sum_overflow_has_no_effect(window: Window, emit: Emit) -> None:
    program = Program(replace(window, grace=100), emit)
    kernel = Machine(program).kernel
    first = program.results(kernel.process([program.batch([row(7, 2**63 - 1), row(8, 5, key=2)])]).rows)
    found = kernel.process([program.batch([row(7, 1), row(7, 9, key=3), row(7, 1)])])
    assert [(number, reason.split(":")[0]) for _, number, reason in found.failed] == [(0, "SUM"), (2, "SUM")]
    results = [*first.get(0, []), *program.results(found.rows).get(0, [])]
    results += program.results(kernel.flush()).get(0, [])
    results += program.results(kernel.advance(0, 1000).rows).get(0, [])
    latest = {(result.key, result.bounds): result.values for result in results}
    assert {(key, values) for (key, _), values in latest.items()} == {
        ((1,), (1, 2**63 - 1)),
        ((2,), (1, 5)),
        ((3,), (1, 9)),
    }


@pytest.mark.parametrize(
    ("window", "message"),
    [
        (Window(WindowKind.TUMBLE, 0, 0), "size above zero"),
        (Window(WindowKind.HOP, 5, 0, 6), "advance up to its size"),
        (Window(WindowKind.TUMBLE, 5, -1), "grace of at least zero"),
        (Window(WindowKind.SESSION, -1, 0), "gap and a grace"),
        (Window(WindowKind.SLIDE, 1, -1), "size and a grace"),
    ],
)
def test_windows_that_cannot_be_are_refused(window: Window, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Program(window).kernel()


@pytest.mark.parametrize("changes", ["upsert", "retract"])
def test_windows_of_tables_are_refused(changes: str) -> None:
    program = Program(TUMBLE)
    spec = program.spec().replace('"append"', f'"{changes}"')
    with pytest.raises(ValueError, match="windows are of streams"):
        Kernel(spec, [program.input()], program.output())


def test_results_that_wait_must_be_flushed_before_changes_are_asked_for() -> None:
    run = Run(TUMBLE)
    run.rows(row(1))
    with pytest.raises(ValueError, match="flush before a commit"):
        run.kernel.changes()


def test_an_entry_that_is_cut_off_is_damage() -> None:
    for window in (TUMBLE, SESSION, SLIDE):
        machine = Machine(Program(window))
        machine.run(Epoch((row(6),)))
        keys, values = machine.kept.stores[0].entries(STORE, None, 100)
        cut = pa.array([value[:-1] if value else value for value in values.to_pylist()], pa.binary())
        with pytest.raises(RuntimeError):
            machine.kernel.decode(keys, cut)
