"""Looks at the changelogs of a program before it begins: whether they are its own."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from headrace.engine.state.changelog import by_partition, foreign, split_marks
from headrace.log.interface import ConsumerOptions, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from headrace.log.interface import Log
    from headrace.plan.topology import Topology

_PATIENCE: Final = 5.0
"""Seconds for looking; restoring looks again at all that it reads."""


def check_changelogs(topology: Topology, log: Log, properties: Mapping[str, str]) -> None:
    """Read the first record of each changelog, which says whose it is.

    Raises:
        RunError: a changelog belongs to another program.
    """
    stores = {operator.store.changelog.name: operator.store for operator in topology.operators}
    for topic, found in read_changelogs(topology, log, properties).items():
        if found.marks is not None and found.marks != [stores[topic].fingerprint]:
            raise foreign(stores[topic].name, f"changelog topic `{topic}`")


@dataclass(slots=True)
class Changelog:
    """What stands in a changelog.

    Args:
        bounds: of each partition: the first offset and the end.
        marks: the fingerprint with which the first record of one partition says whose it is, nothing if it does not; None
            if there are no records.
    """

    bounds: dict[int, tuple[int, int]] = field(default_factory=dict)
    marks: list[str] | None = None


def read_changelogs(
    topology: Topology, log: Log, properties: Mapping[str, str], topics: Collection[str] | None = None
) -> dict[str, Changelog]:
    """Look at the changelogs of a topology, by topic.

    Args:
        topology: with the names of its internal topics.
        log: where they are.
        properties: of the consumer.
        topics: those to look at; None for all. They must exist.
    """
    changelogs = [operator.store.changelog for operator in topology.operators]
    if topics is not None:
        changelogs = [item for item in changelogs if item.name in topics]
    found = {item.name: Changelog() for item in changelogs}
    if not found:
        return found
    consumer = log.consumer(ConsumerOptions(properties=properties))
    try:
        bounds = consumer.watermarks(
            [
                TopicPartition(item.name, number)
                for item in changelogs
                for number in range(max(1, item.partitions))
            ]
        )
        first: dict[str, TopicPartition] = {}
        for place, (low, end) in bounds.items():
            found[place.topic].bounds[place.partition] = (low, end)
            if end > low:
                first.setdefault(place.topic, place)
        if first:
            consumer.assign({place: bounds[place][0] for place in first.values()})
        end_of_patience = time.monotonic() + _PATIENCE
        while first and time.monotonic() < end_of_patience:
            for batch in consumer.poll(1000, 0.1):
                topic = batch.column("topic")[0].as_py()
                for _, records in by_partition(batch):
                    if first.pop(topic, None) is not None:
                        _, found[topic].marks = split_marks(records.slice(0, 1))
            for place, position in consumer.positions().items():
                # Only what was aborted stands there.
                if position >= bounds[place][1]:
                    first.pop(place.topic, None)
    finally:
        consumer.close()
    return found
