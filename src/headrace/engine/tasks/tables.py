"""Tables that are whole in every thread: read to their end before the first record of a stream, and followed from then on.

Their topics are read without the group, all partitions, from the beginning, whenever the thread begins; what they hold is in
memory and nowhere else. Updates count at once, whatever becomes of the transaction that is open: they are no part of it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from headrace.engine.operators.graph import WHOLE
from headrace.engine.policy import record_failed
from headrace.engine.state.kernels import LocalStore
from headrace.formats.errors import RegistryUnavailableError
from headrace.log.interface import ConsumerOptions, TopicPartition
from headrace.plan.operators import LookupJoin
from headrace.plan.topology import ErrorPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

    from headrace.engine.operators.graph import Graph
    from headrace.engine.policy import FailedRecord
    from headrace.log.interface import Consumer, Log
    from headrace.plan.topology import Topology

_BATCH = 50_000
"""Records read at once."""

_WAIT = 0.2
"""Seconds that reading to the end waits for more."""


class WholeTables:
    """Belongs to one thread, with the graph whose kernels hold the tables."""

    def __init__(self, topology: Topology, log: Log, graph: Graph) -> None:
        """Begin with nothing read."""
        self._topics = {source.topic: name for name, source in topology.tables.items()}
        self._settings = topology.settings
        self._log = log
        self._graph = graph
        self._consumer: Consumer | None = None
        self._unread: list[pa.RecordBatch] = []
        for operator in topology.operators:
            if isinstance(operator.kernel, LookupJoin) and operator.kernel.broadcast:
                store = LocalStore(None)
                store.begin(operator.store.name, operator.store.fingerprint)
                graph.operators[operator.id].kernel.open(WHOLE, store)

    def load(self, stopping: Callable[[], bool]) -> Sequence[FailedRecord]:
        """Read to the present end of all of them, unless that was done before; give what failed and was left out.

        Raises:
            RunError: a record failed, and the policy is to stop.
            LogError: the topics cannot be read.
        """
        if self._consumer is not None:
            return self.follow()
        properties = {**self._settings.client, **self._settings.consumer_client}
        consumer = self._log.consumer(ConsumerOptions(properties=properties))
        failed: list[FailedRecord] = []
        try:
            consumer.assign(dict.fromkeys(self._places(), -2))
            ends = {
                place: end for place, (low, end) in consumer.watermarks(self._places()).items() if end > low
            }
            while not stopping() and (self._unread or not _reached(consumer.positions(), ends)):
                failed += self._take(consumer, _WAIT)
        except BaseException:
            consumer.close()
            raise
        self._consumer = consumer
        return failed

    def follow(self) -> Sequence[FailedRecord]:
        """Take in what has come since, without waiting; gives and raises as `load`."""
        return [] if self._consumer is None else self._take(self._consumer, 0.0)

    def close(self) -> None:
        """Stop reading."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def _places(self) -> list[TopicPartition]:
        admin = self._log.admin()
        try:
            described = [found for topic in self._topics if (found := admin.describe(topic)) is not None]
        finally:
            admin.close()
        return [
            TopicPartition(topic.name, number) for topic in described for number in range(topic.partitions)
        ]

    def _take(self, consumer: Consumer, wait: float) -> list[FailedRecord]:
        self._unread += consumer.poll(_BATCH, wait)
        failed: list[FailedRecord] = []
        while self._unread:
            records = self._unread[0]
            try:
                judged = self._graph.update(self._topics[records.column("topic")[0].as_py()], records)
            except RegistryUnavailableError:
                # What was read is kept; it is tried again the next time.
                break
            if judged.stops:
                raise record_failed(judged.failed[0])
            # No dead letters: every thread meets these records, anew at each start. So they are told of as left out.
            failed += [replace(record, policy=ErrorPolicy.CONTINUE) for record in judged.failed]
            del self._unread[0]
        return failed


def _reached(positions: dict[TopicPartition, int], ends: dict[TopicPartition, int]) -> bool:
    return all(positions.get(place, -1) >= end for place, end in ends.items())
