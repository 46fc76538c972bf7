"""Knows when the end of the inputs, as it was at the start, is committed: by any member of the group."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from headrace.errors.codes.log import UNREACHABLE
from headrace.log.errors import LogError
from headrace.log.interface import Admin, Consumer, TopicPartition
from headrace.plan.subtopologies import subtopologies

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from headrace.plan.topology import Topology

_LOOK = 0.25
"""Seconds between two looks at the group's committed offsets."""

_PATIENCE = 2.0
"""Seconds of one look: Kafka does not answer while a transaction of a killed member may still commit."""


def partitions_of_topics(admin: Admin, topics: Iterable[str]) -> list[TopicPartition]:
    """Give all present partitions of these topics."""
    found: list[TopicPartition] = []
    for topic in topics:
        description = admin.describe(topic)
        if description is not None:
            found += [TopicPartition(topic, number) for number in range(description.partitions)]
    return found


class EndOfInput:
    """The ends to reach. Belongs to one thread."""

    def __init__(self, ends: Mapping[TopicPartition, int], member: Consumer) -> None:
        """Take the ends, and a consumer of the group that can tell what others have committed."""
        self._missing = dict(ends)
        self._member = member
        self._next_look = 0.0

    @staticmethod
    def of(consumer: Consumer, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Give the present ends that this consumer sees; partitions that are empty have none to reach."""
        marks = consumer.watermarks(list(partitions))
        return {partition: end for partition, (first, end) in marks.items() if end > first}

    def reached(self, committed: Mapping[TopicPartition, int]) -> bool:
        """Say whether all ends are committed, here (`committed`) or by other members of the group."""
        self._take(committed)
        if self._missing and time.monotonic() >= self._next_look:
            self._take(self._committed_by_any())
            self._next_look = time.monotonic() + _LOOK
        return not self._missing

    def _committed_by_any(self) -> dict[TopicPartition, int]:
        try:
            return self._member.committed(sorted(self._missing), _PATIENCE)
        except LogError as error:
            if any(diagnostic.code is not UNREACHABLE for diagnostic in error.diagnostics):
                raise
            return {}

    def _take(self, committed: Mapping[TopicPartition, int]) -> None:
        for partition, offset in committed.items():
            if offset >= self._missing.get(partition, offset + 1):
                del self._missing[partition]


class EndOfProgram:
    """The ends of all topics that a program reads, its repartition topics included. Belongs to one thread.

    A repartition topic has its end when everything before it has been processed: the topics are looked at in turn,
    each when those that its writers read are done. What stands in one of them behind the open transaction of a member
    that was killed belongs to it, so its end is taken with everything that is not committed yet.
    """

    def __init__(self, topology: Topology, admin: Admin, member: Consumer, looker: Consumer) -> None:
        """Take the present ends of the program's inputs.

        Args:
            topology: what runs.
            admin: tells the partitions of topics.
            member: a consumer of the group.
            looker: a consumer that sees records of open transactions.
        """
        self._admin = admin
        self._member = member
        self._looker = looker
        first, *self._later = _stages(topology)
        self._stage = self._ends(first, member)

    def reached(self, committed: Mapping[TopicPartition, int]) -> bool:
        """Say whether everything that stood in the inputs is processed to the very end."""
        while self._stage.reached(committed):
            if not self._later:
                return True
            self._stage = self._ends(self._later.pop(0), self._looker)
        return False

    def _ends(self, topics: Sequence[str], consumer: Consumer) -> EndOfInput:
        ends = EndOfInput.of(consumer, partitions_of_topics(self._admin, topics))
        return EndOfInput(ends, self._member)


def _stages(topology: Topology) -> list[list[str]]:
    """Give the topics that are read: the inputs, then repartition topics, each behind what they are made of."""
    groups = subtopologies(topology)
    writes = {
        group.id: {
            topology.sinks[item.sink].topic
            for item in topology.pipelines
            if item.source in group.sources or item.source in group.operators
        }
        for group in groups
    }
    stages = [[source.topic for source in topology.sources.values() if not source.internal]]
    left = {source.topic for source in topology.sources.values() if source.internal}
    while left:
        # What nobody before still has to write: no writer reads a topic that is left.
        blocked = {
            topic
            for group in groups
            if any(topology.sources[name].topic in left for name in group.sources)
            for topic in writes[group.id]
        }
        ready = sorted(left - blocked) or sorted(left)
        stages.append(ready)
        left -= set(ready)
    return stages
