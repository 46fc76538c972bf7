"""The session of a program with state: records in the order of their tasks, kernels, changelogs, commits of all of it.

What is in memory is always what was last committed and, over it, what has happened since: a commit makes the second the
first, everything else (an aborted transaction, a record that ends the run) throws it away and begins again at the
committed offsets.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from headrace.engine.delivery import Kind
from headrace.engine.pipeline import Output
from headrace.engine.policy import record_failed
from headrace.engine.positions import partitions_of
from headrace.engine.session import Session, size_of
from headrace.engine.state.changelog import Mark, mark_records
from headrace.engine.state.directory import StateDirectory, state_failed
from headrace.engine.state.kernels import DamagedStateError
from headrace.engine.state.restore import Restorer
from headrace.engine.tasks.arrangement import Arrangement
from headrace.engine.tasks.assignment import Tasks
from headrace.engine.tasks.frontier import Frontier
from headrace.engine.tasks.idle import IdleClock
from headrace.engine.tasks.inputs import Barrier, Released
from headrace.engine.tasks.ticks import Ticks
from headrace.formats.errors import RegistryUnavailableError
from headrace.log.errors import AbortableError
from headrace.log.interface import ConsumerOptions, TopicPartition
from headrace.plan.subtopologies import subtopologies

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headrace.engine.operators.graph import Graph
    from headrace.engine.operators.step import Step
    from headrace.engine.policy import FailedRecord
    from headrace.engine.session import Surroundings, ThreadState
    from headrace.engine.tasks.tables import WholeTables


_RESTORING_POLL = 0.01
"""Longest wait of one poll while the state of a task is on its way: how late it is seen to be there."""


class StateDamagedError(Exception):
    """Files of local state could not be read while they were used."""


@dataclass(frozen=True, slots=True)
class _Changelog:
    """Where the changes of an operator go."""

    operator: str
    group: str
    topic: str


class StatefulSession(Session):
    """Runs a graph over what is read."""

    _starts_over = True
    # Each may change an entry of state, and all of them must reach the log within the time of one transaction.
    _most_in_flight = 250_000

    def __init__(
        self,
        around: Surroundings,
        number: int,
        graph: Graph,
        directory: StateDirectory,
        state: ThreadState,
        tables: WholeTables | None = None,
    ) -> None:
        super().__init__(around, number, graph.policies, graph.refusals, state, tells_positions=True)
        topology, settings = around.topology, self._settings
        self._graph = graph
        self._whole = tables
        groups = subtopologies(topology)
        internal = frozenset(source.topic for source in topology.sources.values() if source.internal)
        properties = {**settings.client, **settings.consumer_client}
        self._looker = (
            around.log.consumer(ConsumerOptions(read_committed=False, properties=properties))
            if internal
            else None
        )
        self._frontier = Frontier(self._consumer, settings.task_idle, self._looker, internal)
        self._inputs = Arrangement(topology, graph.times, self._frontier.behind, self._readable)
        stateful = [group for group in groups if group.operators]
        self._sources = {group.id: group.sources for group in stateful}
        self._changelogs = [
            _Changelog(name, group.id, store.changelog.name)
            for group in stateful
            for name in group.operators
            if (store := graph.operators[name].operator.store) is not None
        ]
        restorer = Restorer(around.log, properties, around.metrics, around.options.discard_state)
        self._tasks = Tasks(topology, stateful, graph, directory, restorer)
        replay = around.options.until_end
        self._idle = IdleClock(graph, stateful, 0.0 if replay else settings.idle_timeout)
        self._ticks = Ticks(graph, stateful, settings.commit_interval)
        self._moved: frozenset[tuple[str, int]] = frozenset()
        self._next_seq = 0
        self._barriers: dict[Barrier, FailedRecord] = {}
        self._changed = False
        self._late: dict[str, int] = {}
        self._full: set[TopicPartition] = set()
        self._sent_back: set[TopicPartition] = set()
        self._marking: dict[str, dict[int, Mark]] = {}
        self._written: dict[TopicPartition, int] = {}

    def run(self) -> None:
        """See `Session.run`.

        Raises:
            StateDamagedError: files of local state are damaged; a new session makes them anew.
        """
        try:
            super().run()
        except DamagedStateError as error:
            self._tasks.distrust()
            raise StateDamagedError(str(error)) from error
        except RuntimeError as error:
            raise state_failed(error) from error

    # -- reading

    def _timeout(self) -> float:
        longest = super()._timeout()
        return min(longest, _RESTORING_POLL) if self._tasks.restoring() else longest

    def _process(self, batches: Sequence[pa.RecordBatch]) -> None:
        for batch in batches:
            self._positions.saw(batch)
            self._inputs.put(batch)
        self._work()

    def _nothing_came(self) -> None:
        if self._inputs.holds():
            self._work()
            if self._rewind:
                return
        held = self._inputs.held_from()
        positions = self._consumer.positions()
        self._positions.advance_idle({item: at for item, at in positions.items() if item not in held})
        if not self._consumer.healthy():
            self._idle.reset()
        for group, found in self._idle.due(self._tasks).items():
            if not self._carry_out(self._graph.advance(found, self._idle.operators(group))):
                return

    def _look_around(self) -> None:
        if self._whole is not None:
            self._failed += self._whole.follow()
        if self._sent_back:
            owned = set(self._consumer.assignment())
            places = {item: at for item, at in self._positions.processed().items() if item in self._sent_back}
            self._consumer.seek({item: at for item, at in places.items() if item in owned})
            self._sent_back.clear()
        if not self._tasks.all_open():
            ready = self._tasks.look()
            if ready:
                self._consumer.resume(sorted(ready))
                self._frontier.forget()
                self._note_written()
        full = set(self._inputs.full())
        if full != self._full:
            self._consumer.pause(sorted(full - self._full))
            self._consumer.resume(sorted((self._full - full) & set(self._consumer.assignment())))
            self._full = full
        if self._ticks.watches():
            self._pass_time()

    def _pass_time(self) -> None:
        """Move the operators by the clock on with it."""
        for group, times in self._ticks.learn(self._tasks).items():
            topics = [self._around.topology.sources[name].topic for name in self._sources[group]]
            for topic in topics:
                self._stamps.not_before({TopicPartition(topic, number): at for number, at in times.items()})
        if self._around.options.clock.read is None or not self._consumer.healthy():
            return
        now = self._stamps.now()
        for operator, moved in self._ticks.due(now, lambda group: self._inputs.least_held(group.sources)):
            if not self._carry_out(self._graph.advance(moved, (operator,))):
                return
        groups = self._ticks.groups()
        self._moved = frozenset(
            (group.id, number) for group in groups for number in self._tasks.opened(group.id)
        )
        if not self._changed:
            self._state.passed = self._moved

    def _hold(self, seconds: float) -> None:
        super()._hold(seconds)
        self._consumer.pause(sorted(self._tasks.waiting() | self._full))

    def _readable(self) -> set[TopicPartition]:
        """Give the partitions that others wait for: those whose state is being restored, too."""
        return set(self._consumer.assignment()) - self._tasks.incomplete()

    # -- processing

    def _work(self) -> None:
        """Process what the order of the tasks lets go."""
        begun = time.monotonic()
        before = set(self._inputs.held_from())
        released = Released(self._next_seq)
        try:
            for inputs in self._inputs.all:
                inputs.release(released, [*self._barriers])
            step = self._graph.process(released.arrived) if released.arrived else None
        except RegistryUnavailableError:
            self._give_back()
            self._await_registry()
            return
        self._registry_answers()
        if step is not None:
            self._next_seq = released.next_seq
            if not self._carry_out(step):
                return
        self._advance(released, before)
        self._count(released, time.monotonic() - begun)
        if released.reached:
            stop = self._barriers[released.reached[0]]
            for barrier in released.reached:
                self._positions.stop_at({barrier.partition: barrier.offset})
            if self._commit():
                self._around.reports.add([stop])
                raise record_failed(stop)

    def _advance(self, released: Released, before: set[TopicPartition]) -> None:
        """Note how far has been processed: up to the first record that is held."""
        held, positions = self._inputs.held_from(), self._consumer.positions()
        done = {partition for item in released.arrived for partition in partitions_of(item.records)}
        places = {item: held.get(item, positions.get(item, -1)) for item in done | before | held.keys()}
        self._positions.advance(places, places)

    def _carry_out(self, step: Step) -> bool:
        """Send what came of a step; False if everything since the last commit must be done again."""
        self._changed = True
        if step.stops:
            self._delivery.abort()
            for failed in step.stops:
                if failed.offset < 0:
                    raise record_failed(failed)
                self._barriers[Barrier(failed.partition, failed.offset)] = failed
            self._rewind = True
            return False
        try:
            for item in step.sendings:
                self._send(item.records, item.output, Kind.LETTER if item.letter else Kind.OUTPUT)
        except AbortableError as error:
            self._repeat(error)
            return False
        self._failed += step.failed
        for operator, count in step.late.items():
            self._late[operator] = self._late.get(operator, 0) + count
        return True

    def _count(self, released: Released, seconds: float) -> None:
        share = seconds / max(1, len(released.arrived))
        for item in released.arrived:
            records = item.records
            self._since_commit += records.num_rows
            topic = records.column("topic")[0].as_py()
            self._metrics.consumed(topic, records.num_rows, size_of(records), share)

    def _give_back(self) -> None:
        """Forget what was read and not processed; it will come again."""
        owned = set(self._consumer.assignment())
        self._inputs.drop()
        # What was let go and not processed is not written by the next commit.
        self._inputs.begin_anew()
        places = {item: at for item, at in self._positions.processed().items() if item in owned}
        if places:
            self._consumer.seek(places)
        self._frontier.forget()

    # -- committing

    def _has_work(self) -> bool:
        return self._changed or super()._has_work()

    def _prepare_commit(self, offsets: Mapping[TopicPartition, int]) -> Mapping[TopicPartition, int]:
        if not self._changed:
            return offsets
        step = self._graph.flush()
        if step.stops:
            self._delivery.abort()
            raise record_failed(step.stops[0])
        for item in step.sendings:
            self._send(item.records, item.output, Kind.LETTER if item.letter else Kind.OUTPUT)
        self._failed += step.failed
        self._delivery.confirm()
        self._marking = self._tasks.unmarked()
        for changelog in self._changelogs:
            fresh = self._marking.get(changelog.operator)
            if fresh:
                # Before the first entry, so that whoever reads a changelog knows at once whose it is.
                self._send_state(changelog, mark_records(fresh))
            self._send_state(changelog, self._graph.operators[changelog.operator].kernel.changes())
        # Offsets go along even if none has moved: they prove that the partitions are still this member's.
        return offsets or self._positions.committed()

    def _send_state(self, changelog: _Changelog, records: pa.RecordBatch) -> None:
        if records.num_rows:
            nothing = pa.array([], pa.int32())
            output = Output(changelog.topic, records, nothing, changelog.operator)
            self._delivery.send(None, output, Kind.STATE)
            self._metrics.stored(changelog.operator, records.num_rows)

    def _after_commit(self) -> None:
        if not self._changed:
            return
        self._changed = False
        self._state.passed = self._moved
        self._inputs.committed()
        self._note_written()
        # Before the entries: a store that holds entries of this program knows that from its marks.
        self._tasks.marked(self._marking)
        self._marking = {}
        for changelog in self._changelogs:
            positions = {
                number: self._written.get(TopicPartition(changelog.topic, number), 0)
                for number in self._tasks.opened(changelog.group)
            }
            kernel = self._graph.operators[changelog.operator].kernel
            kernel.committed(positions)
            self._metrics.set_kernel(changelog.operator, self._number, kernel.stats())
        self._tasks.followed()
        for operator, count in self._late.items():
            self._metrics.late(operator, count)
        self._late = {}

    def _note_written(self) -> None:
        """Take over how far changelogs have been written, here or by former owners of the tasks."""
        for known in (self._tasks.positions(), self._delivery.positions()):
            for place, position in known.items():
                self._written[place] = max(position, self._written.get(place, 0))

    def _undo(self) -> None:
        self._graph.rollback()
        self._inputs.drop()
        self._inputs.begin_anew()
        self._changed = False
        self._late = {}
        self._marking = {}
        self._ticks.reset()
        self._stamps.forget()
        self._moved = frozenset()
        self._frontier.forget()

    # -- the group

    def _gained(self, partitions: Sequence[TopicPartition]) -> None:
        concerned = sorted(self._tasks.concerns(partitions))
        if concerned:
            self._consumer.pause(concerned)
            self._tasks.assigned(concerned)
        self._inputs.begin_anew()
        self._idle.reset()
        self._stamps.forget(partitions)
        self._frontier.forget()

    def _gave_up(self, partitions: Sequence[TopicPartition]) -> None:
        left = self._tasks.revoked(partitions)
        self._ticks.left(self._tasks)
        gone = {*partitions, *left}
        self._inputs.drop(gone)
        self._full -= gone
        self._frontier.forget()
        if left:
            # They wait until the task is complete again; what was read of them and not processed comes again then.
            self._consumer.pause(sorted(left))
            self._sent_back |= left

    def _let_go(self) -> None:
        self._tasks.close()
        self._graph.rollback()
        if self._looker is not None:
            self._looker.close()
