"""Brings the local stores of tasks up to their changelogs, in a thread of its own, while the group goes on.

A store is at a position of its changelog. What stands behind that position is read and applied; a store that cannot be
trusted begins anew and reads everything. The end is what the log holds when a task is taken on, records of transactions
that are still open included: those of a former owner that was killed must be decided before the state is whole.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from headrace import _native
from headrace.engine.state.changelog import by_partition, cut_off, vanished
from headrace.engine.state.directory import state_failed
from headrace.engine.state.followed import Followed
from headrace.engine.state.history import History, stored_marks
from headrace.engine.state.write_buffer import WriteBuffer
from headrace.errors import RunError
from headrace.log.interface import Consumer, ConsumerOptions, TopicPartition
from headrace.telemetry.events import StateStale, StateTakenOver, TaskRestored, TaskRestoring

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    import pyarrow as pa

    from headrace.engine.state.changelog import Mark
    from headrace.log.interface import Log
    from headrace.plan.operators import Operator, Store
    from headrace.telemetry.metrics import Metrics

_BATCH: Final = 100_000
"""Records of one poll."""

_MOST_BUFFERED: Final = 32 << 20
"""The more is written at once the less a record costs; so much holds hundreds of thousands of each of several tasks."""

_COLUMNS: Final = ["partition", "offset", "key", "value"]
"""Of the records of changelogs, those that are of use here."""

_WAIT: Final = 0.005
"""Seconds of one poll: how late a new task or the end is seen, which a warm start waits for."""

_SOON: Final = 60.0
"""Who was away for so many seconds at most has missed no tombstone."""

_TOMBSTONES_MS: Final = 24 * 3600 * 1000
"""For how long a compacted topic keeps tombstones where nothing else is set, in Kafka."""

_TELL: Final = 5.0
"""Seconds between two lines about a task that takes long."""


@dataclass(slots=True)
class StoreRestore:
    """One store of a task.

    Args:
        operator: the plan.
        place: partition of the changelog.
        history: what the changelog says of itself, as far as it was read.
        buffer: what was read and is not in the local copy yet.
        start, position, end: in the changelog, once known: where reading began, where it stands, where it ends.
        stale: the local copy is of another program. It goes when the changelog has shown to be of this one.
    """

    operator: Operator
    place: TopicPartition
    history: History = field(init=False)
    buffer: WriteBuffer = field(init=False, default_factory=WriteBuffer)
    start: int = -1
    position: int = -1
    end: int = -1
    stale: bool = False

    def __post_init__(self) -> None:
        """Begin without a history."""
        self.history = History(self.operator, self.place.topic)

    @property
    def store(self) -> Store:
        """The plan of the store."""
        return self.operator.store

    @property
    def mark(self) -> Mark | None:
        """What the changelog must be told with the first entry of this program; None if it says it already."""
        return self.history.missing

    def done(self) -> bool:
        """Say whether everything up to the end has been read."""
        return 0 <= self.end <= self.position


@dataclass(slots=True)
class RestoreJob:
    """A task on its way back.

    `finished` and `error` are set by the restorer, `cancelled` by the owner; after `finished` only the owner touches the
    local store.
    """

    task: str
    local: _native.LocalStore
    stores: list[StoreRestore]
    began: float
    followed: Followed = field(default_factory=lambda: Followed(None))
    records: int = 0
    told: float = 0.0
    cancelled: bool = False
    finished: bool = False
    damaged: bool = False
    error: Exception | None = field(default=None)


class Restorer:
    """A thread that restores the tasks of one session; it ends with `close`."""

    def __init__(
        self,
        log: Log,
        properties: Mapping[str, str],
        metrics: Metrics,
        discarded: Collection[str] = (),
        clock: Callable[[], float] = time.monotonic,
        *,
        announces: bool = True,
        most_buffered: int = _MOST_BUFFERED,
    ) -> None:
        """Begin without tasks.

        Args:
            log: where the changelogs are.
            properties: of the consumers.
            metrics: of the processor.
            discarded: stores whose changelogs were deleted on purpose.
            clock: monotonic.
            announces: tell how far it is and when a task is ready; not for copies that no task waits for.
            most_buffered: bytes of all tasks together that are read and not written.
        """
        self._announces = announces
        self._most_buffered = most_buffered
        self._log = log
        self._discarded = frozenset(discarded)
        self._properties = dict(properties)
        self._metrics = metrics
        self._clock = clock
        self._changed = threading.Condition()
        self._new: list[RestoreJob] = []
        self._closing = False
        self._thread: threading.Thread | None = None
        self._jobs: list[RestoreJob] = []
        self._told: set[str] = set()

    def begin(self, jobs: Sequence[RestoreJob]) -> None:
        """Restore tasks; look at each job for its end."""
        if not jobs:
            return
        with self._changed:
            self._new += jobs
            self._changed.notify()
        if self._thread is None:
            name = threading.current_thread().name
            self._thread = threading.Thread(target=self._run, name=f"{name}-restore", daemon=True)
            self._thread.start()

    def cancel(self, job: RestoreJob) -> None:
        """Stop restoring a task, and wait until nothing of it is touched any more."""
        with self._changed:
            job.cancelled = True
            self._changed.notify()
            while not job.finished and self._thread is not None and self._thread.is_alive():
                self._changed.wait(_WAIT)

    def close(self) -> None:
        """Give up what is not finished, and end the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    # -- the thread

    def _run(self) -> None:
        consumer: Consumer | None = None
        looker: Consumer | None = None
        try:
            while True:
                taken = self._take(wait=not self._jobs)
                if taken is None:
                    return
                if consumer is None or looker is None:
                    consumer, looker = self._consumer(committed=True), self._consumer(committed=False)
                if taken:
                    self._look_at(taken, looker)
                if self._settle() or taken:
                    self._assign(consumer)
                self._read(consumer)
        except Exception as error:
            self._fail(error)
        finally:
            for member in (consumer, looker):
                if member is not None:
                    member.close()

    def _consumer(self, *, committed: bool) -> Consumer:
        return self._log.consumer(ConsumerOptions(read_committed=committed, properties=self._properties))

    def _take(self, *, wait: bool) -> list[RestoreJob] | None:
        """Give the new jobs; None at the end."""
        with self._changed:
            while wait and not self._new and not self._closing:
                self._changed.wait()
            taken, self._new = self._new, []
            closing = self._closing
        self._jobs += taken
        if closing:
            for job in [*self._jobs]:
                self._give_up(job)
            return None
        return taken

    def _guarded(self, job: RestoreJob, work: Callable[[], None]) -> None:
        """Let a job fail alone."""
        try:
            work()
        except _native.DamagedStateError:
            job.damaged = True
            self._finish(job)
        except RuntimeError as error:
            job.error = state_failed(error)
            self._finish(job)
        except Exception as error:
            job.error = error
            self._finish(job)

    def _look_at(self, jobs: Sequence[RestoreJob], looker: Consumer) -> None:
        """Find out from where to where each store of these tasks is read."""
        try:
            bounds = looker.watermarks([item.place for job in jobs for item in job.stores])
        except Exception as error:
            for job in jobs:
                job.error = error
                self._finish(job)
            return
        _open_all(jobs)
        for job in jobs:
            self._guarded(job, partial(self._look, job, bounds))

    def _look(self, job: RestoreJob, bounds: Mapping[TopicPartition, tuple[int, int]]) -> None:
        for item in job.stores:
            name = item.store.name
            low, high = bounds[item.place]
            item.end = high
            known = job.local.fingerprint(name)
            position = job.local.position(name) if known == item.store.fingerprint else None
            reason = None
            item.stale = known is not None and known != item.store.fingerprint
            if low > (position or 0):
                # Changelogs are only compacted, which leaves their beginning where it is.
                raise cut_off(name, item.place.topic)
            if position is not None and position > high:
                if high == low and name not in self._discarded:
                    raise vanished(name, item.place.topic)
                reason = "its changelog was begun anew"
            elif position is not None and position < high and self._outlived(job, item):
                reason = "it was away for longer than the changelog remembers what was deleted"
            if reason is not None:
                StateStale(name, item.place.partition, reason).emit(self._metrics)
            if reason is not None or known is None:
                job.local.begin(name, item.store.fingerprint)
                position = None
            item.start = item.position = low if position is None else position
            if position is not None:
                # A copy that was in step with the changelog once has seen whose it is.
                item.history.known(stored_marks(job.local, name))
        self._finish_if_done(job)

    def _outlived(self, job: RestoreJob, item: StoreRestore) -> bool:
        """Say whether tombstones that the copy has not read may be gone."""
        away = job.followed.away()
        return away > _SOON and away > self._remembers(item.place.topic)

    def _remembers(self, changelog: str) -> float:
        """Give the seconds for which a changelog keeps tombstones."""
        with closing(self._log.admin()) as admin:
            found = admin.describe(changelog)
        return float((found.configs if found else {}).get("delete.retention.ms", _TOMBSTONES_MS)) / 1000

    def _settle(self) -> bool:
        """Drop the jobs that are given up; say whether there were any."""
        gone = [job for job in self._jobs if job.cancelled]
        for job in gone:
            self._give_up(job)
        return bool(gone)

    def _give_up(self, job: RestoreJob) -> None:
        """Leave a job where it is; whoever takes it up again goes on there."""
        self._guarded(job, partial(_write_all, job))
        self._finish(job)

    def _assign(self, consumer: Consumer) -> None:
        places = {item.place: item.position for job in self._jobs for item in job.stores if not item.done()}
        consumer.assign(places)
        # One that was done before may have more to read now; an assignment leaves it paused.
        consumer.resume(list(places))

    def _read(self, consumer: Consumer) -> None:
        if not self._jobs:
            return
        places = {item.place: (job, item) for job in self._jobs for item in job.stores if not item.done()}
        for batch in consumer.poll(_BATCH, _WAIT):
            topic = batch.column("topic")[0].as_py()
            for number, records in by_partition(batch.select(_COLUMNS)):
                found = places.get(TopicPartition(topic, number))
                if found is not None:
                    job, item = found
                    self._guarded(job, partial(_apply, job, item, records))
            self._make_room()
        # What is no record counts too: the ends of transactions, and those that were aborted.
        positions = consumer.positions()
        for place, (_, item) in places.items():
            position = positions.get(place, -1)
            if position > item.position:
                item.position = position
        for job in [*self._jobs]:
            if not job.finished:
                self._guarded(job, partial(self._finish_if_done, job))
        # To assign again would throw away what has been fetched of the others.
        consumer.pause([place for place, (job, item) in places.items() if item.done() or job.finished])
        self._tell()

    def _make_room(self) -> None:
        """Write the longest of what is buffered while it is too much in all."""
        places = [(job, item) for job in self._jobs for item in job.stores]
        while sum(item.buffer.bytes for _, item in places) > self._most_buffered:
            job, item = max(places, key=lambda place: place[1].buffer.bytes)
            self._guarded(job, partial(_write, job, item))
            places.remove((job, item))

    def _finish_if_done(self, job: RestoreJob) -> None:
        if not all(item.done() for item in job.stores):
            return
        for item in job.stores:
            if item.stale:
                # The changelog holds nothing: what the old program left was given up.
                _begin_anew(job, item)
            _write(job, item)
            try:
                taken_over = item.history.settle()
            except RunError as error:
                job.error = error
                break
            if taken_over is not None and self._announces and item.store.name not in self._told:
                self._told.add(item.store.name)
                StateTakenOver(item.store.name, taken_over.changes, taken_over.consequences).emit(
                    self._metrics
                )
        if job.error is None:
            job.followed.note()
        if job.error is None and self._announces:
            TaskRestored(job.task, job.records, self._clock() - job.began).emit(self._metrics)
        self._finish(job)

    def _finish(self, job: RestoreJob) -> None:
        if job in self._jobs:
            self._jobs.remove(job)
        with self._changed:
            job.finished = True
            self._changed.notify_all()

    def _fail(self, error: Exception) -> None:
        """Let everything that is on its way fail: the log is away, or refuses."""
        with self._changed:
            self._closing = True
            jobs, self._jobs, self._new = [*self._jobs, *self._new], [], []
            for job in jobs:
                job.error = job.error or error
                job.finished = True
            self._changed.notify_all()

    def _tell(self) -> None:
        now = self._clock()
        for job in self._jobs if self._announces else ():
            if now - max(job.told, job.began) < _TELL:
                continue
            job.told = now
            done = sum(item.position - item.start for item in job.stores)
            total = sum(item.end - item.start for item in job.stores)
            TaskRestoring(job.task, done, total).emit(self._metrics)


def _open_all(jobs: Sequence[RestoreJob]) -> None:
    """Open the local stores of several tasks side by side: each reads its journal again, which takes no interpreter."""

    def look(place: tuple[RestoreJob, StoreRestore]) -> None:
        job, item = place
        # What is wrong with one is found again, and told, when it is used.
        with contextlib.suppress(RuntimeError):
            job.local.position(item.store.name)

    places = [(job, item) for job in jobs for item in job.stores]
    if len(places) > 1:
        with ThreadPoolExecutor(min(len(places), os.cpu_count() or 1)) as pool:
            list(pool.map(look, places))


def _apply(job: RestoreJob, item: StoreRestore, records: pa.RecordBatch) -> None:
    """Read what stands in the changelog, in the form that this program has."""
    if job.finished:
        return
    position = records.column("offset")[-1].as_py() + 1
    entries = item.history.read(records)
    if item.stale:
        _begin_anew(job, item)
    if len(entries.keys):
        item.buffer.add(entries)
        job.records += entries.count
    item.position = position


def _begin_anew(job: RestoreJob, item: StoreRestore) -> None:
    job.local.begin(item.store.name, item.store.fingerprint)
    item.stale = False


def _write(job: RestoreJob, item: StoreRestore) -> None:
    """Write what was read into the local copy, and how far that is."""
    if item.stale:
        return
    known = job.local.position(item.store.name)
    # Without a record nothing is known of whose the changelog is: then the copy stays without a position.
    if item.buffer.bytes or (known is not None and known < item.position):
        item.buffer.write(job.local, item.store.name, item.position)


def _write_all(job: RestoreJob) -> None:
    for item in job.stores:
        _write(job, item)
