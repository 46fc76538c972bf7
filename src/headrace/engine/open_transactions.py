"""Tells of records that nobody may read yet: the transaction they belong to, or one before them, does not end.

Whoever reads committed records stops at the first record of an open transaction, and shows no lag. Most end within their
time-out. One that the broker has lost sight of (KIP-664 calls it hanging) never does, and holds all readers for ever.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from headrace.log.errors import LogError
from headrace.log.interface import Consumer, ConsumerOptions, Log, TopicPartition
from headrace.plan.subtopologies import subtopologies
from headrace.telemetry.events import TransactionOpen

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from headrace.plan.topology import Topology
    from headrace.telemetry.metrics import Metrics

_LOOK: Final = 20.0
"""Seconds between two looks."""

_LONG: Final = 60.0
"""Seconds after which a transaction is worth a line: the time-out of transactions unless somebody sets another."""

_AGAIN: Final = 600.0
"""Seconds between two lines about the same partition."""

_TIMEOUT: Final = 5.0
"""Seconds of one question to the brokers."""


class OpenTransactions:
    """Looks now and then at the partitions that a process reads. Belongs to one thread."""

    def __init__(
        self,
        topology: Topology,
        log: Log,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take what runs; nothing is asked before the first look.

        Args:
            topology: with the names of its internal topics.
            log: where the topics are.
            metrics: counts the warnings.
            clock: monotonic.
        """
        self._topology = topology
        self._log = log
        self._metrics = metrics
        self._clock = clock
        self._next_look = clock() + _LOOK
        self._stopped: dict[TopicPartition, tuple[int, float]] = {}
        self._next_line: dict[TopicPartition, float] = {}
        self._consumers: tuple[Consumer, Consumer] | None = None

    def look(self, owned: Collection[TopicPartition]) -> None:
        """Look at these partitions of sources and at the changelogs that go with them, if it is time."""
        now = self._clock()
        if now < self._next_look:
            return
        self._next_look = now + _LOOK
        places = sorted({*owned, *self._changelogs(owned)})
        try:
            committed, everything = self._consumers or self._open()
            readable = committed.watermarks(places, timeout=_TIMEOUT)
            present = everything.watermarks(places, timeout=_TIMEOUT)
        except LogError:
            # Not to be had now: that is told elsewhere.
            return
        stops = {place: end for place, (_, end) in readable.items() if end < present[place][1]}
        self._tell(stops, self._clock())

    def close(self) -> None:
        """Free the clients."""
        for consumer in self._consumers or ():
            consumer.close()
        self._consumers = None

    def _tell(self, stops: Mapping[TopicPartition, int], now: float) -> None:
        before, self._stopped = self._stopped, {}
        for place, offset in stops.items():
            known, since = before.get(place, (offset, now))
            if known != offset:
                since = now
            self._stopped[place] = (offset, since)
            if now - since >= _LONG and now >= self._next_line.get(place, now):
                self._next_line[place] = now + _AGAIN
                TransactionOpen(place.topic, place.partition, offset, round(now - since)).emit(self._metrics)

    def _changelogs(self, owned: Collection[TopicPartition]) -> set[TopicPartition]:
        """Give the changelogs of the tasks that read these partitions."""
        # A table that every thread reads whole has none.
        changelogs = {
            item.id: item.store.changelog.name
            for item in self._topology.operators
            if item.task_feeds == item.feeds
        }
        found = set()
        for group in subtopologies(self._topology):
            topics = {self._topology.sources[source].topic for source in group.sources}
            tasks = {place.partition for place in owned if place.topic in topics}
            stores = [item for item in group.operators if item in changelogs]
            found |= {TopicPartition(changelogs[item], task) for item in stores for task in tasks}
        return found

    def _open(self) -> tuple[Consumer, Consumer]:
        settings = self._topology.settings
        properties = {**settings.client, **settings.consumer_client}
        self._consumers = committed, everything = (
            self._log.consumer(ConsumerOptions(read_committed=True, properties=properties)),
            self._log.consumer(ConsumerOptions(read_committed=False, properties=properties)),
        )
        return committed, everything
