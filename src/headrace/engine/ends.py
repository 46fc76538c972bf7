"""Knows when the end of the inputs, as it was at the start, is committed: by any member of the group."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from headrace.errors.codes.log import UNREACHABLE
from headrace.log.errors import LogError
from headrace.log.interface import Admin, Consumer, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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
        """Give the present ends; partitions that are empty have none to reach."""
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
