"""Knows which inputs of a merge have more to fetch, so that the others wait for them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence, Set

    from headrace.log.interface import Consumer, TopicPartition

_STUCK = 0.25
"""Seconds without progress after which the log is asked what can be read: the end that is known counts open transactions."""


@dataclass(slots=True)
class _Place:
    """What is known of a partition.

    Args:
        position: where reading stood at the last look.
        since: when it came there.
        asked: when the log was last asked.
        readable: the end that the log gave then.
    """

    position: int | None
    since: float
    asked: float = 0.0
    readable: int = -1


class Frontier:
    """Compares where reading stands with where topics end. Belongs to one thread."""

    def __init__(
        self,
        consumer: Consumer,
        idle: float,
        looker: Consumer | None = None,
        internal: frozenset[str] = frozenset(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Watch the partitions of a consumer.

        Args:
            consumer: the one that reads them.
            idle: seconds for which a partition that has been read to its end is still waited for.
            looker: sees what is not committed yet.
            internal: repartition topics: what one commit wrote to several of them becomes visible bit by bit, so that
                the log is asked, with `looker`, before one of them counts as read.
            clock: monotonic.
        """
        self._looker = looker
        self._internal = internal
        self._consumer = consumer
        self._idle = idle
        self._clock = clock
        self._places: dict[TopicPartition, _Place] = {}

    def behind(self, partitions: Sequence[TopicPartition]) -> Set[TopicPartition]:
        """Give those of these partitions that have records to fetch, or may have."""
        owned = set(self._consumer.assignment())
        asked = [item for item in partitions if item in owned]
        positions = self._consumer.positions()
        ends = self._consumer.known_ends(asked)
        read = {item for item in asked if 0 <= ends.get(item, -1) <= positions.get(item, -1)}
        for item in asked:
            self._note(item, positions.get(item))
        # The log is asked for all at once: one after the other, the answers would take most of the time of small batches.
        self._ask_for_stuck([item for item in asked if item not in read])
        hidden = self._hidden([item for item in asked if item in read], positions)
        return {
            item
            for item in asked
            if item in hidden or self._waits(item, positions.get(item), read=item in read)
        }

    def forget(self) -> None:
        """Begin anew: reading was sent elsewhere, or partitions have come or gone."""
        self._places.clear()

    def _hidden(
        self, read: Sequence[TopicPartition], positions: Mapping[TopicPartition, int]
    ) -> Set[TopicPartition]:
        """Give those of the partitions read to their ends that hold more, which nobody sees yet."""
        internal = [item for item in read if item.topic in self._internal]
        if self._looker is None or not internal:
            return frozenset()
        # All at once: one after the other, the requests would take most of the time of small batches.
        ends = self._looker.watermarks(internal)
        return {item for item in internal if positions[item] < ends[item][1]}

    def _note(self, partition: TopicPartition, position: int | None) -> None:
        place = self._places.get(partition)
        if place is None or place.position != position:
            self._places[partition] = _Place(position, self._clock())

    def _ask_for_stuck(self, partitions: Sequence[TopicPartition]) -> None:
        """Find out how far those partitions can be read from which nothing has come for a while."""
        now = self._clock()
        places = {item: self._places[item] for item in partitions}
        stuck = [
            item
            for item, place in places.items()
            if now - place.since >= _STUCK and now - place.asked >= _STUCK
        ]
        if not stuck:
            return
        bounds = self._consumer.watermarks(stuck)
        # A log that takes long to answer is not asked again at once.
        asked = self._clock()
        for item in stuck:
            places[item].asked, places[item].readable = asked, bounds[item][1]

    def _waits(self, partition: TopicPartition, position: int | None, *, read: bool) -> bool:
        place = self._places[partition]
        waited = self._clock() - place.since
        if read:
            return partition.topic not in self._internal and waited < self._idle
        # Not asked since it came there: what was readable before says nothing.
        if waited < _STUCK or place.asked < place.since:
            return True
        return position is None or position < place.readable
