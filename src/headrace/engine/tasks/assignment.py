"""The tasks of one session: opened when all of their partitions are owned and their state is there, closed when one goes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from headrace.engine.state.kernels import DamagedStateError, stream_time
from headrace.engine.state.restore import RestoreJob, Restorer, StoreRestore
from headrace.log.interface import TopicPartition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence, Set

    from headrace.engine.operators.graph import Graph
    from headrace.engine.state.changelog import Mark
    from headrace.engine.state.directory import StateDirectory, TaskFolder
    from headrace.plan.operators import Operator
    from headrace.plan.subtopologies import Subtopology
    from headrace.plan.topology import Topology


@dataclass(slots=True)
class Task:
    """One sub-topology with state on one partition.

    Args:
        group: the sub-topology.
        partition: its number.
        inputs: the partitions that it reads.
        since: when its partitions were complete.
        folder: its local state, once it could be opened.
        job: of restoring it.
        opened: whether its kernels have it, and it processes records.
    """

    group: Subtopology
    partition: int
    inputs: frozenset[TopicPartition]
    since: float
    folder: TaskFolder | None = None
    job: RestoreJob | None = None
    opened: bool = False

    @property
    def name(self) -> str:
        """For messages and folders."""
        return f"{self.group.id}_{self.partition}"


@dataclass(slots=True)
class _Group:
    """A sub-topology with state."""

    plan: Subtopology
    topics: tuple[str, ...]
    operators: tuple[Operator, ...]


class Tasks:
    """Belongs to one thread, that of its session."""

    def __init__(
        self,
        topology: Topology,
        groups: Sequence[Subtopology],
        graph: Graph,
        directory: StateDirectory,
        restorer: Restorer,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin without tasks.

        Args:
            topology: with the names of its topics.
            groups: its sub-topologies with operators.
            graph: has the kernels.
            directory: of local state.
            restorer: closed with these tasks.
            clock: monotonic.
        """
        by_id = {operator.id: operator for operator in topology.operators}
        self._groups = [
            _Group(
                group,
                tuple(topology.sources[name].topic for name in group.sources),
                tuple(by_id[name] for name in group.operators),
            )
            for group in groups
        ]
        self._graph = graph
        self._directory = directory
        self._restorer = restorer
        self._clock = clock
        self._topics = frozenset(topic for group in self._groups for topic in group.topics)
        self._owned: set[TopicPartition] = set()
        self._tasks: dict[tuple[str, int], Task] = {}
        self._unmarked: dict[str, dict[int, Mark]] = {}
        self._distrusted = False

    def concerns(self, partitions: Iterable[TopicPartition]) -> set[TopicPartition]:
        """Give those of these partitions that tasks with state read."""
        return {item for item in partitions if item.topic in self._topics}

    def assigned(self, partitions: Iterable[TopicPartition]) -> None:
        """Note partitions that came, and begin with the tasks that are complete."""
        self._owned |= self.concerns(partitions)
        jobs: list[RestoreJob] = []
        for group in self._groups:
            for number in {item.partition for item in self._owned if item.topic in group.topics}:
                inputs = frozenset(TopicPartition(topic, number) for topic in group.topics)
                if inputs <= self._owned and (group.plan.id, number) not in self._tasks:
                    task = Task(group.plan, number, inputs, self._clock())
                    self._tasks[group.plan.id, number] = task
                    jobs += self._prepare(group, task)
        # All at once: the log is asked for their ends in one go.
        self._restorer.begin(jobs)

    def revoked(self, partitions: Iterable[TopicPartition]) -> set[TopicPartition]:
        """Close the tasks that read these partitions; give the partitions of theirs that stay, and must wait."""
        gone = set(partitions)
        self._owned -= gone
        left: set[TopicPartition] = set()
        for key, task in [*self._tasks.items()]:
            if task.inputs & gone:
                self._close(task)
                del self._tasks[key]
                left |= task.inputs - gone
        return left & self._owned

    def look(self) -> set[TopicPartition]:
        """Open the tasks whose state is there; give the partitions that may be read from now on.

        Raises:
            HeadraceError: the state of a task cannot be had.
        """
        ready: set[TopicPartition] = set()
        for group in self._groups:
            for task in [*self._tasks.values()]:
                if task.group is not group.plan or task.opened:
                    continue
                if task.job is None:
                    self._restorer.begin(self._prepare(group, task))
                elif task.job.finished and self._finished(group, task, task.job):
                    ready |= task.inputs
        return ready

    def waiting(self) -> set[TopicPartition]:
        """Give the owned partitions that must not be read yet."""
        opened = {item for task in self._tasks.values() if task.opened for item in task.inputs}
        return self._owned - opened

    def incomplete(self) -> set[TopicPartition]:
        """Give the owned partitions of tasks of which others are owned elsewhere."""
        return self._owned - {item for task in self._tasks.values() for item in task.inputs}

    def all_open(self) -> bool:
        """Say whether nothing is being restored, or waits for its folder."""
        return all(task.opened for task in self._tasks.values())

    def restoring(self) -> bool:
        """Say whether something is being restored."""
        return any(task.job is not None and not task.opened for task in self._tasks.values())

    def opened(self, group: str) -> Set[int]:
        """Give the partitions of the open tasks of a sub-topology."""
        return {number for (name, number), task in self._tasks.items() if name == group and task.opened}

    def stream_time(self, group: str, partition: int, operator: str) -> int | None:
        """Give how far time had come in an open task at the last commit; None if nothing was seen."""
        task = self._tasks[group, partition]
        assert task.folder is not None
        return stream_time(task.folder.store, operator)

    def positions(self) -> dict[TopicPartition, int]:
        """Give how far the changelogs of the open tasks reached when they were opened."""
        return {
            item.place: item.position
            for task in self._tasks.values()
            if task.opened and task.job is not None
            for item in task.job.stores
        }

    def unmarked(self) -> dict[str, dict[int, Mark]]:
        """Give, by store and partition, what changelogs do not say yet of whose they are."""
        return {store: dict(marks) for store, marks in self._unmarked.items() if marks}

    def marked(self, stores: dict[str, dict[int, Mark]]) -> None:
        """Note that this is committed, and in the local stores: before the entries behind it go there."""
        for task in self._tasks.values():
            for name in task.group.operators:
                mark = stores.get(name, {}).get(task.partition)
                if mark is None or not task.opened or task.folder is None:
                    continue
                store = task.folder.store
                keys, values = (pa.array([part], pa.binary()) for part in (mark.key, mark.value))
                store.restore(name, keys, values, store.position(name) or 0)
        for name, marks in stores.items():
            for number in marks:
                self._unmarked[name].pop(number, None)

    def followed(self) -> None:
        """Note that the local stores are as their changelogs are: right after a commit."""
        for task in self._tasks.values():
            if task.opened and task.folder is not None:
                task.folder.followed.note()

    def distrust(self) -> None:
        """Empty the folders of all tasks when they are closed: one of them is damaged, which is not known."""
        self._distrusted = True

    def close(self) -> None:
        """Close all tasks and stop restoring."""
        self.revoked(self._owned.copy())
        self._restorer.close()

    def _prepare(self, group: _Group, task: Task) -> list[RestoreJob]:
        """Open the folder of a task and give the job of restoring it; none if the folder cannot be had yet."""
        if task.folder is None:
            task.folder = self._directory.open(task.name, task.since)
        if task.folder is None:
            return []
        stores = [
            StoreRestore(operator, TopicPartition(operator.store.changelog.name, task.partition))
            for operator in group.operators
        ]
        task.job = RestoreJob(task.name, task.folder.store, stores, self._clock(), task.folder.followed)
        return [task.job]

    def _finished(self, group: _Group, task: Task, job: RestoreJob) -> bool:
        """Open a task that has been restored; False if it must be tried again."""
        assert task.folder is not None
        if job.damaged:
            self._directory.discard(task.folder)
            task.folder = task.job = None
            return False
        if job.error is not None:
            raise job.error
        try:
            for operator in group.operators:
                self._graph.operators[operator.id].kernel.open(task.partition, task.folder.store)
        except DamagedStateError:
            self._forget(task)
            self._directory.discard(task.folder)
            task.folder = task.job = None
            return False
        for item in job.stores:
            if item.mark is not None:
                self._unmarked.setdefault(item.store.name, {})[item.place.partition] = item.mark
        task.opened = True
        return True

    def _close(self, task: Task) -> None:
        if task.job is not None and not task.job.finished:
            self._restorer.cancel(task.job)
        self._forget(task)
        if task.folder is not None and self._distrusted:
            self._directory.discard(task.folder)
        elif task.folder is not None:
            task.folder.store.close()

    def _forget(self, task: Task) -> None:
        for name in task.group.operators:
            self._graph.operators[name].kernel.close(task.partition)
            self._unmarked.get(name, {}).pop(task.partition, None)
