"""What is read beside a repartition topic waits for what has yet to come through it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from headrace.engine.tasks.arrangement import Arrangement
from headrace.engine.tasks.inputs import Released
from headrace.engine.tasks.merging import merges
from headrace.log.interface import TopicPartition
from headrace.testing import plan_case, read_case
from tests.unit.engine.test_inputs import batch, times

if TYPE_CHECKING:
    from collections.abc import Sequence, Set

    from headrace.plan.topology import Topology

CASES = Path(__file__).parents[2] / "cases" / "run" / "join"


def topology_of(name: str) -> Topology:
    topology = plan_case(read_case(CASES / f"{name}.case"), 2).topology
    assert not isinstance(topology, Exception)
    return topology


class Reading:
    """A thread that reads orders (repartitioned) and prices, two partitions of each."""

    def __init__(self) -> None:
        topology = topology_of("a_changing_table_and_a_repartitioned_stream")
        places = [
            TopicPartition(item.topic, number) for item in topology.sources.values() for number in (0, 1)
        ]
        self.has_more: set[TopicPartition] = set()
        self.inputs = Arrangement(topology, times, self._behind, lambda: places)
        self._next_seq = 0

    def _behind(self, places: Sequence[TopicPartition]) -> Set[TopicPartition]:
        return self.has_more & set(places)

    def released(self) -> list[tuple[str, int, int]]:
        """Give topic, partition and time of what is let go, in the order of processing."""
        found = Released(self._next_seq)
        for inputs in self.inputs.all:
            inputs.release(found, [])
        self._next_seq = found.next_seq
        rows = [
            (int(seq), item.source, row["partition"], int(row["timestamp"].timestamp() * 1000))
            for item in found.arrived
            for seq, row in zip(item.seq, item.records.to_pylist(), strict=True)
        ]
        return [row[1:] for row in sorted(rows)]


def test_nothing_goes_ahead_of_records_that_have_yet_to_be_fetched() -> None:
    reading = Reading()
    reading.has_more = {TopicPartition("orders", 1)}
    reading.inputs.put(batch("prices", [(0, 0, 5), (1, 0, 6)]))
    assert reading.released() == []
    assert reading.inputs.holds()
    reading.has_more.clear()
    assert reading.released() == [("prices", 0, 5), ("prices", 1, 6)]


def test_records_pass_as_far_as_what_was_written_is_committed() -> None:
    reading = Reading()
    reading.inputs.put(batch("orders", [(0, 0, 5), (1, 0, 7)]))
    reading.inputs.put(batch("prices", [(0, 0, 4), (0, 1, 6), (0, 2, 9)]))
    assert reading.released() == [("orders", 0, 5), ("orders", 1, 7)]
    assert reading.released() == [], "what came of the orders cannot be read yet"
    reading.inputs.put(batch("orders", [(1, 1, 8)]))
    reading.inputs.committed()
    assert reading.released() == [("orders", 1, 8), ("prices", 0, 4), ("prices", 0, 6)]
    assert reading.released() == []
    reading.inputs.committed()
    assert reading.released() == [("prices", 0, 9)]


def test_after_a_step_back_nothing_is_taken_for_written() -> None:
    reading = Reading()
    reading.inputs.put(batch("orders", [(0, 0, 5)]))
    assert reading.released() == [("orders", 0, 5)]
    reading.inputs.committed()
    reading.inputs.drop()
    reading.inputs.begin_anew()
    reading.has_more = {TopicPartition("orders", 0)}
    reading.inputs.put(batch("prices", [(0, 0, 1)]))
    assert reading.released() == []
    reading.has_more.clear()
    assert reading.released() == [("prices", 0, 1)]


def test_records_wait_over_several_repartition_topics() -> None:
    topology = topology_of("foreign_key")
    first, second, third = merges(topology)
    assert (first.feeders, second.feeders, third.feeders) == ((), (0,), (1,))
    assert [merge.waits for merge in (first, second, third)] == [{}, {}, {}]
    beside = merges(topology_of("a_changing_table_and_a_repartitioned_stream"))
    assert [merge.waits for merge in beside] == [{}, {"prices": (0,)}]


def test_a_merge_waits_for_no_merge_that_waits_for_it() -> None:
    for path in sorted(CASES.glob("*.case")):
        planned = plan_case(read_case(path), 2).topology
        if isinstance(planned, Exception):
            continue
        found = merges(planned)
        above = np.zeros((len(found), len(found)), bool)
        for number, merge in enumerate(found):
            above[number, list(merge.feeders)] = True
        for _ in found:
            above |= above @ above
        assert not above.diagonal().any(), path
