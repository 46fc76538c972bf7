"""One membership in the consumer group, from joining to leaving: the loop poll, process, send, commit.

What is done with the records is left to `engine.stateless` and `engine.tasks.session`.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from headrace.engine.clock import Stamps
from headrace.engine.commit_interval import CommitInterval
from headrace.engine.delivery import AtLeastOnce, Delivery, ExactlyOnce, Kind, RefusedError, Undelivered
from headrace.engine.faults import Fault, Stage
from headrace.engine.policy import (
    FailedRecord,
    Policies,
    changelog_refused,
    dead_letter_refused,
    record_failed,
)
from headrace.engine.positions import Positions, first_offset, partitions_of
from headrace.engine.scratch import read_record
from headrace.engine.state.replicas import process_name
from headrace.errors import HeadraceError
from headrace.log.errors import AbortableError, FencedError, LogError
from headrace.log.interface import ConsumerOptions, Log, ProducerOptions, TopicPartition
from headrace.plan.topology import ErrorPolicy, Guarantee, Topology
from headrace.telemetry.events import (
    PartitionsAssigned,
    PartitionsLost,
    PartitionsRevoked,
    WorkRepeated,
)

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa

    from headrace.engine.options import ProcessorOptions
    from headrace.engine.pipeline import Output
    from headrace.engine.preparation import Targets
    from headrace.engine.refusals import Refusals
    from headrace.engine.reports import FailureReports
    from headrace.engine.state.directory import StateDirectory
    from headrace.engine.waiting import ServiceWatch
    from headrace.formats.interface import Registry
    from headrace.telemetry.metrics import Metrics

_IDLE_POLL = 0.1
"""Longest wait of one poll, in seconds: how late a stop request may be seen."""

_IDLE_POLL_AT_END = 0.005
"""The same while somebody waits for the run to end."""

_LINGER = 0.005
"""Wait for more once the first record is there: a batch costs half a millisecond however small it is."""

_TRICKLE = 16
"""After a batch smaller than this, nothing is waited for: delay matters then, the cost of small batches does not."""

_LONG_INTERVAL = 30.0
"""Seconds between commits from which transactions need more than the minute that the log gives them."""

_BACK_OFF = (0.2, 5.0)
"""First and longest pause, in seconds, before the same work is tried again."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all threads of a processor share."""

    topology: Topology
    log: Log
    registry: Registry | None
    options: ProcessorOptions
    targets: Targets
    metrics: Metrics
    reports: FailureReports
    broker: ServiceWatch
    schemas: ServiceWatch
    stopping: threading.Event
    identity: str
    directory: StateDirectory
    state_memory: int


@dataclass(slots=True)
class ThreadState:
    """What others may see of a thread; the thread replaces the values, never changes them in place."""

    owned: frozenset[TopicPartition] = frozenset()
    committed: Mapping[TopicPartition, int] = field(default_factory=dict)
    joined: bool = False
    passed: frozenset[tuple[str, int]] = frozenset()
    """Tasks, by sub-topology and partition, that the clock has moved on, with what came of it committed."""


class Session:
    """A consumer, a producer and what is in flight between them. Belongs to one thread."""

    _most_in_flight = 1 << 62
    """Records after which a commit is due at the latest, whatever the options allow."""

    _starts_over = False
    """Whether a refused output is met by processing again from the last commit on, whatever the guarantee."""

    def __init__(
        self,
        around: Surroundings,
        number: int,
        policies: Policies,
        refusals: Refusals,
        state: ThreadState,
        *,
        tells_positions: bool = False,
    ) -> None:
        """Join the group.

        Args:
            around: what all threads share.
            number: of the thread.
            policies: for records that fail.
            refusals: outlive the session, for records that come again.
            state: what others may see.
            tells_positions: whether the producer keeps how far it has written.
        """
        self._around = around
        self._number = number
        self._policies = policies
        self._refusals = refusals
        self._state = state
        self._metrics = around.metrics
        self._settings = around.topology.settings
        self._positions = Positions()
        self._stamps = Stamps(around.topology, around.options.clock)
        self._rewind = False
        self._repeats = 0
        self._registry_tries = 0
        # Told when they are committed: an aborted transaction meets them again.
        self._failed: list[FailedRecord] = []
        self._since_commit = 0
        self._last_count = 0
        self._interval = CommitInterval(self._settings.commit_interval)
        self._stop_seen: float | None = None
        self._callback_error: HeadraceError | None = None
        self._abandoned = False
        self.commits = 0
        name = f"{around.identity}-{number}"
        settings, options = self._settings, around.options
        self._consumer = around.log.consumer(
            ConsumerOptions(
                group=options.application,
                instance=f"{options.instance}-{number}" if options.instance else None,
                offset_reset=settings.offset_reset,
                properties={**settings.client, **settings.consumer_client},
                process=process_name(around.identity),
            )
        )
        try:
            # Joining takes about as long as making a transactional producer, and goes on meanwhile.
            self._consumer.subscribe(
                sorted(source.topic for source in around.topology.sources.values()),
                on_assign=self._on_assign,
                on_revoke=self._on_revoke,
                on_lost=self._on_lost,
            )
            exactly = settings.guarantee is Guarantee.EXACTLY_ONCE
            producer = around.log.producer(
                ProducerOptions(
                    transactional_id=f"{options.application}-{name}" if exactly else None,
                    record_limits=around.targets.record_limits,
                    tells_positions=tells_positions,
                    properties={
                        **_transaction_timeout(settings.commit_interval),
                        **settings.client,
                        **settings.producer_client,
                    },
                )
            )
        except BaseException:
            self._consumer.close()
            raise
        kind = ExactlyOnce if exactly else AtLeastOnce
        self._delivery: Delivery = kind(producer, self._consumer, self._out_of_patience)

    def run(self) -> None:
        """Process until a stop is requested; then finish the batch, commit and leave the group."""
        stopping = self._around.stopping
        while not stopping.is_set():
            self._go_back()
            self._look_around()
            batches = self._poll(self._timeout(), _LINGER if self._last_count >= _TRICKLE else 0.0)
            if self._rewind:
                self._drop(batches)
                continue
            if batches:
                self._process(batches)
            else:
                self._nothing_came()
            if not self._rewind and self._commit_due():
                self._commit()
        if not self._rewind:
            self._commit()
        self._consumer.close()
        self._delivery.close()
        self._let_go()

    def abandon(self) -> None:
        """Leave without committing; what is not committed is done again by whoever takes over."""
        self._abandoned = True
        for step in (self._delivery.abort, self._consumer.close, self._delivery.close, self._let_go):
            with contextlib.suppress(LogError):
                step()

    # -- reading

    def _poll(self, timeout: float, linger: float) -> list[pa.RecordBatch]:
        batches = self._consumer.poll(self._around.options.batch_records, timeout, linger)
        if self._callback_error is not None:
            raise self._callback_error
        self._last_count = sum(batch.num_rows for batch in batches)
        there = bool(batches) or self._consumer.healthy()
        self._around.broker.seen(self._number, there=there)
        self._state.joined |= there
        return [self._stamps.stamp(batch) for batch in batches]

    def _timeout(self) -> float:
        longest = _IDLE_POLL_AT_END if self._around.options.until_end else _IDLE_POLL
        if not self._has_work():
            return longest
        return min(longest, self._interval.left())

    def _drop(self, batches: Sequence[pa.RecordBatch]) -> None:
        """Send the consumer back to the first of these records; they will come again."""
        places = {
            partition: first_offset(batch, partition)
            for batch in batches
            for partition in partitions_of(batch)
        }
        if places:
            self._consumer.seek(places)

    def _registry_answers(self) -> None:
        self._around.schemas.seen(self._number, there=True)
        self._registry_tries = 0

    def _await_registry(self) -> None:
        """Commit what is done and wait; what was read since must have been given back."""
        self._around.schemas.seen(self._number, there=False)
        self._commit()
        self._registry_tries += 1
        self._hold(_pause(self._registry_tries))

    def _hold(self, seconds: float) -> None:
        """Wait without reading, but stay a member of the group."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self._around.stopping.is_set():
            self._consumer.pause(self._consumer.assignment())
            self._drop(self._poll(min(_IDLE_POLL, seconds), 0.0))
        self._consumer.resume(self._consumer.assignment())

    # -- processing

    def _process(self, batches: Sequence[pa.RecordBatch]) -> None:
        """Process what was read, and send what comes of it."""
        raise NotImplementedError

    def _look_around(self) -> None:
        """Do what is due before the next poll."""

    def _nothing_came(self) -> None:
        """Do what is due after a poll without records."""
        self._positions.advance_idle(self._consumer.positions())

    def _has_work(self) -> bool:
        """Say whether there is something to commit."""
        return bool(self._positions.dirty())

    def _prepare_commit(self, offsets: Mapping[TopicPartition, int]) -> Mapping[TopicPartition, int]:
        """Send what waits for the commit; give the offsets that it commits."""
        return offsets

    def _after_commit(self) -> None:
        """Take note that everything sent is committed."""

    def _undo(self) -> None:
        """Forget everything since the last commit: the same records come again."""

    def _gained(self, partitions: Sequence[TopicPartition]) -> None:
        """Take partitions on, before the first record of them comes."""

    def _gave_up(self, partitions: Sequence[TopicPartition]) -> None:
        """Let partitions go."""

    def _let_go(self) -> None:
        """Let go of everything at the end."""

    def _send(self, records: pa.RecordBatch | None, output: Output, kind: Kind = Kind.OUTPUT) -> None:
        self._delivery.send(records, output, kind)
        self._metrics.produced(output.topic, output.records.num_rows, size_of(output.records))

    # -- committing

    def _commit_due(self) -> bool:
        if self._around.options.until_end and not self._last_count:
            # Everything that is there has been read: the end may be reached by this commit.
            return True
        most = min(self._most_in_flight, self._around.options.in_flight_records)
        return self._since_commit >= most or not self._interval.left()

    def _commit(self) -> bool:
        """Commit what is processed; False if the work must be done again (the rewind is then due)."""
        begun = self._interval.now()
        if not self._has_work():
            # What comes after a pause longer than the interval is committed at once, not an interval later.
            return True
        offsets: Mapping[TopicPartition, int] = self._positions.dirty()
        try:
            try:
                offsets = self._prepare_commit(offsets)
                undelivered = self._delivery.commit(offsets)
            except RefusedError as refused:
                undelivered = refused.undelivered
            if undelivered and not self._settle(undelivered, offsets):
                return False
        except AbortableError as error:
            self._repeat(error)
            return False
        self._positions.commit(offsets)
        self._after_commit()
        self._refusals.forget(offsets)
        self._around.reports.add(self._failed)
        self._failed = []
        self._state.committed = {**self._state.committed, **offsets}
        self._since_commit = self._repeats = 0
        self.commits += 1
        self._metrics.committed(self._interval.committed(begun))
        return True

    def _settle(self, undelivered: Sequence[Undelivered], offsets: Mapping[TopicPartition, int]) -> bool:
        """Apply the policy to records whose outputs the log refuses; True if the rest is committed after all."""
        for record in undelivered:
            if record.kind is Kind.LETTER:
                raise dead_letter_refused(record)
            if record.kind is Kind.STATE:
                raise changelog_refused(record)
        if self._starts_over or self._settings.guarantee is Guarantee.EXACTLY_ONCE:
            # The whole transaction is gone, or state must go back. The same records come again; these fail before
            # anything is sent.
            for record in undelivered:
                if record.of_operator:
                    self._refusals.refuse_row(record.topic, record.key, record.reason)
                else:
                    self._refusals.refuse(record.partition, record.offset, record.reason)
            self._rewind = True
            return False
        policy = self._settings.on_write_error
        failed = [
            FailedRecord(record.partition, record.offset, Fault(Stage.DELIVER, record.reason), policy)
            for record in undelivered
        ]
        if policy is ErrorPolicy.FAIL:
            cut = dict(offsets)
            for item in failed:
                cut[item.partition] = min(item.offset, cut.get(item.partition, item.offset))
            self._delivery.commit(cut)
            self._positions.commit(cut)
            self._around.reports.add(failed[:1])
            raise record_failed(failed[0])
        if policy is ErrorPolicy.DLQ:
            for item in failed:
                self._send_letter(item)
        self._around.reports.add(failed)
        again = self._delivery.commit(offsets)
        if again:
            raise dead_letter_refused(again[0])
        return True

    def _send_letter(self, failed: FailedRecord) -> None:
        properties = {**self._settings.client, **self._settings.consumer_client}
        record = read_record(self._around.log, failed.partition, failed.offset, properties)
        if record is None:
            return
        self._send(record, self._policies.letters(record, {0: failed.fault}), Kind.LETTER)

    def _repeat(self, error: AbortableError) -> None:
        self._repeats += 1
        WorkRepeated(str(error)).emit(self._metrics)
        try:
            self._delivery.abort()
        except FencedError:
            raise
        except LogError as refused:
            # Why there is something to abort says more than why it cannot be aborted.
            raise LogError((*error.diagnostics, *refused.diagnostics)) from refused
        self._rewind = True

    def _go_back(self) -> None:
        if not self._rewind:
            return
        self._rewind = False
        self._since_commit = 0
        self._failed = []
        self._undo()
        owned = set(self._consumer.assignment())
        places = {place: offset for place, offset in self._positions.rewind().items() if place in owned}
        if places:
            self._consumer.seek(places)
        if self._repeats > 1:
            self._hold(_pause(self._repeats))

    def _out_of_patience(self) -> bool:
        if not self._around.stopping.is_set():
            return False
        if self._stop_seen is None:
            self._stop_seen = time.monotonic()
        return time.monotonic() - self._stop_seen > self._around.options.patience

    # -- the group

    def _on_assign(self, partitions: Sequence[TopicPartition]) -> None:
        self._positions.forget(partitions)
        self._state.owned = self._state.owned | set(partitions)
        self._state.joined = True
        self._guard(lambda: self._gained(partitions))
        if partitions:
            self._metrics.rebalanced("assigned")
            PartitionsAssigned(_names(partitions)).emit(self._metrics)

    def _on_revoke(self, partitions: Sequence[TopicPartition]) -> None:
        if not self._abandoned:
            self._guard(self._commit_before_handing_over)
        self._leave(partitions)
        if partitions:
            self._metrics.rebalanced("revoked")
            PartitionsRevoked(_names(partitions)).emit(self._metrics)

    def _on_lost(self, partitions: Sequence[TopicPartition]) -> None:
        if not self._abandoned:
            self._guard(self._delivery.abort)
            self._rewind = True
        self._leave(partitions)
        if partitions:
            self._metrics.rebalanced("lost")
            PartitionsLost(_names(partitions)).emit(self._metrics)

    def _commit_before_handing_over(self) -> None:
        if not self._rewind:
            self._commit()

    def _guard(self, step: Callable[[], None]) -> None:
        # Callbacks run inside the client's poll; what they raise goes up from our own frame after it.
        try:
            step()
        except HeadraceError as error:
            self._callback_error = error

    def _leave(self, partitions: Sequence[TopicPartition]) -> None:
        self._guard(lambda: self._gave_up(partitions))
        self._positions.forget(partitions)
        self._state.owned = self._state.owned - set(partitions)


def _transaction_timeout(commit_interval: float) -> dict[str, str]:
    """Let transactions live well longer than from one commit to the next, where the log's default is too short."""
    if commit_interval < _LONG_INTERVAL:
        return {}
    return {"transaction.timeout.ms": str(round(commit_interval * 2000))}


def _pause(tries: int) -> float:
    first, longest = _BACK_OFF
    return min(longest, first * 2.0 ** min(tries, 10))


def size_of(records: pa.RecordBatch) -> int:
    """Give the bytes of keys and values."""
    return sum(records.column(name).nbytes for name in ("key", "value") if name in records.schema.names)


def _names(partitions: Sequence[TopicPartition]) -> str:
    topics: dict[str, list[int]] = {}
    for item in sorted(partitions):
        topics.setdefault(item.topic, []).append(item.partition)
    return ", ".join(f"{topic}[{','.join(map(str, numbers))}]" for topic, numbers in topics.items())
