"""Deletes what has been processed from repartition topics: nobody reads it any more, and age says nothing about it."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from headrace.log.errors import LogError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from headrace.log.interface import Admin, TopicPartition
    from headrace.plan.topology import Topology

_INTERVAL: Final = 30.0
"""Seconds between two purges."""

_LOGGER: Final = logging.getLogger("headrace.engine.state.purge")


class Purge:
    """Belongs to one thread."""

    def __init__(self, topology: Topology, admin: Admin, clock: Callable[[], float] = time.monotonic) -> None:
        """Watch the repartition topics of a topology whose names are given."""
        self._topics = frozenset(source.topic for source in topology.sources.values() if source.internal)
        self._admin = admin
        self._clock = clock
        self._next = clock() + _INTERVAL
        self._purged: dict[TopicPartition, int] = {}

    def look(self, committed: Mapping[TopicPartition, int]) -> None:
        """Delete what stands before these offsets, now and then."""
        now = self._clock()
        if not self._topics or now < self._next:
            return
        self._next = now + _INTERVAL
        due = {
            place: offset
            for place, offset in committed.items()
            if place.topic in self._topics and offset > self._purged.get(place, 0)
        }
        if not due:
            return
        try:
            self._admin.delete_records(due)
        except LogError as error:
            # Missing rights cost disk space, nothing else.
            _LOGGER.warning("processed records of repartition topics are kept: %s", error)
            self._purged.update(dict.fromkeys(due, 1 << 62))
        else:
            self._purged.update(due)
