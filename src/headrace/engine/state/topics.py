"""Makes the internal topics of a program, and checks those that are there."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from headrace.errors import Diagnostic, RunError
from headrace.errors.codes.run import INTERNAL_TOPIC
from headrace.log.interface import ConsumerOptions, TopicPartition
from headrace.plan.subtopologies import subtopologies

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from headrace.log.interface import Admin, Log, TopicDescription
    from headrace.plan.topology import Topology

_LEFT_OVER: Final = (
    "internal topic `{}` holds records that are not of this program's state: there is no changelog beside it"
)

_POLICY: Final = "cleanup.policy"

_WRITE_TIME: Final = {
    # The age of state is that of its last change: by event time, the state of an old stream would be deleted at once.
    "message.timestamp.type": "LogAppendTime",
}

_ANY_TIME: Final = {
    # Records carry event time, which may lie far from the broker's clock; a broker of today refuses an hour ahead.
    "message.timestamp.after.max.ms": str((1 << 63) - 1),
    "message.timestamp.before.max.ms": str((1 << 63) - 1),
}

_UNTIL_READ: Final = {
    # By age, old event times would be deleted before they are read: the processor deletes what it has committed.
    "cleanup.policy": "delete",
    "retention.ms": "-1",
}


def internal_topics(topology: Topology) -> list[TopicDescription]:
    """Describe the changelogs and repartition topics of a topology whose names are given."""
    changelogs = [(operator.store.changelog, _WRITE_TIME) for operator in topology.operators]
    repartitions = [
        (sink.create, {**_ANY_TIME, **_UNTIL_READ})
        for sink in topology.sinks.values()
        if sink.internal and sink.create is not None
    ]
    return [
        replace(topic, internal=True, configs={**configs, **topic.configs})
        for topic, configs in (*changelogs, *repartitions)
    ]


def check_internal(topics: Iterable[TopicDescription], there: Mapping[str, TopicDescription | None]) -> None:
    """Check the internal topics that are there already.

    Args:
        topics: as the program wants them.
        there: by name, as they are; without those that are not there.

    Raises:
        RunError: one has other partitions, or is cleaned up in another way.
    """
    for topic in topics:
        found = there.get(topic.name)
        fault = None if found is None else misfit(topic, found)
        if fault is not None:
            raise _unfit(fault)


def check_left_over(log: Log, topology: Topology, there: Mapping[str, TopicDescription | None]) -> None:
    """Check that repartition topics hold nothing if none of the changelogs is there, beside which they are made.

    Args:
        log: where they are.
        topology: with the names of its internal topics.
        there: by name, as they are.

    Raises:
        RunError: one holds records, which another program or a former life of the application has left.
    """
    for fault in left_over(log, topology, there).values():
        raise _unfit(fault)


def left_over(log: Log, topology: Topology, there: Mapping[str, TopicDescription | None]) -> dict[str, str]:
    """Give the repartition topics that hold records of another program, or of a former life of this one, with the fault."""
    changelogs = {operator.store.changelog.name for operator in topology.operators}
    if any(there.get(name) is not None for name in changelogs):
        return {}
    found = {
        sink.topic for sink in topology.sinks.values() if sink.internal and there.get(sink.topic) is not None
    }
    if not found:
        return {}
    with closing(log.consumer(ConsumerOptions())) as looker:
        partitions = [
            TopicPartition(name, number)
            for name in sorted(found)
            for number in range(_partitions(there[name]))
        ]
        bounds = looker.watermarks(partitions)
    names = sorted({place.topic for place, (first, end) in bounds.items() if first < end})
    return {name: _LEFT_OVER.format(name) for name in names}


def _partitions(topic: TopicDescription | None) -> int:
    return 0 if topic is None else topic.partitions


def check_inputs(admin: Admin, topology: Topology) -> None:
    """Check that the topics which meet in tasks with state have as many partitions as their changelogs.

    Raises:
        RunError: partitions were added to an input since the program was planned, or since its state was begun.
    """
    changelogs = {item.id: item.store.changelog for item in topology.operators}
    for group in subtopologies(topology):
        if not group.operators:
            continue
        wanted = changelogs[group.operators[0]].partitions
        for name in group.sources:
            topic = topology.sources[name].topic
            there = admin.describe(topic)
            if there is not None and there.partitions != wanted:
                message = f"topic `{topic}` has {there.partitions} partitions, the state of `{group.operators[0]}` {wanted}"
                raise _unfit(message)


def stored_in(topology: Topology, stores: Collection[str]) -> list[str]:
    """Give the changelogs of these stores."""
    return [item.store.changelog.name for item in topology.operators if item.store.name in stores]


def discard(admin: Admin, changelogs: Collection[str]) -> None:
    """Delete changelogs whose state is given up; they are to be made anew."""
    for name in changelogs:
        admin.delete(name)


def misfit(wanted: TopicDescription, there: TopicDescription) -> str | None:
    """Say why an internal topic that is there cannot be used; None if it can."""
    if wanted.partitions not in (-1, there.partitions):
        return (
            f"internal topic `{wanted.name}` has {there.partitions} partitions, the program needs "
            f"{wanted.partitions}"
        )
    policies = [set(topic.configs.get(_POLICY, "delete").split(",")) for topic in (wanted, there)]
    if policies[0] != policies[1]:
        has, needs = (topic.configs.get(_POLICY, "delete") for topic in (there, wanted))
        return f"internal topic `{wanted.name}` has `{_POLICY}={has}`, the program needs `{needs}`"
    return None


def _unfit(message: str) -> RunError:
    way_out = "run the program under a new application id, or delete the topic if nothing of it is needed"
    return RunError((Diagnostic(INTERNAL_TOPIC, message, help=way_out),))
