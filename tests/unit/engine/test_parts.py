from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pytest

from headrace.engine import query
from headrace.engine.assembly import Assembly, conform
from headrace.engine.faults import Fault, Stage, isolate
from headrace.engine.positions import Positions
from headrace.engine.query import InputRelation
from headrace.engine.waiting import ServiceWatch
from headrace.log.interface import TopicPartition
from headrace.log.records import RECORDS
from headrace.plan.topology import ErrorPolicy, OutputColumn, RunSettings
from headrace.planner.connection import connection
from headrace.telemetry import Metrics

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.mark.parametrize("bad", [set(), {0}, {9}, {3, 4, 9}, set(range(10))])
def test_isolation_finds_exactly_the_bad_rows_and_keeps_the_order(bad: set[int]) -> None:
    found: list[int] = []

    def run(batch: pa.RecordBatch) -> list[int]:
        values = [value for value in batch.column(0).to_pylist() if value is not None]
        if bad & set(values):
            raise ValueError
        return values

    batch = pa.record_batch({"n": pa.array(range(10))})
    good = [
        value
        for piece in isolate(run, batch, (ValueError,), lambda row, _: found.append(row))
        for value in piece
    ]
    assert good == [value for value in range(10) if value not in bad]
    assert found == sorted(bad)


def test_isolation_lets_other_failures_through() -> None:
    def run(_: pa.RecordBatch) -> None:
        raise KeyError

    batch = pa.record_batch({"n": pa.array(range(10))})
    with pytest.raises(KeyError):
        list(isolate(run, batch, (ValueError,), lambda *_: None))


def test_stages_belong_to_a_side() -> None:
    settings = RunSettings(on_read_error=ErrorPolicy.CONTINUE, on_write_error=ErrorPolicy.DLQ)
    read = {stage for stage in Stage if stage.policy(settings) is ErrorPolicy.CONTINUE}
    assert read == {Stage.DECODE_KEY, Stage.DECODE_VALUE, Stage.COMPUTE}
    assert Fault(Stage.DELIVER, "x").stage.policy(settings) is ErrorPolicy.DLQ


def test_flat_columns_become_records_in_the_order_of_the_sink() -> None:
    inner = pa.struct([("Y", pa.int32()), ("y", pa.string())])
    wanted = pa.struct([("none", pa.int64()), ("in", inner), ("a", pa.float64())])
    columns = (OutputColumn("v0", ("a",)), OutputColumn("v1", ("in", "y")), OutputColumn("v2", ("in", "Y")))
    batch = pa.record_batch({"_row": [0, 1], "v0": [1, 2], "v1": ["p", None], "v2": [7, 8]})
    built = Assembly(wanted, columns, ["_row", "v0", "v1", "v2"]).build(batch)
    assert built.type == wanted
    assert built.to_pylist() == [
        {"none": None, "in": {"Y": 7, "y": "p"}, "a": 1.0},
        {"none": None, "in": {"Y": 8, "y": None}, "a": 2.0},
    ]


def test_a_column_can_be_the_whole_value() -> None:
    batch = pa.record_batch({"_row": [0, 1], "k0": [5, None]})
    built = Assembly(pa.int32(), (OutputColumn("k0", ()),), ["_row", "k0"]).build(batch)
    assert built.equals(pa.array([5, None], pa.int32()))


def test_records_conform_by_position_and_keep_their_nulls() -> None:
    given = pa.array([{"a": 1, "b": "x"}, None], pa.struct([("a", pa.int64()), ("b", pa.string())]))
    wanted = pa.struct([("A", pa.int32()), ("B", pa.string())])
    assert conform(given, wanted).to_pylist() == [{"A": 1, "B": "x"}, None]
    with pytest.raises(pa.ArrowInvalid):
        conform(pa.array([1 << 40]), pa.int32())


@pytest.fixture
def relation() -> Iterator[InputRelation]:
    opened = InputRelation(
        pa.schema([("c0", pa.int64()), ("_row", pa.int32())]), ("CREATE TEMP MACRO twice(x) AS x * 2",)
    )
    yield opened
    opened.close()


def batch_of(values: list[int]) -> pa.RecordBatch:
    return pa.record_batch(
        {"c0": pa.array(values, pa.int64()), "_row": pa.array(range(len(values)), pa.int32())}
    )


@pytest.mark.parametrize("private", [True, False])
def test_a_prepared_query_sees_each_batch(private: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not private:

        class Public:
            """A connection that has only what DuckDB documents."""

            def __init__(self, real: Any) -> None:
                self.execute, self.register, self.close = real.execute, real.register, real.close

        real = connection
        monkeypatch.setattr(query, "connection", lambda: Public(real()))
    relation = InputRelation(pa.schema([("c0", pa.int64()), ("_row", pa.int32())]), ())
    try:
        run = relation.prepare("SELECT _row, c0 + 1 AS v0 FROM input WHERE c0 > 1")
        assert run(batch_of([1, 2, 3])).to_pylist() == [{"_row": 1, "v0": 3}, {"_row": 2, "v0": 4}]
        assert run(batch_of([9])).to_pylist() == [{"_row": 0, "v0": 10}]
        assert run(batch_of([])).num_rows == 0
    finally:
        relation.close()


def test_a_query_recovers_from_a_failing_batch(relation: InputRelation) -> None:
    run = relation.prepare("SELECT _row, twice(c0)::TINYINT AS v0 FROM input")
    with pytest.raises(duckdb.Error):
        run(batch_of([1000]))
    assert run(batch_of([4])).column("v0").to_pylist() == [8]


def test_rows_stay_in_order(relation: InputRelation) -> None:
    run = relation.prepare("SELECT _row, c0 AS v0 FROM input WHERE c0 % 7 <> 0")
    values = [number * 7919 % 100_003 for number in range(50_000)]
    rows = [row for row in run(batch_of(values)).column("_row").to_pylist() if row is not None]
    assert rows == sorted(rows)


def records(partition: int, first: int, count: int) -> pa.RecordBatch:
    columns = {
        "topic": pa.array(["t"] * count).dictionary_encode(),
        "partition": pa.array([partition] * count, pa.int32()),
        "offset": pa.array(range(first, first + count), pa.int64()),
        "timestamp": pa.nulls(count, RECORDS.field("timestamp").type),
        "key": pa.nulls(count, pa.binary()),
        "value": pa.nulls(count, pa.binary()),
        "headers": pa.nulls(count, RECORDS.field("headers").type),
    }
    return pa.RecordBatch.from_arrays(list(columns.values()), schema=RECORDS)


ZERO, ONE = TopicPartition("t", 0), TopicPartition("t", 1)


def test_positions_are_dirty_until_committed() -> None:
    positions = Positions()
    assert positions.saw(records(0, 5, 3)) == [ZERO]
    assert positions.dirty() == {}
    positions.advance([ZERO], {ZERO: 8, ONE: 99})
    assert positions.dirty() == {ZERO: 8}
    positions.commit({ZERO: 8})
    assert positions.dirty() == {}


def test_a_rewind_goes_to_what_is_committed_or_to_the_first_record_seen() -> None:
    positions = Positions()
    positions.saw(records(0, 5, 3))
    positions.advance([ZERO], {ZERO: 8})
    assert positions.rewind() == {ZERO: 5}
    assert positions.dirty() == {}


def test_the_end_of_a_transaction_is_dirty_even_if_no_record_came() -> None:
    positions = Positions()
    positions.advance_idle({ZERO: 11, ONE: 0})
    assert positions.dirty() == {ZERO: 11}
    positions.commit({ZERO: 11})
    positions.advance_idle({ZERO: 11, ONE: 0})
    assert positions.dirty() == {}


def test_the_end_of_a_transaction_is_met_again_after_a_rewind() -> None:
    positions = Positions()
    positions.saw(records(0, 5, 3))
    positions.advance([ZERO], {ZERO: 8})
    positions.commit({ZERO: 8})
    positions.advance_idle({ZERO: 9, ONE: 4})
    assert positions.rewind() == {ZERO: 8}
    assert positions.dirty() == {}
    positions.advance_idle({ZERO: 9, ONE: 4})
    assert positions.dirty() == {ZERO: 9, ONE: 4}


def test_forgotten_partitions_are_not_committed() -> None:
    positions = Positions()
    positions.saw(records(0, 0, 2))
    positions.advance([ZERO], {ZERO: 2})
    positions.forget([ZERO])
    assert positions.dirty() == {}
    assert positions.rewind() == {}


def test_a_service_is_away_after_the_grace_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    watch = ServiceWatch("the broker", Metrics(), 1.5, clock=lambda: now[0])
    with caplog.at_level(logging.INFO, "headrace"):
        for moment in (0.0, 1.0):
            now[0] = moment
            watch.seen(0, there=False)
        assert watch.waiting() == 1
        watch.seen(0, there=True)
        for moment in (2.0, 3.0, 4.0, 5.0):
            now[0] = moment
            watch.seen(0, there=False)
            watch.seen(1, there=False)
        assert watch.away
        assert watch.waiting() == 2
        now[0] = 6.5
        watch.seen(0, there=True)
        watch.seen(1, there=True)
        assert watch.waiting() == 0
    assert [record.getMessage() for record in caplog.records] == [
        "the broker cannot be reached, waiting for it",
        "the broker is back after 4.5 s",
    ]


def test_a_thread_that_has_left_keeps_nobody_waiting() -> None:
    watch = ServiceWatch("the broker", Metrics(), 0.0, clock=time.monotonic)
    watch.seen(0, there=False)
    watch.left(0)
    assert watch.waiting() == 0
