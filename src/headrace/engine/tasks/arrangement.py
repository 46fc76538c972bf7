"""The inputs of all sub-topologies, and which of them wait for one another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace.engine.tasks.inputs import MergedInputs, OneInput
from headrace.engine.tasks.merging import merges

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence, Set

    import pyarrow as pa

    from headrace.engine.tasks.inputs import Inputs, Longs
    from headrace.log.interface import TopicPartition
    from headrace.plan.topology import Topology

_NOTHING = -1


class _Progress:
    """How far a merge has come that writes repartition topics, as those see it that read such a topic beside another one.

    At the beginning nothing stands in that topic yet: what is read beside it would run ahead of it, right to its own end.
    """

    def __init__(self, inputs: MergedInputs, readable: Callable[[], Iterable[TopicPartition]]) -> None:
        self.feeders: Sequence[_Progress] = ()
        self._inputs = inputs
        self._readable = readable
        self._count = 0
        self._until = _NOTHING

    def committed(self) -> None:
        self._count, self._until = self._inputs.released, self._inputs.latest

    def begin_anew(self) -> None:
        self._inputs.latest = self._until = _NOTHING

    def bound(self) -> int | None:
        """Give the time in milliseconds after which more may come to be written; None if nothing is on its way."""
        pending = self._inputs.released != self._count or self._inputs.pending(self._readable())
        own = self._until if pending else None
        return _least([own, *(item.bound() for item in self.feeders)])


class Arrangement:
    """The inputs of a thread."""

    def __init__(
        self,
        topology: Topology,
        times: Callable[[str, pa.RecordBatch], Longs],
        behind: Callable[[Sequence[TopicPartition]], Set[TopicPartition]],
        readable: Callable[[], Iterable[TopicPartition]],
    ) -> None:
        """Begin with nothing read.

        Args:
            topology: says what is read.
            times: gives the times of records of a source.
            behind: gives those partitions that have more to fetch.
            readable: gives the partitions of this thread that are read, or will be as soon as their state is there.
        """
        self.all: list[Inputs] = []
        self.merged: list[MergedInputs] = []
        self._by_topic: dict[str, Inputs] = {}
        self._progress: dict[int, _Progress] = {}
        planned = merges(topology)
        for number, merge in enumerate(planned):
            topics = {name: topology.sources[name].topic for name in merge.sources}
            inputs: Inputs
            if len(topics) == 1 and not merge.across:
                inputs = OneInput(merge.sources[0])
            else:
                inputs = MergedInputs(topics, times, behind, readable if merge.across else None)
                self.merged.append(inputs)
                self._progress[number] = _Progress(inputs, readable)
                for source, feeders in merge.waits.items():
                    inputs.wait_for(source, self._bound(feeders))
            self.all.append(inputs)
            self._by_topic.update(dict.fromkeys(topics.values(), inputs))
        for number, progress in self._progress.items():
            progress.feeders = [self._progress[feeder] for feeder in planned[number].feeders]

    def _bound(self, feeders: Sequence[int]) -> Callable[[], int | None]:
        return lambda: _least([self._progress[number].bound() for number in feeders])

    def put(self, records: pa.RecordBatch) -> None:
        """Take records of one topic."""
        self._by_topic[records.column("topic")[0].as_py()].put(records)

    def held_from(self) -> Mapping[TopicPartition, int]:
        """Give the offset of the first record held, for partitions with any."""
        return {item: at for inputs in self.merged for item, at in inputs.held_from().items()}

    def least_held(self, sources: Iterable[str]) -> int | None:
        """Give the smallest time of records that are held of these sources, or beside them; None if none are."""
        return _least(
            [inputs.least_held() for inputs in self.merged if not inputs.sources.isdisjoint(sources)]
        )

    def full(self) -> Set[TopicPartition]:
        """Give the partitions of which no more should be read for now."""
        return {item for inputs in self.merged for item in inputs.full()}

    def holds(self) -> bool:
        """Say whether records wait for others."""
        return any(inputs.holds() for inputs in self.merged)

    def drop(self, partitions: Set[TopicPartition] | None = None) -> None:
        """Forget what is held, of all or of these partitions."""
        for inputs in self.all:
            inputs.drop(partitions)

    def committed(self) -> None:
        """Note that what came of all records let go so far can be read."""
        for progress in self._progress.values():
            progress.committed()

    def begin_anew(self) -> None:
        """Note that records may come that are older than those let go before."""
        for progress in self._progress.values():
            progress.begin_anew()


def _least(bounds: Iterable[int | None]) -> int | None:
    return min((bound for bound in bounds if bound is not None), default=None)
