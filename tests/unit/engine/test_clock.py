"""PROCTIME() never goes back, whatever the machine's clock does, and costs one look for a batch."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import pyarrow as pa

from headrace.engine.clock import Clock, Stamps
from headrace.formats.interface import Format, Side
from headrace.log.interface import TopicPartition
from headrace.plan.topology import CLOCK, Facet, InputColumn, RunSettings, SourceTopic, Topology
from headrace.types.sql import INSTANT
from tests.unit.engine.test_inputs import batch

if TYPE_CHECKING:
    from collections.abc import Sequence

BYTES = Side(Format.BYTES, pa.binary())


def topology() -> Topology:
    column = InputColumn("c0", Facet.META, (CLOCK,), INSTANT)
    sources = {
        "a": SourceTopic("a", BYTES, BYTES, (column,)),
        "b": SourceTopic("b", BYTES, BYTES, (), internal=True, clock=True),
        "c": SourceTopic("c", BYTES, BYTES, ()),
    }
    return Topology(sources, {}, (), RunSettings())


def ticking(*times: int) -> Clock:
    left = deque(times)
    return Clock(left.popleft)


def millis(records: pa.RecordBatch, column: str = CLOCK) -> list[int]:
    return [int(value) for value in records.column(column).cast(pa.int64()).to_numpy()]


def rows(*times: int, partition: int = 0) -> Sequence[tuple[int, int, int]]:
    return [(partition, offset, time) for offset, time in enumerate(times)]


def test_a_batch_has_one_time_beside_that_of_its_records() -> None:
    stamped = Stamps(topology(), ticking(100)).stamp(batch("a", rows(5, 4, 3)))
    assert millis(stamped) == [100, 100, 100]
    assert millis(stamped, "timestamp") == [5, 4, 3]


def test_what_comes_through_a_repartition_topic_is_taken_up_again() -> None:
    stamped = Stamps(topology(), ticking(100)).stamp(batch("b", rows(5, 4)))
    assert millis(stamped, "timestamp") == [100, 100]
    assert CLOCK not in stamped.schema.names


def test_what_nobody_reads_by_the_clock_stays_as_it_is() -> None:
    records = batch("c", rows(5))
    assert Stamps(topology(), ticking()).stamp(records) is records


def test_the_clock_never_goes_back() -> None:
    stamps = Stamps(topology(), ticking(100, 90, 101))
    assert [millis(stamps.stamp(batch("a", rows(5)))) for _ in range(3)] == [[100], [100], [101]]


def test_after_a_restart_a_task_goes_on_from_the_time_that_it_has_seen() -> None:
    stamps = Stamps(topology(), ticking(100, 300))
    stamps.not_before({TopicPartition("a", 1): 200, TopicPartition("b", 0): 500})
    both = [*rows(1, 2), *rows(3, partition=1)]
    assert millis(stamps.stamp(batch("a", both))) == [100, 100, 200]
    assert millis(stamps.stamp(batch("a", both))) == [300, 300, 300]


def test_in_tests_the_clock_is_that_of_the_records_in_each_partition() -> None:
    stamps = Stamps(topology(), Clock(None, of_records=True))
    assert millis(stamps.stamp(batch("a", [*rows(5, 9, 7), *rows(1, partition=1)]))) == [5, 9, 9, 1]
    assert millis(stamps.stamp(batch("a", rows(8, 10)))) == [9, 10]
    assert millis(stamps.stamp(batch("b", rows(8, 10))), "timestamp") == [8, 10]
    stamps.forget([TopicPartition("a", 0)])
    assert millis(stamps.stamp(batch("a", rows(8)))) == [8]
