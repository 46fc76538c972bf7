"""Makes the internal topics of a program, and checks those that are there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from headrace.errors import Diagnostic, RunError
from headrace.errors.codes.run import INTERNAL_TOPIC
from headrace.plan.subtopologies import subtopologies

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from headrace.log.interface import Admin, TopicDescription
    from headrace.plan.topology import Topology

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


def ensure(admin: Admin, topics: Iterable[TopicDescription]) -> list[TopicDescription]:
    """Create the topics that are missing and give all as they are.

    Raises:
        RunError: a topic that is there has other partitions, or is cleaned up in another way.
    """
    found = []
    for topic in topics:
        there = admin.describe(topic.name)
        if there is None:
            admin.create(topic)
            there = admin.describe(topic.name)
        if there is not None:
            _check(topic, there)
            found.append(there)
    return found


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


def discard(admin: Admin, topology: Topology, stores: Collection[str]) -> None:
    """Delete the changelogs of these stores; they are made anew by `ensure`."""
    for operator in topology.operators:
        if operator.store.name in stores:
            admin.delete(operator.store.changelog.name)


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


def _check(wanted: TopicDescription, there: TopicDescription) -> None:
    fault = misfit(wanted, there)
    if fault is not None:
        raise _unfit(fault)


def _unfit(message: str) -> RunError:
    way_out = "run the program under a new application id, or delete the topic if nothing of it is needed"
    return RunError((Diagnostic(INTERNAL_TOPIC, message, help=way_out),))
