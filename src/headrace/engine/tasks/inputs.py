"""Puts the records of a sub-topology in the order in which its tasks process them.

A task with one input takes its records as they come. A task with several takes, each time, the record whose time is the
smallest among the first ones of its inputs, and does not go on past an input that has more to fetch: so the order does not
depend on how the records were fetched. Taking the smallest head each time is the same as sorting by the running maximum
of each input's times, cut behind the last record of the first input that runs out; which is done for all tasks at once.

What goes into a repartition topic is put in order over all partitions that the thread reads: their records meet again in
the tasks behind that topic, which would take those of one partition for late if those of another came first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pyarrow as pa

from headrace.engine.operators.step import Arrived
from headrace.log.interface import TopicPartition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence, Set

    import numpy.typing as npt

    Longs = npt.NDArray[np.int64]
    Mask = npt.NDArray[np.bool_]

MOST_HELD = 131_072
"""Records that are held of topics that are merged, before no more are read of partitions with their share of them."""

_LEAST_SHARE = 1_000

_TIME_BITS = 46
"""Times are compared up to the year 4199; what is later stands together at the end."""


@dataclass(frozen=True, slots=True)
class Barrier:
    """A record before which processing stops; those before it are processed."""

    partition: TopicPartition
    offset: int


@dataclass(slots=True)
class Released:
    """What may be processed now.

    Args:
        arrived: by source.
        reached: barriers with nothing left before them.
        next_seq: the first number that was not used for the order.
    """

    next_seq: int
    arrived: list[Arrived] = field(default_factory=list)
    reached: list[Barrier] = field(default_factory=list)


class Inputs(Protocol):
    """The records of one sub-topology between reading and processing. Belongs to one thread."""

    def put(self, records: pa.RecordBatch) -> None:
        """Take records of one of the topics."""

    def release(self, released: Released, barriers: Sequence[Barrier]) -> None:
        """Add what may be processed now, in the order of the tasks."""

    def holds(self) -> bool:
        """Say whether records are held."""

    def held_from(self) -> Mapping[TopicPartition, int]:
        """Give the offset of the first record held, for partitions with any."""

    def full(self) -> Set[TopicPartition]:
        """Give the partitions of which no more should be read for now."""

    def drop(self, partitions: Set[TopicPartition] | None = None) -> None:
        """Forget what is held, of all or of these partitions."""


class OneInput:
    """A sub-topology with a single topic: nothing waits for anything."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._batches: list[pa.RecordBatch] = []

    def put(self, records: pa.RecordBatch) -> None:
        """See `Inputs`."""
        self._batches.append(records)

    def release(self, released: Released, barriers: Sequence[Barrier]) -> None:
        """See `Inputs`."""
        batches, self._batches = self._batches, []
        if not batches:
            return
        records = _whole(batches)
        for barrier in barriers:
            records = _before(records, barrier, released)
        count = records.num_rows
        if count:
            seq = np.arange(released.next_seq, released.next_seq + count, dtype=np.int64)
            released.arrived.append(Arrived(self._source, records, seq))
            released.next_seq += count

    def holds(self) -> bool:
        """See `Inputs`."""
        return bool(self._batches)

    def held_from(self) -> Mapping[TopicPartition, int]:
        """See `Inputs`; whatever was put is released the next time."""
        return {}

    def full(self) -> Set[TopicPartition]:
        """See `Inputs`."""
        return frozenset()

    def drop(self, partitions: Set[TopicPartition] | None = None) -> None:
        """See `Inputs`."""
        if partitions is None:
            self._batches.clear()
            return
        gone = [item.partition for item in partitions]
        kept = [_without(batch, gone) for batch in self._batches]
        self._batches = [batch for batch in kept if batch.num_rows]


def _before(records: pa.RecordBatch, barrier: Barrier, released: Released) -> pa.RecordBatch:
    if not records.num_rows or records.column("topic")[0].as_py() != barrier.partition.topic:
        return records
    there = records.column("partition").to_numpy() == barrier.partition.partition
    behind = there & (records.column("offset").to_numpy() >= barrier.offset)
    if not behind.any():
        return records
    released.reached.append(barrier)
    return records.filter(pa.array(~behind))


@dataclass(slots=True)
class _Chunk:
    """A batch of which some rows are held, and their numbers in it, ascending."""

    records: pa.RecordBatch
    rows: Longs

    def keep(self, mask: Mask) -> None:
        """Hold these of the rows only. Values are copied once half of the batch is gone: no row more than once or twice."""
        self.rows = self.rows[mask]
        if 0 < len(self.rows) <= self.records.num_rows // 2:
            self.records = _rows(self.records, self.rows)
            self.rows = np.arange(len(self.rows))


@dataclass(slots=True)
class _Held:
    """What is held of one topic: records and, in the same order, where they stand."""

    source: str
    topic: str
    chunks: list[_Chunk] = field(default_factory=list)
    fresh: list[pa.RecordBatch] = field(default_factory=list)
    partitions: npt.NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    offsets: Longs = field(default_factory=lambda: np.empty(0, np.int64))
    times: Longs = field(default_factory=lambda: np.empty(0, np.int64))

    def add(self, records: pa.RecordBatch, times: Longs) -> None:
        """Hold these too, behind the others."""
        self.chunks.append(_Chunk(records, np.arange(records.num_rows)))
        self.partitions = np.concatenate([self.partitions, records.column("partition").to_numpy()])
        self.offsets = np.concatenate([self.offsets, records.column("offset").to_numpy()])
        self.times = np.concatenate([self.times, times])

    def records(self, mask: Mask) -> pa.RecordBatch:
        """Give some of the records, at least one."""
        parts = [(chunk.records, chunk.rows[part]) for chunk, part in self._parts(mask)]
        return _whole([_rows(records, rows) for records, rows in parts if len(rows)])

    def keep(self, mask: Mask) -> None:
        """Hold these records only."""
        if mask.all():
            return
        for chunk, part in self._parts(mask):
            if not part.all():
                chunk.keep(part)
        self.chunks = [chunk for chunk in self.chunks if len(chunk.rows)]
        self.partitions, self.offsets, self.times = (
            self.partitions[mask],
            self.offsets[mask],
            self.times[mask],
        )

    def _parts(self, mask: Mask) -> list[tuple[_Chunk, Mask]]:
        ends = np.cumsum([len(chunk.rows) for chunk in self.chunks])
        return [
            (chunk, mask[end - len(chunk.rows) : end])
            for chunk, end in zip(self.chunks, ends.tolist(), strict=True)
        ]


def _rows(records: pa.RecordBatch, rows: Longs) -> pa.RecordBatch:
    """Give rows by their ascending numbers; without a copy if they stand next to each other."""
    first, count = int(rows[0]), len(rows)
    if int(rows[-1]) - first + 1 == count:
        return records.slice(first, count)
    return records.take(pa.array(rows, pa.int64()))


_NO_CUT = (int(np.iinfo(np.int64).max), 0)

_LANE_BITS = 20
"""Partitions of a topic are numbered in so many bits."""

_LAST_LANE = int(np.iinfo(np.int64).max)


class MergedInputs:
    """Topics merged by time: those of one partition number, which is a task, or all that the thread reads of them."""

    def __init__(
        self,
        topics: Mapping[str, str],
        times: Callable[[str, pa.RecordBatch], Longs],
        behind: Callable[[Sequence[TopicPartition]], Set[TopicPartition]],
        owned: Callable[[], Iterable[TopicPartition]] | None = None,
    ) -> None:
        """Begin with nothing held.

        Args:
            topics: by source, in the order in which records of one time are taken.
            times: gives the times of records of a source.
            behind: gives those partitions that have more to fetch.
            owned: gives the partitions that are read; if given, all of them are merged with one another.
        """
        self.released = 0
        """Records let go."""
        self.latest = -1
        """The largest time up to which records were let go, in milliseconds."""
        self.sources = frozenset(topics)
        self._bounds: dict[str, Callable[[], int | None]] = {}
        self._inputs = [_Held(source, topic) for source, topic in topics.items()]
        self._times = times
        self._behind = behind
        self._owned = owned

    def wait_for(self, source: str, bound: Callable[[], int | None]) -> None:
        """Have records of a source wait for those that have yet to come through a repartition topic among the others.

        Args:
            source: of the records that wait.
            bound: gives the time up to which nothing has yet to come there, in milliseconds; None if nothing has.
        """
        self._bounds[source] = bound

    def put(self, records: pa.RecordBatch) -> None:
        """See `Inputs`."""
        topic = records.column("topic")[0].as_py()
        held = next(item for item in self._inputs if item.topic == topic)
        held.fresh.append(records)

    def release(self, released: Released, barriers: Sequence[Barrier]) -> None:
        """See `Inputs`. After RegistryUnavailableError, of computing times, nothing was taken."""
        for held in self._inputs:
            if held.fresh:
                self._note_times(held)
        if not any(len(held.partitions) for held in self._inputs):
            return
        keys = [_running_maximum(held.partitions, held.times) for held in self._inputs]
        free = self._free(keys)
        for barrier in barriers:
            self._stop_at(barrier, keys, free, released)
        self._take(keys, free, released)

    def _note_times(self, held: _Held) -> None:
        fresh = _whole(held.fresh)
        times = self._times(held.source, fresh)
        held.fresh = []
        held.add(fresh, np.minimum(times, (1 << _TIME_BITS) - 1))

    def _free(self, keys: Sequence[Longs]) -> list[Mask]:
        """Say which records no input holds back."""
        cuts = self._cuts(keys)
        free = []
        for index, held in enumerate(self._inputs):
            if not cuts:
                free.append(np.ones(len(held.partitions), np.bool_))
                continue
            found = np.empty((int(held.partitions.max(initial=-1)) + 1, 2), np.int64)
            found[:] = _NO_CUT
            for number in _numbers(held.partitions):
                found[number] = cuts.get(self._group(number), _NO_CUT)
            key, lane = found[held.partitions, 0], found[held.partitions, 1]
            mine = self._lanes(index)
            free.append((keys[index] < key) | ((keys[index] == key) & (mine <= lane)))
        return free

    def _cuts(self, keys: Sequence[Longs]) -> dict[int, tuple[int, int]]:
        """Give, for each group of partitions that are merged, key and lane of the last record that may go."""
        ends: dict[TopicPartition, int] = {}
        for index, held in enumerate(self._inputs):
            for number, row in _last_rows(held.partitions):
                # The keys of a partition never fall: its last one is its largest.
                ends[TopicPartition(held.topic, number)] = int(keys[index][row])
        behind = self._behind(self._places(ends))
        index_of = {held.topic: index for index, held in enumerate(self._inputs)}
        cuts = self._bounded(ends)
        for place in behind:
            cut = (ends.get(place, -1), index_of[place.topic] << _LANE_BITS | place.partition)
            group = self._group(place.partition)
            cuts[group] = min(cut, cuts.get(group, cut))
        return cuts

    def _bounded(self, ends: Mapping[TopicPartition, int]) -> dict[int, tuple[int, int]]:
        """Give the cuts of groups in which a record waits for what comes through a repartition topic."""
        bounds: dict[str, int] = {}
        for held in self._inputs:
            bound = (
                self._bounds[held.source]() if len(held.partitions) and held.source in self._bounds else None
            )
            if bound is not None:
                bounds[held.topic] = bound
        cuts: dict[int, tuple[int, int]] = {}
        for place, end in ends.items():
            cut = (bounds.get(place.topic, end), _LAST_LANE)
            if cut[0] < end:
                group = self._group(place.partition)
                cuts[group] = min(cut, cuts.get(group, cut))
        return cuts

    def pending(self, assigned: Iterable[TopicPartition]) -> bool:
        """Say whether records are held, or have yet to be fetched of these partitions."""
        topics = {item.topic for item in self._inputs}
        return self.holds() or bool(self._behind([item for item in assigned if item.topic in topics]))

    def _places(self, held: Iterable[TopicPartition]) -> list[TopicPartition]:
        """Give the partitions that may hold others back."""
        topics = [item.topic for item in self._inputs]
        if self._owned is not None:
            return [place for place in self._owned() if place.topic in topics]
        numbers = {place.partition for place in held}
        return [TopicPartition(topic, number) for topic in topics for number in sorted(numbers)]

    def _group(self, partition: int) -> int:
        return partition if self._owned is None else 0

    def _lanes(self, index: int) -> Longs:
        return (index << _LANE_BITS) | self._inputs[index].partitions.astype(np.int64)

    def _stop_at(self, barrier: Barrier, keys: Sequence[Longs], free: list[Mask], released: Released) -> None:
        for index, held in enumerate(self._inputs):
            if held.topic != barrier.partition.topic:
                continue
            there = held.partitions == barrier.partition.partition
            beyond = there & (held.offsets >= barrier.offset)
            if not beyond.any():
                return
            row = int(np.argmax(beyond))
            if free[index][row]:
                released.reached.append(barrier)
            key, lane = keys[index][row], self._lanes(index)[row]
            for other, mask in enumerate(free):
                later = (keys[other] > key) | ((keys[other] == key) & (self._lanes(other) > lane))
                if other == index:
                    later = np.where(there, beyond, later)
                if self._owned is None:
                    later &= self._inputs[other].partitions == barrier.partition.partition
                mask &= ~later
            return

    def _take(self, keys: Sequence[Longs], free: Sequence[Mask], released: Released) -> None:
        counts = [int(mask.sum()) for mask in free]
        total = sum(counts)
        if not total:
            return
        chosen = [key[mask] for key, mask in zip(keys, free, strict=True)]
        lanes = [self._lanes(index)[mask] for index, mask in enumerate(free)]
        together = np.concatenate(chosen)
        self.released += total
        self.latest = max(self.latest, int(together.max()))
        order = np.lexsort((np.concatenate(lanes), together))
        seq = np.empty(total, np.int64)
        seq[order] = np.arange(released.next_seq, released.next_seq + total)
        released.next_seq += total
        start = 0
        for held, mask, count in zip(self._inputs, free, counts, strict=True):
            if count:
                released.arrived.append(Arrived(held.source, held.records(mask), seq[start : start + count]))
                held.keep(~mask)
            start += count

    def holds(self) -> bool:
        """See `Inputs`."""
        return any(held.fresh or len(held.partitions) for held in self._inputs)

    def least_held(self) -> int | None:
        """Give the smallest time of the records that are held; None if none are."""
        return min((int(held.times.min()) for held in self._inputs if len(held.times)), default=None)

    def held_from(self) -> Mapping[TopicPartition, int]:
        """See `Inputs`; to be asked after `release`."""
        found = {}
        for held in self._inputs:
            for number, row in _last_rows(held.partitions[::-1]):
                found[TopicPartition(held.topic, number)] = int(held.offsets[::-1][row])
        return found

    def full(self) -> Set[TopicPartition]:
        """See `Inputs`."""
        counted = [np.bincount(held.partitions) for held in self._inputs]
        most = max(_LEAST_SHARE, MOST_HELD // max(1, sum(np.count_nonzero(counts) for counts in counted)))
        return {
            TopicPartition(held.topic, number)
            for held, counts in zip(self._inputs, counted, strict=True)
            for number in np.flatnonzero(counts >= most).tolist()
        }

    def drop(self, partitions: Set[TopicPartition] | None = None) -> None:
        """See `Inputs`."""
        for held in self._inputs:
            if partitions is None:
                held.fresh = []
                held.keep(np.zeros(len(held.partitions), np.bool_))
                continue
            gone = [item.partition for item in partitions if item.topic == held.topic]
            held.fresh = [batch for batch in (_without(item, gone) for item in held.fresh) if batch.num_rows]
            held.keep(~np.isin(held.partitions, gone))


def _numbers(partitions: npt.NDArray[np.int32]) -> list[int]:
    """Give the numbers that occur, ascending. There are few of them: cheaper to count than to sort."""
    found: list[int] = np.flatnonzero(np.bincount(partitions)).tolist()
    return found


def _last_rows(partitions: npt.NDArray[np.int32]) -> list[tuple[int, int]]:
    """Give for each number that occurs the last row that has it."""
    last = np.full(int(partitions.max(initial=-1)) + 1, -1)
    # Of several rows with one number, the last one stays.
    last[partitions] = np.arange(len(partitions))
    return [(number, row) for number, row in enumerate(last.tolist()) if row >= 0]


def _running_maximum(partitions: npt.NDArray[np.int32], times: Longs) -> Longs:
    """Give for each record the largest time up to it in its partition."""
    if not len(times):
        return times
    if (partitions == partitions[0]).all():
        return np.maximum.accumulate(times)
    order = np.argsort(partitions, kind="stable")
    # Each partition begins above all times of those before it, so that one pass does for all of them.
    base = partitions[order].astype(np.int64) << _TIME_BITS
    result = np.empty_like(times)
    result[order] = np.maximum.accumulate(times[order] + base) - base
    return result


def _whole(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    if len(batches) == 1:
        return batches[0]
    return pa.Table.from_batches(batches).combine_chunks().to_batches()[0]


def _without(records: pa.RecordBatch, partitions: Sequence[int]) -> pa.RecordBatch:
    gone = np.isin(records.column("partition").to_numpy(), partitions)
    return records.filter(pa.array(~gone)) if gone.any() else records
