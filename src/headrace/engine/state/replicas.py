"""Which processes keep a copy of the state of which task: found by each for itself, from what all of them see."""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headrace.log.interface import TopicPartition
from headrace.plan.subtopologies import subtopologies
from headrace.plan.topology import ALL_PROCESSES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from headrace.log.interface import GroupMember, Log
    from headrace.plan.operators import Operator
    from headrace.plan.topology import Topology


def process_name(identity: str) -> str:
    """Give what the other members of a group know a process by."""
    return hashlib.sha256(identity.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class StatefulTask:
    """A task with state, of this process or of another.

    Args:
        name: of the task and its folder.
        partition: of its inputs and changelogs.
        operators: whose state it is.
        inputs: what its owner reads.
    """

    name: str
    partition: int
    operators: tuple[Operator, ...]
    inputs: frozenset[TopicPartition]


def stateful_tasks(topology: Topology) -> list[StatefulTask]:
    """Give all tasks of a program that have state.

    Args:
        topology: with the names of its internal topics.
    """
    operators = {operator.id: operator for operator in topology.operators}
    return [
        StatefulTask(
            f"{group.id}_{number}",
            number,
            tuple(operators[name] for name in group.operators),
            frozenset(TopicPartition(topology.sources[name].topic, number) for name in group.sources),
        )
        for group in subtopologies(topology)
        if group.operators
        for number in range(operators[group.operators[0]].store.changelog.partitions)
    ]


def followers(task: StatefulTask, members: Iterable[GroupMember], count: int) -> list[str]:
    """Give the processes that keep a copy of a task.

    Each process has a rank in each task, a hash of both names. So a process that comes or goes moves few copies, and nobody
    has to be told.

    Args:
        task: what is copied.
        members: of the group.
        count: how many copies there shall be, beside the owner's own.
    """
    members = list(members)
    owners = {member.process for member in members if member.partitions & task.inputs}
    others = {member.process for member in members} - owners

    def rank(process: str) -> bytes:
        return hashlib.sha256(f"{process}/{task.name}".encode()).digest()

    return sorted(others, key=rank)[:count]


class Replicas:
    """Tells what one process copies."""

    def __init__(self, topology: Topology, application: str, process: str) -> None:
        """Take names; nothing is asked yet.

        Args:
            topology: with the names of its internal topics.
            application: the consumer group.
            process: name of this one.
        """
        self._tasks = stateful_tasks(topology)
        self._count = topology.settings.standby_replicas
        self._application = application
        self._process = process

    def mine(self, log: Log) -> list[StatefulTask]:
        """Give the tasks to copy; those that run here may be among them where every process copies everything."""
        if self._count >= ALL_PROCESSES:
            return self._tasks
        with closing(log.admin()) as admin:
            members = admin.group_members(self._application)
        return [task for task in self._tasks if self._process in followers(task, members, self._count)]
