"""Looks at the changelogs of a program before it begins: whether they are its own, or of an earlier version of it."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from headrace.engine.state.changelog import Mark, by_partition, foreign, marks_in
from headrace.errors import Diagnostic, RunError
from headrace.errors.codes.run import STATE_OF_OTHERS
from headrace.log.interface import ConsumerOptions, TopicPartition
from headrace.plan.evolution import (
    UNKNOWN,
    Evolution,
    evolution,
    inputs_evolution,
    is_repartitioned,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    import pyarrow as pa

    from headrace.log.interface import Log
    from headrace.plan.operators import Operator
    from headrace.plan.topology import Topology

_PATIENCE: Final = 5.0
"""Seconds for a look at the first records; restoring looks again at all that it reads."""

_BATCH: Final = 100_000
"""Records of one poll."""


@dataclass(slots=True)
class Changelog:
    """What stands in a changelog.

    Args:
        bounds: of each partition: the first offset and the end.
        marks: the mark that is the first record of one partition, nothing if that is another record; None if there are no
            records.
    """

    bounds: dict[int, tuple[int, int]] = field(default_factory=dict)
    marks: list[Mark] | None = None


def check_changelogs(topology: Topology, log: Log, properties: Mapping[str, str], application: str) -> None:
    """Read the first record of each changelog, which says whose it is.

    Args:
        topology: with the names of its internal topics.
        log: where they are.
        properties: of the consumer.
        application: the consumer group.

    Raises:
        RunError: a changelog belongs to another program, or to an earlier version of this one that is not done.
    """
    operators = {operator.store.changelog.name: operator for operator in topology.operators}
    for topic, found in read_changelogs(topology, log, properties).items():
        operator = operators[topic]
        if found.marks is None:
            continue
        where = f"changelog topic `{topic}`"
        if not found.marks:
            raise foreign(operator.store.name, where)
        (mark,) = found.marks
        if mark.fingerprint == operator.store.fingerprint:
            continue
        change = from_mark(mark, operator)
        if mark.operator is None or not change.is_readable:
            raise foreign(operator.store.name, where, change.obstacles)
        waiting = unread(topology, log, properties, application, mark.operator, operator)
        if not change.obstacles and waiting is None:
            # What later versions wrote is looked at when it is restored.
            continue
        last = _last_versions(log, properties, operator, found)
        obstacles = [part for mark in last for part in from_mark(mark, operator).obstacles]
        if obstacles:
            raise foreign(operator.store.name, where, list(dict.fromkeys(obstacles)))
        if waiting is not None and last:
            way_out = (
                "run the version before, with `--until-end` and no new records in its inputs, and this one then; or run this one "
                "under a new application id"
            )
            raise RunError((Diagnostic(STATE_OF_OTHERS, waiting, help=way_out),))


def from_mark(mark: Mark, operator: Operator) -> Evolution:
    """Say what is between the program that wrote a mark and this one."""
    return Evolution((UNKNOWN,)) if mark.operator is None else evolution(mark.operator, operator)


def inputs_from_mark(mark: Mark, operator: Operator) -> Evolution:
    """Say whether other rows go into a store than those that a mark of the same fingerprint tells of."""
    return Evolution(()) if mark.operator is None else inputs_evolution(mark.operator, operator)


def unread(
    topology: Topology,
    log: Log,
    properties: Mapping[str, str],
    application: str,
    old: Operator,
    new: Operator,
) -> str | None:
    """Say if records of an earlier version wait in a repartition topic, in a form that this one cannot read.

    Args:
        topology: of this program, with the names of its internal topics.
        log: where they are.
        properties: of the consumer.
        application: the consumer group.
        old: the operator of the earlier version.
        new: that of this one.
    """
    topics = [
        topology.sources[now.source].topic
        for was, now in zip(old.feeds, new.feeds, strict=False)
        if is_repartitioned(now) and [part.type for part in was.value] != [part.type for part in now.value]
    ]
    if not topics:
        return None
    with (
        closing(log.admin()) as admin,
        closing(log.consumer(ConsumerOptions(properties=properties))) as looker,
    ):
        described = [found for topic in topics if (found := admin.describe(topic)) is not None]
        places = [
            TopicPartition(topic.name, number) for topic in described for number in range(topic.partitions)
        ]
        bounds, committed = looker.watermarks(places), admin.group_offsets(application)
    for place, (low, end) in bounds.items():
        if end > committed.get(place, low):
            return (
                f"topic `{place.topic}` holds records that the version before has written and has not read: they have "
                "other columns now"
            )
    return None


def _last_versions(
    log: Log, properties: Mapping[str, str], operator: Operator, found: Changelog
) -> list[Mark]:
    """Give the last mark of each partition that this program has not taken over yet; reads all of the changelog."""
    starts = {number: low for number, (low, _) in found.bounds.items()}
    histories = read_marks(log, properties, operator.store.changelog.name, starts)
    last = [marks[-1] for marks in histories.values() if marks]
    return [mark for mark in last if mark.fingerprint != operator.store.fingerprint]


def read_marks(
    log: Log, properties: Mapping[str, str], topic: str, starts: Mapping[int, int]
) -> dict[int, list[Mark]]:
    """Give the marks of a changelog by partition: all of it is read, from these offsets on."""
    found: dict[int, list[Mark]] = {number: [] for number in starts}
    with closing(log.consumer(ConsumerOptions(properties=properties))) as consumer:
        places = {TopicPartition(topic, number): start for number, start in starts.items()}
        ends = {place: end for place, (_, end) in consumer.watermarks(list(places)).items()}
        left = {place: start for place, start in places.items() if ends[place] > start}
        if left:
            consumer.assign(left)
        while left:
            for number, records in _polled(consumer.poll(_BATCH, 0.1)):
                found[number] += marks_in(records)
            positions = consumer.positions()
            left = {
                place: start for place, start in left.items() if positions.get(place, start) < ends[place]
            }
    return found


def _polled(batches: list[pa.RecordBatch]) -> Iterator[tuple[int, pa.RecordBatch]]:
    for batch in batches:
        yield from by_partition(batch)


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
    with closing(log.consumer(ConsumerOptions(properties=properties))) as consumer:
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
                        found[topic].marks = marks_in(records.slice(0, 1))
            for place, position in consumer.positions().items():
                # Only what was aborted stands there.
                if position >= bounds[place][1]:
                    first.pop(place.topic, None)
    return found
