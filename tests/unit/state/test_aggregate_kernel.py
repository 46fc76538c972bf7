"""Aggregates without windows: the native kernel beside a plain oracle and beside DuckDB, over calls, rows and interruptions
that Hypothesis makes."""

from __future__ import annotations

import json
import math
import struct
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace._native import Kernel, LocalStore
from headrace.plan.operators import Emit, RowKind
from headrace.planner.connection import connection
from tests.unit.formats.decoding import examples
from tests.unit.state.aggregate_oracle import Call, Near, Row, comparable, shown
from tests.unit.state.aggregate_runs import (
    COLUMNS,
    NAMES,
    PARTITIONS,
    STORE,
    Change,
    Epoch,
    Machine,
    Program,
    calls,
    changes,
    runs,
)
from tests.unit.state.kept import LEADING

if TYPE_CHECKING:
    from collections.abc import Sequence


@settings(max_examples=examples(75), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(runs())
def test_the_kernel_gives_what_the_oracle_gives(run: tuple[Program, list[Epoch]]) -> None:
    program, epochs = run
    machine = Machine(program)
    for epoch in epochs:
        machine.run(epoch)
    for partition in range(PARTITIONS):
        assert machine.stored(partition) == machine.oracle.final(partition)


def column(name: str) -> int:
    return NAMES.index(name)


def row(
    key: Any, op: RowKind = RowKind.INSERT, *, seq: int = 0, time: int = 0, partition: int = 0, **values: Any
) -> Row:
    return Row(partition, seq, time, op, (key,), tuple(values.get(name) for name in NAMES))


def outcomes(program: Program, *rows: Row) -> list[tuple[RowKind, Any]]:
    """Run rows with a flush at the end, and give the kinds and values of what comes out."""
    machine = Machine(program)
    given = [machine.process([(one,) for one in rows]).rows, machine.kernel.flush()]
    return [
        (result.op, result.values)
        for batch in given
        for results in machine.program.results(batch).values()
        for result in results
    ]


@pytest.mark.parametrize("emit", [Emit.COMMIT, Emit.RECORD])
def test_a_sum_that_does_not_fit_refuses_the_row_whole(emit: Emit) -> None:
    long = column("long")
    program = Program(
        (Call("COUNT", None), Call("SUM", long), Call("AVG", long), Call("SUM", long, distinct=True)),
        emit=emit,
    )
    machine = Machine(program)
    values = [2**63 - 1, 1, -5, 6, None, -(2**63), -(2**63)]
    rows = [(row(1, long=value, seq=seq, time=seq),) for seq, value in enumerate(values)]
    machine.run(Epoch(tuple(rows), cut=3, restart="store"))
    machine.run(Epoch(tuple((row(1, long=value, seq=10),) for value in (-(2**63), 1, 5))))
    processed = machine.process([(row(1, long=2**63 - 1, seq=20),), (row(1, long=2**63 - 1, seq=21),)])
    assert [failure[:2] for failure in processed.failed] == [(0, 1)]
    assert "64-bit" in processed.failed[0][2]


def test_a_row_that_fails_touches_no_group() -> None:
    program = Program((Call("SUM", column("long")),))
    machine = Machine(program)
    machine.run(Epoch(((row(1, long=2**63 - 1),),)))
    assert len(machine.process([(row(1, long=1, seq=1, time=9),)]).failed) == 1
    assert machine.kernel.flush().num_rows == 0
    assert machine.process([(row(1, long=-1, seq=2, time=5),), (row(1, long=2, seq=3, time=9),)]).failed[0][
        :2
    ] == (0, 1)
    flushed = machine.kernel.flush()
    assert flushed.column("_time").to_pylist() == [5]


def test_a_decimal_sum_that_does_not_fit_refuses_the_row() -> None:
    wide = pa.decimal128(38, 2)
    schema = pa.schema([*LEADING, ("v0", wide)])
    spec = {
        "store": STORE,
        "kernel": "aggregate",
        "keys": 0,
        "inputs": ["append"],
        "emit": "record",
        "retracts": False,
    }
    call = {"function": "SUM", "arguments": [0]}
    kernel = Kernel(json.dumps(spec | {"calls": [call]}), [schema], pa.schema([*LEADING, ("a0", wide)]))
    store = LocalStore(None)
    store.begin(STORE, "fingerprint")
    kernel.open(0, store)
    largest = Decimal("9" * 36 + ".99")
    values = [largest, Decimal("-0.02"), Decimal("0.03"), Decimal("0.01")]
    columns = [[0] * 4, range(4), [0] * 4, [1] * 4, values]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    processed = kernel.process([pa.record_batch(arrays, schema=schema)])
    given = processed.rows.column("a0").to_pylist()
    assert given == [largest, Decimal("9" * 36 + ".97"), Decimal("9" * 36 + ".98")]
    assert [failure[:2] for failure in processed.failed] == [(0, 2)]
    assert "38 digits" in processed.failed[0][2]


def test_distinct_tells_only_coming_and_going() -> None:
    rows = [
        row(1),
        row(1, seq=1),
        row(1, RowKind.DELETE, seq=2),
        row(2, seq=3),
        row(1, RowKind.DELETE, seq=4),
    ]
    table = Program((), table=True, emit=Emit.RECORD)
    assert [op for op, _ in outcomes(table, *rows)] == [RowKind.INSERT, RowKind.INSERT, RowKind.DELETE]
    assert [op for op, _ in outcomes(Program((), table=True), *rows)] == [RowKind.INSERT]


def test_a_retraction_before_its_row_waits_for_it() -> None:
    calls = (Call("COUNT", None), Call("MAX", column("long")), Call("SUM", column("double")))
    program = Program(calls, table=True, emit=Emit.RECORD)
    given = outcomes(
        program,
        row(1, RowKind.DELETE, long=3, double=1.5),
        row(1, seq=1, long=3, double=1.5),
        row(1, seq=2, long=2, double=math.inf),
        row(1, RowKind.DELETE, seq=3, long=9, double=4.0),
    )
    assert given == [(RowKind.INSERT, (1, 2, shown(math.inf))), (RowKind.DELETE, None)]


def test_an_update_within_a_group_is_one_change() -> None:
    program = Program(
        (Call("COUNT", None), Call("SUM", column("long"))), table=True, emit=Emit.RECORD, retracts=True
    )
    before, after = row(1, RowKind.UPDATE_BEFORE, seq=1, long=1), row(1, RowKind.UPDATE_AFTER, seq=1, long=5)
    assert outcomes(program, row(1, long=1), before, after) == [
        (RowKind.INSERT, (1, 1)),
        (RowKind.UPDATE_BEFORE, (1, 1)),
        (RowKind.UPDATE_AFTER, (1, 5)),
    ]


def test_a_group_that_comes_and_goes_between_flushes_is_never_told() -> None:
    program = Program((Call("COUNT", None),), table=True, retracts=True)
    assert outcomes(program, row(1), row(1, RowKind.DELETE, seq=1)) == []


def test_a_sum_over_a_table_that_cannot_be_given_is_right_again_later() -> None:
    long = column("long")
    calls = (Call("SUM", long), Call("COUNT", None), Call("MAX", long), Call("SUM", long, distinct=True))
    for emit in (Emit.COMMIT, Emit.RECORD):
        for retracts in (False, True):
            machine = Machine(Program(calls, table=True, emit=emit, retracts=retracts))
            large, small = row(1, seq=0, long=2**63 - 1), row(1, seq=1, time=1, long=1)
            machine.run(Epoch(((large,), (small,)), cut=1, restart="store"))
            assert machine.stored(0) == {}
            machine.run(Epoch(((replace(small, seq=2, op=RowKind.DELETE),),), restart="changelog"))
            assert machine.stored(0) == {(1,): (2**63 - 1, 1, 2**63 - 1, 2**63 - 1)}
            machine.run(Epoch(((row(1, seq=3, long=-5),),)))
            assert machine.stored(0) == {(1,): (2**63 - 6, 2, 2**63 - 1, 2**63 - 6)}


@pytest.mark.parametrize("through_topic", [False, True])
@pytest.mark.parametrize("emit", [Emit.COMMIT, Emit.RECORD])
def test_only_the_whole_of_an_update_over_a_table_may_be_too_large(emit: Emit, through_topic: bool) -> None:
    program = Program((Call("SUM", column("long")),), table=True, emit=emit)
    machine = Machine(program)
    values = [2**63 - 1, 5, -5]
    rows = [(row(1, seq=seq, long=value),) for seq, value in enumerate(values)]
    assert [failure[:2] for failure in machine.process(rows).failed] == [(0, 1)]
    machine.kernel.flush()
    # Between these two the sum is too large, and nobody asks for it.
    gone, came = row(1, RowKind.UPDATE_BEFORE, seq=3, long=-5), row(1, RowKind.UPDATE_AFTER, seq=3, long=-6)
    if through_topic:
        gone, came = replace(gone, op=RowKind.DELETE), replace(came, op=RowKind.INSERT, seq=4)
    processed = machine.process([(gone, came)])
    assert processed.failed == []
    out = processed.rows if emit is Emit.RECORD else machine.kernel.flush()
    assert out.column("a0").to_pylist()[-1] == 2**63 - 2


@pytest.mark.parametrize(
    ("gone", "kept", "expected"),
    [
        ([1e16], [1.0, 0.1], (1.1, 0.55, 0.40499999999999997, 0.6363961030678927)),
        ([1000000000.1], [2.5, 2.75], (5.25, 2.625, 0.03125, 0.1767766952966369)),
        ([1e308, 1e308], [2.0], (2.0, 2.0, None, None)),
        ([0.1, 0.2], [0.0], (0.0, 0.0, None, None)),
        ([math.inf, -math.inf, math.nan, 1e308, -1e308, 5e-324], [0.5], (0.5, 0.5, None, None)),
    ],
)
def test_doubles_that_are_taken_away_leave_no_trace(
    gone: list[float], kept: list[float], expected: tuple[float | None, ...]
) -> None:
    calls = tuple(Call(name, column("double")) for name in ("SUM", "AVG", "VARIANCE", "STDDEV"))
    program = Program(calls, table=True)
    for values in ([*gone, *kept], [*kept, *gone]):
        machine = Machine(program)
        machine.run(Epoch(tuple((row(1, double=value),) for value in values), restart="store"))
        machine.run(Epoch(tuple((row(1, RowKind.DELETE, double=value),) for value in gone)))
        assert machine.stored(0) == {(1,): tuple(map(shown, expected))}


@settings(max_examples=examples(50), deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=12), st.data())
def test_sums_of_doubles_over_a_table_have_no_history(values: list[float], data: st.DataObject) -> None:
    """What is left has the results, and the bytes, that it would have if nothing else had ever been."""
    calls = tuple(
        Call(name, column("double"), distinct=distinct)
        for name in ("SUM", "AVG", "VAR_POP", "STDDEV")
        for distinct in (False, True)
    )
    order = data.draw(st.permutations(range(len(values))))
    gone = order[: data.draw(st.integers(0, len(values)))]
    kept = [value for index, value in enumerate(values) if index not in gone]
    entries = []
    for come, go in ((values, [values[index] for index in gone]), (kept, [])):
        machine = Machine(Program(calls, table=True))
        machine.run(Epoch((*((row(1, double=value),) for value in come), (row(1),))))
        machine.run(Epoch(tuple((row(1, RowKind.DELETE, double=value),) for value in go)))
        assert machine.stored(0) == machine.oracle.final(0)
        entries.append(machine.kept.stores[0].entries(STORE, None, 10)[1].to_pylist())
    assert entries[0] == entries[1]


def test_infinities_that_are_taken_away_leave_the_sum_that_was() -> None:
    program = Program((Call("SUM", column("double")), Call("AVG", column("double"))), table=True)
    rows = [row(1, double=1.5), row(1, double=math.inf), row(1, double=math.nan)]
    gone = [row(1, RowKind.DELETE, double=math.nan), row(1, RowKind.DELETE, double=math.inf)]
    assert outcomes(program, *rows, *gone) == [(RowKind.INSERT, (shown(1.5), shown(1.5)))]


def approximate(
    function: str, name: str, values: Sequence[Any], result: pa.DataType, parameter: str | None = None
) -> Any:
    """Give what an approximate function says of values, and the same after a restart in the middle."""
    call = {"function": function, "arguments": [0], "parameter": parameter}
    spec = {
        "store": STORE,
        "kernel": "aggregate",
        "keys": 0,
        "inputs": ["append"],
        "emit": "commit",
        "retracts": False,
    }
    schema = pa.schema([*LEADING, ("v0", COLUMNS[name][0])])
    output = pa.schema([*LEADING, ("a0", result)])
    store = LocalStore(None)
    store.begin(STORE, "fingerprint")
    half = len(values) // 2
    for position, part in enumerate((values[:half], values[half:])):
        kernel = Kernel(json.dumps(spec | {"calls": [call]}), [schema], output)
        kernel.open(0, store)
        ones = [
            pa.array([number] * len(part), type_)
            for number, (_, type_) in zip((0, 0, 0, 1), LEADING, strict=True)
        ]
        kernel.process([pa.record_batch([*ones, pa.array(part, schema.field("v0").type)], schema=schema)])
        found = kernel.flush().column("a0").to_pylist()
        kernel.changes()
        kernel.committed({0: position})
    return found[0]


@pytest.mark.parametrize("count", [100, 3_000, 30_000])
def test_approximate_counts_are_near(count: int) -> None:
    values = [number % count for number in range(count * 2)]
    assert approximate("APPROX_COUNT_DISTINCT", "long", values, pa.int64()) == pytest.approx(count, rel=0.03)
    texts = [f"text {number % count}" for number in range(count + 10)]
    assert approximate("APPROX_COUNT_DISTINCT", "text", texts, pa.int64()) == pytest.approx(count, rel=0.03)


@pytest.mark.parametrize("quantile", ["0", "0.5", "0.99", "1"])
def test_approximate_quantiles_are_near(quantile: str) -> None:
    values = [((number * 7919) % 10_007) - 100.0 for number in range(10_007)]
    exact = sorted(values)[int(float(quantile) * (len(values) - 1))]
    assert approximate("APPROX_QUANTILE", "double", values, pa.float64(), quantile) == pytest.approx(
        exact, rel=0.02
    )
    whole = [int(value) for value in values]
    assert approximate("APPROX_QUANTILE", "long", whole, pa.int64(), quantile) == pytest.approx(
        exact, rel=0.02
    )
    decimals = [Decimal(number) for number in whole]
    found = approximate("APPROX_QUANTILE", "decimal", decimals, pa.decimal128(10, 2), quantile)
    assert float(found) == pytest.approx(exact, rel=0.02)


DUCKDB = {
    "COUNT": "count({d}{x}) {f}",
    "SUM": "sum({d}{x}) {f}",
    "AVG": "avg({d}{x}) {f}",
    "STDDEV": "stddev_samp({d}{x}) {f}",
    "STDDEV_POP": "stddev_pop({d}{x}) {f}",
    "VARIANCE": "var_samp({d}{x}) {f}",
    "VAR_POP": "var_pop({d}{x}) {f}",
    "MIN": "min({x}) {f}",
    "MAX": "max({x}) {f}",
    "FIRST": "arg_min({x}, _seq) {f}",
    "LAST": "arg_max({x}, _seq) {f}",
    "BOOL_AND": "bool_and({x}) {f}",
    "BOOL_OR": "bool_or({x}) {f}",
    "STRING_AGG": "string_agg({x}, '{p}' ORDER BY _seq) {f}",
    "COLLECT": "list({x} ORDER BY _seq) {fn}",
    "MAXK": "list({x} ORDER BY {x} DESC) {fn}",
    "MINK": "list({x} ORDER BY {x}) {fn}",
    "MAXK_UNIQUE": "list_reverse_sort(list(DISTINCT {x}) {fn})",
    "MINK_UNIQUE": "list_sort(list(DISTINCT {x}) {fn})",
}
"""How DuckDB says it: d is DISTINCT, x the column, f the filter, fn the filter without nulls, p the separator."""


def duckdb_call(call: Call) -> str:
    if call.column is None:
        return "count(*)" + (f" FILTER (WHERE v{call.filter})" if call.filter is not None else "")
    conditions = [f"v{call.filter}"] if call.filter is not None else []
    present = " AND ".join([*conditions, f"v{call.column} IS NOT NULL"])
    text = DUCKDB[call.function].format(
        d="DISTINCT " if call.distinct else "",
        x=f"v{call.column}",
        f=f"FILTER (WHERE {conditions[0]})" if conditions else "",
        fn=f"FILTER (WHERE {present})",
        p=call.parameter,
    )
    return f"({text})[1:{call.limit}]" if call.limit is not None else text


@st.composite
def duckdb_runs(draw: st.DrawFn) -> tuple[Program, list[Change]]:
    known = calls(table=False).filter(
        lambda call: (
            call.function in DUCKDB
            and call.result_scale is None
            and call.column != column("huge")  # its sums end a query of DuckDB
            and not (call.distinct and call.function in {"STRING_AGG", "COLLECT", "MAXK"})
        )
    )
    program = Program(tuple(draw(st.lists(known, min_size=1, max_size=4))), ("text",))
    rows = draw(changes(program))
    return program, rows


@settings(max_examples=examples(30), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(duckdb_runs())
def test_final_states_over_streams_are_those_of_duckdb(run: tuple[Program, list[Change]]) -> None:
    program, changes = run
    rows = [replace(change[0], partition=0) for change in changes]
    machine = Machine(program)
    machine.process([(row,) for row in rows])
    given = pa.table(machine.kernel.flush()).drop([name for name, _ in LEADING])
    with connection() as duck:
        duck.register("rows", pa.table(program.batch(rows)))
        results = "".join(f", {duckdb_call(call)} AS a{index}" for index, call in enumerate(program.calls))
        query = f"SELECT k0{results} FROM rows WHERE k0 IS NOT NULL GROUP BY k0"
        expected = duck.sql(query).to_arrow_table()
    assert by_key(program, given) == by_key(program, expected)


def by_key(program: Program, table: pa.Table) -> dict[Any, list[Any]]:
    """Give the results of each key; what is summed or divided in another order need only be near."""
    near = [
        call.function in {"SUM", "AVG"} or call.function.startswith(("STDDEV", "VAR"))
        for call in program.calls
    ]

    def value(found: Any, is_near: bool) -> Any:
        return Near(float(found)) if is_near and found is not None else comparable(found)

    rows = zip(*(column.to_pylist() for column in table.columns), strict=True)
    return {key: [value(*pair) for pair in zip(values, near, strict=True)] for key, *values in rows}


def test_equal_state_has_equal_bytes() -> None:
    """The changelog of one program is the same wherever it runs."""
    program = Program((Call("COUNT", column("long"), distinct=True), Call("SUM", column("double"))))
    entries = []
    for order in ([1, 2, 3], [3, 2, 1]):
        machine = Machine(program)
        machine.process([(row(7, long=value, double=0.5),) for value in order])
        machine.kernel.flush()
        entries.append(machine.kernel.changes().select(["key", "value"]).to_pylist())
    assert entries[0] == entries[1]
    assert struct.pack("<d", 1.5) in entries[0][0]["value"]
