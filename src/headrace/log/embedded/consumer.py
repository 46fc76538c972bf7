"""Reads the embedded log: group events first, then what is new in the partitions, in whole batches."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from headrace.errors.codes import log as codes
from headrace.log.embedded import groups, segments, topics
from headrace.log.embedded.cursor import Cursor
from headrace.log.embedded.database import Session, Version
from headrace.log.embedded.faults import fenced, log_error
from headrace.log.embedded.membership import Membership
from headrace.log.interface import ConsumerOptions, OffsetReset, Offsets, OnPartitions, TopicPartition
from headrace.log.records import RECORDS

if TYPE_CHECKING:
    import sqlite3

BEGINNING: Final = -2
END: Final = -1
COMMITTED: Final = -1000
"""The offsets of `assign` that stand for a place, as in librdkafka."""

_MAX_POLL_BYTES: Final = 32 << 20
"""One `poll` gives about so much at most, so that the memory of a reader is bounded."""

_Run = tuple[int, int, pa.RecordBatch]
"""Partition, first offset, records."""

JoinGroup = Callable[[Session, tuple[str, ...]], Membership]
"""Makes a member of the consumer's group that reads these topics."""


class EmbeddedConsumer:
    """`Consumer` of the embedded log."""

    def __init__(
        self,
        session: Session,
        options: ConsumerOptions,
        *,
        join: JoinGroup,
        leave: Callable[[Membership], None],
    ) -> None:
        """Make a consumer.

        Args:
            session: its connection, closed with it.
            options: see `ConsumerOptions`; nothing is visible before its commit here, so `read_committed`
                changes nothing.
            join: makes a member of the group.
            leave: is told when the member is gone.
        """
        self._session = session
        self._options = options
        self._join = join
        self._leave = leave
        self._membership: Membership | None = None
        self._callbacks: tuple[OnPartitions, OnPartitions, OnPartitions] | None = None
        self._cursors: dict[TopicPartition, Cursor] = {}
        self._topics_revision = -1
        self._drained: Version | None = None
        self._turn = 0
        self._closed = False

    def subscribe(
        self,
        topics: Sequence[str],
        *,
        on_assign: OnPartitions,
        on_revoke: OnPartitions,
        on_lost: OnPartitions,
    ) -> None:
        """See `Consumer.subscribe`. Topics that do not exist yet are read as soon as they do."""
        self._group()
        if self._membership is not None or self._cursors:
            raise log_error(
                codes.BAD_STATE, "this consumer has its partitions already", "make another consumer"
            )
        self._callbacks = (on_assign, on_revoke, on_lost)
        self._membership = self._join(self._session, tuple(topics))

    def assign(self, positions: Offsets) -> None:
        """See `Consumer.assign`."""
        if self._membership is not None:
            raise log_error(codes.BAD_STATE, "this consumer has subscribed already", "make another consumer")
        with self._session.read() as tx:
            cursors = {}
            for place, position in positions.items():
                topic = topics.require_partition(tx, place)
                cursors[place] = Cursor(
                    topic.id, place.partition, self._resolve(tx, topic.id, place, position)
                )
            self._topics_revision = topics.revision(tx)
        self._cursors = cursors
        self._drained = None

    def poll(self, max_records: int, timeout: float, linger: float = 0.0) -> list[pa.RecordBatch]:
        """See `Consumer.poll`."""
        deadline = time.monotonic() + timeout
        while True:
            seen = self._session.version()
            self._serve()
            runs = self._fetch(max_records, seen)
            if runs:
                if linger > 0:
                    self._linger(runs, max_records, linger)
                return [_batch(topic, parts) for topic, parts in runs.items()]
            left = deadline - time.monotonic()
            if left <= 0:
                return []
            self._session.wait(seen, min(left, self._patience()))

    def _patience(self) -> float:
        """Seconds until the group wants to hear of this member again."""
        return self._membership.timing.beat_ms / 3000 if self._membership is not None else 3600.0

    def _linger(self, runs: dict[str, list[_Run]], max_records: int, linger: float) -> None:
        deadline = time.monotonic() + linger
        while True:
            found = sum(batch.num_rows for parts in runs.values() for _, _, batch in parts)
            left = deadline - time.monotonic()
            if found >= max_records or left <= 0:
                return
            seen = self._session.version()
            more = self._fetch(max_records - found, seen)
            for topic, parts in more.items():
                runs.setdefault(topic, []).extend(parts)
            if not more:
                self._session.wait(seen, left)

    def _serve(self) -> None:
        """Let the group have its way until nothing changes any more."""
        if self._membership is None or self._callbacks is None:
            return
        on_assign, on_revoke, on_lost = self._callbacks
        while step := self._membership.step():
            if step.lost:
                self._drop(step.lost)
                on_lost(step.lost)
            if step.revoke:
                on_revoke(step.revoke)
                self._drop(step.revoke)
                self._membership.release(step.revoke)
            if step.gained:
                self._begin(step.gained)
                on_assign(step.gained)
            self._refuse_deleted((*step.lost, *step.revoke))

    def _refuse_deleted(self, gone: Iterable[TopicPartition]) -> None:
        """Tell of a topic that has been read and is gone; waiting for it in silence would hide that."""
        with self._session.read() as tx:
            for name in sorted({place.topic for place in gone}):
                if topics.find(tx, name) is None:
                    message = f"topic `{name}` does not exist on `{self._session.name}`"
                    raise log_error(codes.NO_SUCH_TOPIC, message)

    def _begin(self, places: Iterable[TopicPartition]) -> None:
        with self._session.read() as tx:
            for place in places:
                topic = topics.require_partition(tx, place)
                position = self._resolve(tx, topic.id, place, COMMITTED)
                self._cursors[place] = Cursor(topic.id, place.partition, position)
        self._drained = None

    def _drop(self, places: Iterable[TopicPartition]) -> None:
        for place in places:
            self._cursors.pop(place, None)

    def _fetch(self, max_records: int, seen: Version) -> dict[str, list[_Run]]:
        """Take up to `max_records` from the partitions in turn; `seen` is the version that stood before."""
        reading = [(place, cursor) for place, cursor in self._cursors.items() if not cursor.paused]
        if not reading or self._drained == seen:
            return {}
        runs: dict[str, list[_Run]] = {}
        self._turn = (self._turn + 1) % len(reading)
        reading = reading[self._turn :] + reading[: self._turn]
        left, size = max_records, _MAX_POLL_BYTES
        with self._session.read() as tx:
            self._follow_topics(tx)
            ends = topics.end_offsets(tx, sorted({cursor.topic for _, cursor in reading}))
            behind = []
            for place, cursor in reading:
                end = ends.get((cursor.topic, cursor.partition), 0)
                if cursor.position > end:
                    cursor.seek(self._reset(tx, cursor.topic, place))
                if cursor.position < end and not cursor.ahead:
                    self._skip_deleted(tx, place, cursor)
                if cursor.position < end:
                    behind.append((place, cursor))
            for number, (place, cursor) in enumerate(behind):
                # An equal share of what is left for each that comes: no partition waits while another is
                # drained.
                share = max(left // (len(behind) - number), 1)
                cursor.fill(tx, share)
                for base, batch in cursor.take(share, size):
                    runs.setdefault(place.topic, []).append((place.partition, base, batch))
                    left -= batch.num_rows
                    size -= batch.nbytes
                if left <= 0 or size <= 0:
                    break
        self._drained = None if runs else seen
        return runs

    def _skip_deleted(self, tx: sqlite3.Connection, place: TopicPartition, cursor: Cursor) -> None:
        """Go on where the log begins now, or where `offset_reset` says, if the records at the position were deleted."""
        first = segments.first_offset(tx, cursor.topic, cursor.partition)
        if cursor.position < first:
            earliest = self._options.offset_reset is OffsetReset.EARLIEST
            cursor.seek(first if earliest else self._reset(tx, cursor.topic, place))

    def _follow_topics(self, tx: sqlite3.Connection) -> None:
        """Begin anew in topics that were deleted and made again."""
        revision = topics.revision(tx)
        if revision == self._topics_revision:
            return
        self._topics_revision = revision
        for place, cursor in self._cursors.items():
            topic = topics.find(tx, place.topic)
            if topic is not None and topic.id != cursor.topic:
                cursor.topic = topic.id
                cursor.seek(0)
                cursor.ahead.clear()

    def _resolve(self, tx: sqlite3.Connection, topic: int, place: TopicPartition, position: int) -> int:
        """Give the offset for one that may stand for a place."""
        end = topics.end_offset(tx, topic, place.partition)
        if position == COMMITTED:
            known = groups.committed(tx, self._group(), place)
            return known if known is not None and known <= end else self._reset(tx, topic, place)
        if position == BEGINNING:
            return segments.first_offset(tx, topic, place.partition)
        if position == END:
            return end
        if position < 0:
            raise log_error(codes.BAD_STATE, f"{position} is no offset of `{place.topic}`")
        return position

    def _reset(self, tx: sqlite3.Connection, topic: int, place: TopicPartition) -> int:
        match self._options.offset_reset:
            case OffsetReset.EARLIEST:
                return segments.first_offset(tx, topic, place.partition)
            case OffsetReset.LATEST:
                return topics.end_offset(tx, topic, place.partition)
            case OffsetReset.NONE:
                raise log_error(
                    codes.NO_OFFSET,
                    f"no committed offset inside of partition {place.partition} of `{place.topic}`",
                    "say where to begin: `earliest` or `latest`",
                )

    def _group(self) -> str:
        if self._options.group is None:
            raise log_error(
                codes.BAD_STATE, "this consumer has no group", "name one to subscribe or to commit"
            )
        return self._options.group

    def healthy(self) -> bool:
        """Say whether the log is open: there is no broker that could be away."""
        return not self._closed

    def assignment(self) -> list[TopicPartition]:
        """Give the partitions that this consumer reads."""
        return sorted(self._cursors)

    def _cursor(self, place: TopicPartition) -> Cursor:
        cursor = self._cursors.get(place)
        if cursor is None:
            raise log_error(
                codes.BAD_STATE,
                f"partition {place.partition} of `{place.topic}` is not read by this consumer",
            )
        return cursor

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        """Give no records of these partitions until `resume`."""
        for place in partitions:
            self._cursor(place).paused = True

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        """Give records of these partitions again."""
        for place in partitions:
            self._cursor(place).paused = False
        self._drained = None

    def seek(self, positions: Offsets) -> None:
        """Read on from these offsets, which may stand for a place as in `assign`."""
        with self._session.read() as tx:
            for place, position in positions.items():
                cursor = self._cursor(place)
                cursor.seek(self._resolve(tx, cursor.topic, place, position))
        self._drained = None

    def positions(self) -> dict[TopicPartition, int]:
        """See `Consumer.positions`."""
        return {place: cursor.position for place, cursor in self._cursors.items()}

    def committed(
        self, partitions: Sequence[TopicPartition], timeout: float = 10.0
    ) -> dict[TopicPartition, int]:
        """See `Consumer.committed`."""
        group = self._group()
        with self._session.read() as tx:
            known = {place: groups.committed(tx, group, place) for place in partitions}
        return {place: offset for place, offset in known.items() if offset is not None}

    def commit(self, offsets: Offsets) -> None:
        """See `Consumer.commit`."""
        with self._session.write() as tx:
            self.commit_in(tx, offsets)

    def commit_in(self, tx: sqlite3.Connection, offsets: Offsets) -> None:
        """Commit offsets inside of a transaction of the same log; for producers.

        Raises:
            FencedError: this consumer does not own the partitions any more.
        """
        group = self._group()
        if self._membership is not None:
            self._membership.check(tx, offsets)
        elif groups.has_members(tx, group):
            raise fenced(
                codes.MEMBER_LOST,
                f"group `{group}` has members, so its offsets are theirs",
                "use another group, or stop its members",
            )
        groups.commit(tx, group, offsets)

    def watermarks(
        self, partitions: Sequence[TopicPartition], timeout: float = 10.0
    ) -> dict[TopicPartition, tuple[int, int]]:
        """See `Consumer.watermarks`."""
        with self._session.read() as tx:
            ids = {place: topics.require_partition(tx, place).id for place in partitions}
            return {
                place: (
                    segments.first_offset(tx, topic, place.partition),
                    topics.end_offset(tx, topic, place.partition),
                )
                for place, topic in ids.items()
            }

    def known_ends(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """See `Consumer.known_ends`; the log is at hand, so these are the present ends."""
        ids = {place: self._cursor(place).topic for place in partitions}
        with self._session.read() as tx:
            ends = topics.end_offsets(tx, sorted(set(ids.values())))
        return {place: ends.get((topic, place.partition), 0) for place, topic in ids.items()}

    def offsets_at(
        self, times: Mapping[TopicPartition, int], timeout: float = 10.0
    ) -> dict[TopicPartition, int]:
        """See `Consumer.offsets_at`."""
        found = {}
        with self._session.read() as tx:
            for place, time_ms in times.items():
                topic = topics.require_partition(tx, place).id
                offset = segments.offset_at(tx, topic, place.partition, time_ms)
                found[place] = topics.end_offset(tx, topic, place.partition) if offset is None else offset
        return found

    def close(self) -> None:
        """See `Consumer.close`; may be called twice."""
        if self._closed:
            return
        self._closed = True
        try:
            if self._membership is not None:
                if self._callbacks is not None and self._cursors:
                    self._callbacks[1](self.assignment())
                self._membership.leave()
        finally:
            if self._membership is not None:
                self._leave(self._membership)
            self._cursors.clear()
            self._session.close()


def _batch(topic: str, runs: list[_Run]) -> pa.RecordBatch:
    """Put runs of several partitions of a topic into one batch with schema `RECORDS`."""
    counts = [batch.num_rows for _, _, batch in runs]
    rows = sum(counts)
    stored = segments.join([batch for _, _, batch in runs])
    offsets = np.concatenate(
        [np.arange(base, base + count) for (_, base, _), count in zip(runs, counts, strict=True)]
    )
    return pa.record_batch(
        [
            pa.DictionaryArray.from_arrays(np.zeros(rows, np.int32), pa.array([topic], pa.string())),
            pa.array(np.repeat(np.array([partition for partition, _, _ in runs], np.int32), counts)),
            pa.array(offsets, pa.int64()),
            stored.column("timestamp"),
            stored.column("key"),
            stored.column("value"),
            stored.column("headers"),
        ],
        schema=RECORDS,
    )
