"""Records of several inputs in the order of a task: the bulk way gives what picking the smallest head each time gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from headrace.engine.tasks.inputs import MOST_HELD, Barrier, MergedInputs, OneInput, Released
from headrace.log.interface import TopicPartition
from headrace.log.records import HEADERS, RECORDS, TIMESTAMP

if TYPE_CHECKING:
    from collections.abc import Sequence, Set

    import numpy.typing as npt

TOPICS = ("a", "b", "c")


def batch(topic: str, rows: Sequence[tuple[int, int, int]]) -> pa.RecordBatch:
    """Give records of (partition, offset, time)."""
    count = len(rows)
    return pa.RecordBatch.from_arrays(
        [
            pa.array([topic] * count).dictionary_encode().cast(RECORDS.field("topic").type),
            pa.array([row[0] for row in rows], pa.int32()),
            pa.array([row[1] for row in rows], pa.int64()),
            pa.array([row[2] for row in rows], TIMESTAMP),
            pa.nulls(count, pa.binary()),
            pa.nulls(count, pa.binary()),
            pa.nulls(count, HEADERS),
        ],
        schema=RECORDS,
    )


def times(source: str, records: pa.RecordBatch) -> npt.NDArray[np.int64]:
    return records.column("timestamp").cast(pa.int64()).to_numpy()


@dataclass
class Fetching:
    """Topics that are fetched bit by bit; knows which partitions have more."""

    left: dict[TopicPartition, list[int]]
    offsets: dict[TopicPartition, int] = field(default_factory=dict)

    def behind(self, partitions: Sequence[TopicPartition]) -> Set[TopicPartition]:
        return {item for item in partitions if self.left.get(item)}

    def fetch(self, place: TopicPartition, count: int) -> pa.RecordBatch | None:
        taken, self.left[place] = self.left[place][:count], self.left[place][count:]
        if not taken:
            return None
        start = self.offsets.get(place, 0)
        self.offsets[place] = start + len(taken)
        return batch(place.topic, [(place.partition, start + at, time) for at, time in enumerate(taken)])


def picked(left: dict[TopicPartition, list[int]], partition: int) -> list[tuple[str, int]]:
    """Take the head with the smallest time again and again; of equal ones that of the first topic."""
    heads = {topic: list(enumerate(left[TopicPartition(topic, partition)])) for topic in TOPICS}
    order = []
    while any(heads.values()):
        topic = min(
            (name for name in TOPICS if heads[name]), key=lambda name: (heads[name][0][1], TOPICS.index(name))
        )
        order.append((topic, heads[topic].pop(0)[0]))
    return order


def taken(released: Released) -> list[tuple[int, int, str, int]]:
    """Give (partition, seq, topic, offset) of what was released, by seq."""
    rows: list[tuple[int, int, str, int]] = [
        (partition or 0, int(seq), item.source, offset or 0)
        for item in released.arrived
        for partition, offset, seq in zip(
            item.records.column("partition").to_pylist(),
            item.records.column("offset").to_pylist(),
            item.seq,
            strict=True,
        )
    ]
    return sorted(rows, key=lambda row: row[1])


STREAMS = st.fixed_dictionaries(
    {
        TopicPartition(topic, number): st.lists(st.integers(0, 9), max_size=8)
        for topic in TOPICS
        for number in (0, 1)
    }
)
FETCHES = st.lists(
    st.tuples(st.sampled_from([TopicPartition(topic, number) for topic in TOPICS for number in (0, 1)]), st.integers(1, 4)),
    max_size=30,
)  # fmt: skip


@given(STREAMS, FETCHES)
def test_the_order_does_not_depend_on_how_records_are_fetched(
    left: dict[TopicPartition, list[int]], fetches: list[tuple[TopicPartition, int]]
) -> None:
    wanted = {number: picked(left, number) for number in (0, 1)}
    fetching = Fetching(dict(left))
    inputs = MergedInputs({topic: topic for topic in TOPICS}, times, fetching.behind)
    found: list[tuple[int, int, str, int]] = []
    next_seq = 0
    for place, count in [*fetches, *((place, 100) for place in left)]:
        records = fetching.fetch(place, count)
        if records is not None:
            inputs.put(records)
        released = Released(next_seq)
        inputs.release(released, [])
        found += taken(released)
        next_seq = released.next_seq
    assert not inputs.holds()
    assert [row[1] for row in found] == list(range(len(found)))
    for number, order in wanted.items():
        assert [(topic, offset) for partition, _, topic, offset in found if partition == number] == order


@given(STREAMS, st.sampled_from(TOPICS), st.integers(0, 7))
def test_nothing_behind_a_barrier_is_released(
    left: dict[TopicPartition, list[int]], topic: str, offset: int
) -> None:
    place = TopicPartition(topic, 0)
    barrier = Barrier(place, offset)
    order = picked(left, 0)
    wanted = order[: order.index((topic, offset))] if (topic, offset) in order else order
    fetching = Fetching(dict(left))
    inputs = MergedInputs({name: name for name in TOPICS}, times, fetching.behind)
    for other in left:
        records = fetching.fetch(other, 100)
        if records is not None:
            inputs.put(records)
    released = Released(0)
    inputs.release(released, [barrier])
    found = [(name, at) for partition, _, name, at in taken(released) if partition == 0]
    assert found == wanted
    assert released.reached == ([barrier] if (topic, offset) in order else [])
    assert inputs.held_from().get(place) == (offset if (topic, offset) in order else None)


def test_an_input_that_has_more_holds_the_others_back() -> None:
    behind = {TopicPartition("b", 0)}
    inputs = MergedInputs({"a": "a", "b": "b"}, times, lambda places: behind & set(places))
    inputs.put(batch("a", [(0, 0, 5), (0, 1, 6), (1, 0, 7)]))
    released = Released(0)
    inputs.release(released, [])
    assert [(row[0], row[3]) for row in taken(released)] == [(1, 0)]
    assert inputs.held_from() == {TopicPartition("a", 0): 0}
    inputs.put(batch("b", [(0, 0, 5)]))
    released = Released(1)
    inputs.release(released, [])
    assert [(row[2], row[3]) for row in taken(released)] == [("a", 0), ("b", 0)]
    behind.clear()
    released = Released(3)
    inputs.release(released, [])
    assert [(row[2], row[3]) for row in taken(released)] == [("a", 1)]


def test_partitions_that_are_held_too_long_are_full() -> None:
    behind = {TopicPartition("b", 0)}
    inputs = MergedInputs({"a": "a", "b": "b"}, times, lambda places: behind & set(places))
    inputs.put(batch("a", [(0, row, row) for row in range(MOST_HELD)]))
    inputs.release(Released(0), [])
    assert inputs.full() == {TopicPartition("a", 0)}
    inputs.drop({TopicPartition("a", 0)})
    assert not inputs.holds()
    assert inputs.full() == set()


def test_a_single_input_passes_up_to_the_barrier() -> None:
    inputs = OneInput("a")
    inputs.put(batch("a", [(0, 0, 9), (1, 0, 1), (0, 1, 2)]))
    inputs.put(batch("a", [(0, 2, 9), (1, 1, 1)]))
    barrier = Barrier(TopicPartition("a", 0), 1)
    released = Released(10)
    inputs.release(released, [barrier])
    assert taken(released) == [(0, 10, "a", 0), (1, 11, "a", 0), (1, 12, "a", 1)]
    assert released.reached == [barrier]
    assert released.next_seq == 13


@given(STREAMS, FETCHES)
def test_across_partitions_all_records_are_in_one_order(
    left: dict[TopicPartition, list[int]], fetches: list[tuple[TopicPartition, int]]
) -> None:
    heads = {place: list(enumerate(times)) for place, times in left.items()}
    wanted = []
    while any(heads.values()):
        place = min((item for item in heads if heads[item]), key=lambda item: (heads[item][0][1], item))
        wanted.append((place.topic, place.partition, heads[place].pop(0)[0]))
    fetching = Fetching(dict(left))
    inputs = MergedInputs({topic: topic for topic in TOPICS}, times, fetching.behind, lambda: list(left))
    found: list[tuple[int, int, str, int]] = []
    next_seq = 0
    for place, count in [*fetches, *((place, 100) for place in left)]:
        records = fetching.fetch(place, count)
        if records is not None:
            inputs.put(records)
        released = Released(next_seq)
        inputs.release(released, [])
        for item in released.arrived:
            # Those of one partition never change places.
            for number in np.unique(item.records.column("partition")):
                own = item.seq[item.records.column("partition").to_numpy() == number]
                assert (own[1:] > own[:-1]).all()
        found += taken(released)
        next_seq = released.next_seq
    assert [(topic, partition, offset) for partition, _, topic, offset in found] == wanted
