"""State of one key that is large: what changes is written, and nothing else; and it comes back whole."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from headrace.plan.operators import Emit, RowKind, Window, WindowKind
from tests.unit.state import aggregate_runs, window_runs
from tests.unit.state.aggregate_oracle import Call, Row
from tests.unit.state.window_oracle import Row as WindowRow

if TYPE_CHECKING:
    from collections.abc import Iterable

MANY = 3_000
LONG = aggregate_runs.NAMES.index("long")
OVER_TABLES = [
    Call("COUNT", LONG, distinct=True),
    Call("SUM", LONG, distinct=True),
    Call("MAX", LONG),
    Call("TOPK", LONG, limit=2),
    Call("MINK_UNIQUE", LONG, limit=2),
]
OVER_STREAMS = [Call("COUNT", LONG, distinct=True), Call("COLLECT", LONG), Call("COLLECT_UNIQUE", LONG)]


def rows(values: Iterable[int], start: int, op: RowKind = RowKind.INSERT) -> list[tuple[Row]]:
    nothing = (None,) * len(aggregate_runs.NAMES)
    return [
        (Row(0, start + seq, 0, op, (1,), (*nothing[:LONG], value, *nothing[LONG + 1 :])),)
        for seq, value in enumerate(values)
    ]


def committed(machine: aggregate_runs.Machine | window_runs.Machine) -> tuple[int, int]:
    """Commit; gives how many entries that wrote, and the bytes of the largest one."""
    changes = machine.kernel.changes()
    sizes = [
        len(key.as_py()) + len(value.as_py() or b"") for key, value in zip(*changes.columns[1:3], strict=True)
    ]
    machine.commit()
    return len(sizes), max(sizes)


@pytest.mark.parametrize("call", OVER_TABLES, ids=lambda call: call.function)
def test_a_change_of_a_large_set_writes_a_few_small_entries(call: Call) -> None:
    program = aggregate_runs.Program((call,), table=True)
    machine = aggregate_runs.Machine(program)
    machine.process(rows(range(MANY), 0))
    machine.kernel.flush()
    assert committed(machine)[0] == MANY + 1
    for restores in (False, True):
        if restores:
            machine.restore()
        machine.open()
        machine.process(rows([MANY, MANY], 2 * MANY))
        machine.process(rows([MANY, MANY], 3 * MANY, RowKind.DELETE))
        machine.process(rows([5], 4 * MANY))
        machine.kernel.flush()
        entries, largest = committed(machine)
        assert entries <= 3
        assert largest < 100
    whole = [row.values for (row,) in rows([*range(MANY), 5, 5, 5], 0)]
    (found,) = machine.stored(0).values()
    machine.oracle.tasks = {}
    machine.oracle.process([Row(0, 0, 0, RowKind.INSERT, (1,), whole[0])])
    machine.oracle.tasks[0].groups[1,] = whole
    assert {(1,): found} == machine.oracle.final(0)


@pytest.mark.parametrize("call", OVER_STREAMS, ids=lambda call: call.function)
def test_a_large_set_over_a_stream_comes_back_in_its_order(call: Call) -> None:
    machine = aggregate_runs.Machine(aggregate_runs.Program((call,)))
    values = [(number * 7) % MANY for number in range(MANY)]
    for part in (values[: MANY // 2], values[MANY // 2 :]):
        machine.process(rows(part, 0))
        machine.kernel.flush()
        assert committed(machine)[1] < 100
        machine.restore()
        machine.open()
    (found,) = machine.stored(0).values()
    assert found == ((MANY if call.function == "COUNT" else tuple(values)),)


def test_a_large_group_that_goes_leaves_nothing_behind() -> None:
    machine = aggregate_runs.Machine(aggregate_runs.Program((OVER_TABLES[0],), table=True))
    for op in (RowKind.INSERT, RowKind.DELETE, RowKind.INSERT):
        machine.process(rows(range(500), 0, op))
        machine.kernel.flush()
        machine.commit()
        if op is RowKind.DELETE:
            assert len(machine.kept.stores[0].entries(aggregate_runs.STORE, None, 10)[0]) == 0
    assert machine.stored(0) == {(1,): (500,)}


def row(time: int, value: int, *, seq: int | None = None) -> WindowRow:
    return WindowRow(0, time if seq is None else seq, time, (1,), (value, *(None,) * 5))


@pytest.mark.parametrize("kind", [WindowKind.SESSION, WindowKind.SLIDE], ids=lambda kind: kind.value)
def test_a_row_of_a_key_with_many_windows_writes_a_few_small_entries(kind: WindowKind) -> None:
    machine = window_runs.Machine(window_runs.Program(Window(kind, 2, grace=10**6)))
    machine.run(window_runs.Epoch(tuple(row(10 * number, 1) for number in range(300))))
    machine.restore()
    machine.open()
    events = (row(1501, 2, seq=10_000), row(1701, 2, seq=10_001))
    machine.step(events, 10)
    machine.flush()
    entries, largest = committed(machine)
    assert entries <= 6
    assert largest < 100


HOP = Window(WindowKind.HOP, 10, grace=100, advance=5)
WINDOWS = [HOP, Window(WindowKind.SLIDE, 10, grace=100), Window(WindowKind.SESSION, 10, grace=100)]


def latest(program: window_runs.Program, *given: WindowRow) -> tuple[dict[tuple[int, int], Any], list[int]]:
    """Give the last result of each window that is there, and the rows that had no effect."""
    machine = window_runs.Machine(program)
    found = machine.kernel.process([program.batch(given)])
    kept: dict[tuple[int, int], Any] = {}
    results = program.results(found.rows).get(0, [])
    results += program.results(machine.kernel.flush()).get(0, [])
    results += program.results(machine.kernel.advance(0, 1000).rows).get(0, [])
    for result in results:
        kept[result.bounds] = result.values
    return kept, [number for _, number, _ in found.failed]


@pytest.mark.parametrize("window", WINDOWS, ids=lambda window: window.kind.value)
@pytest.mark.parametrize("emit", Emit)
def test_first_and_last_go_by_arrival_whatever_the_times(window: Window, emit: Emit) -> None:
    calls = tuple(Call(function, window_runs.LONG) for function in ("FIRST", "LAST", "COLLECT"))
    program = window_runs.Program(window, emit, calls=calls)
    found, _ = latest(program, row(9, 1), row(3, 2, seq=10), row(6, 3, seq=11))
    bounds = {WindowKind.HOP: (0, 10), WindowKind.SLIDE: (0, 10), WindowKind.SESSION: (3, 9)}[window.kind]
    assert found[bounds] == (1, 3, (1, 2, 3))


@pytest.mark.parametrize("window", WINDOWS, ids=lambda window: window.kind.value)
@pytest.mark.parametrize("emit", Emit)
@pytest.mark.parametrize("distinct", [False, True])
def test_a_sum_that_overflows_only_over_a_whole_window_refuses_the_row(
    window: Window, emit: Emit, distinct: bool
) -> None:
    call = Call("SUM", window_runs.LONG, distinct=distinct)
    half = 2**62
    given = (row(3, half), row(8, half + 1, seq=8), row(9, -5, seq=9), row(9, 7, seq=10), row(4, 3, seq=11))
    found, failed = latest(window_runs.Program(window, emit, calls=(call,)), *given)
    assert failed == [1]
    bounds = {WindowKind.HOP: (0, 10), WindowKind.SLIDE: (0, 10), WindowKind.SESSION: (3, 9)}[window.kind]
    assert found[bounds] == (half + 5,)


@pytest.mark.parametrize("window", WINDOWS[:2], ids=lambda window: window.kind.value)
def test_sums_that_are_large_are_remembered_across_a_restart(window: Window) -> None:
    program = window_runs.Program(replace(window, grace=100), calls=(Call("SUM", window_runs.LONG),))
    machine = window_runs.Machine(program)
    machine.run(window_runs.Epoch((row(3, 2**63 - 10),), restart="changelog"))
    found = machine.kernel.process([program.batch([row(8, 9), row(9, 1)])])
    assert [number for _, number, _ in found.failed] == [1]
