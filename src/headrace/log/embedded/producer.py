"""Writes to the embedded log.

Batches are dealt to partitions, and stored at once or, in a transaction, at its commit.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from headrace.errors.codes import log as codes
from headrace.log.embedded import segments, topics
from headrace.log.embedded.consumer import EmbeddedConsumer
from headrace.log.embedded.faults import fenced, log_error
from headrace.log.embedded.partitioner import partition_of
from headrace.log.errors import AbortableError, FencedError, LogError
from headrace.log.interface import Consumer, DeliveryFailure, Offsets, ProducerOptions, TopicPartition
from headrace.log.records import HEADERS, TIMESTAMP

if TYPE_CHECKING:
    import sqlite3

    from headrace.log.embedded.database import Session
    from headrace.log.embedded.timing import Clock

_MAX_RECORD_BYTES: Final = 256 << 20
"""SQLite holds at most 1 GB in a cell, and a segment is made of copies.

`max.message.bytes` of the topic may ask for less.
"""

_TYPES: Final[dict[str, pa.DataType]] = {
    "key": pa.binary(),
    "value": pa.binary(),
    "timestamp": TIMESTAMP,
    "headers": HEADERS,
    "partition": pa.int32(),
}


@dataclass(frozen=True, slots=True)
class _Dealt:
    """The records of one batch that go to one partition."""

    topic: str
    partition: int
    records: pa.RecordBatch


class EmbeddedProducer:
    """`Producer` of the embedded log."""

    def __init__(self, session: Session, options: ProducerOptions, clock: Clock) -> None:
        self._session = session
        self._options = options
        self._clock = clock
        self._sent = 0
        self._spread = 0
        self._failures: list[DeliveryFailure] = []
        self._open = False
        self._held: list[_Dealt] = []
        self._epoch = 0
        self._positions: dict[TopicPartition, int] = {}
        if options.transactional_id is not None:
            with session.write() as tx:
                self._epoch = _next_epoch(tx, options.transactional_id)

    def send(self, topic: str, records: pa.RecordBatch) -> int:
        """See `Producer.send`. Without a transaction the records are stored when this returns."""
        if self._options.transactional_id is not None and not self._open:
            raise log_error(
                codes.BAD_STATE, "`send` of a transactional producer stands between `begin` and `commit`"
            )
        number = self._sent
        with self._session.read() as tx:
            target = topics.require(tx, topic)
        dealt = self._deal(topic, target, number, _columns(records))
        self._sent += 1
        if self._open:
            self._held.extend(dealt)
        elif dealt:
            with self._session.write() as tx:
                self._positions.update(_store(tx, dealt))
        return number

    def _deal(
        self, topic: str, target: topics.Topic, number: int, columns: dict[str, pa.Array[Any]]
    ) -> list[_Dealt]:
        """Give the good records by partition, in order, and note the others as failures."""
        rows = len(columns["value"])
        places = self._places(columns, rows, target.partitions)
        timestamps = columns["timestamp"]
        if target.configs.get("message.timestamp.type") == "LogAppendTime":
            timestamps = pa.repeat(pa.scalar(self._clock(), TIMESTAMP), rows)
        elif timestamps.null_count:
            timestamps = timestamps.fill_null(pa.scalar(self._clock(), TIMESTAMP))
        stored = pa.record_batch(
            [timestamps, columns["key"], columns["value"], columns["headers"]], schema=segments.STORED
        )
        good = self._check(topic, target, number, places, segments.sizes(stored))
        if good is not None:
            stored, places = stored.take(good), places[good]
        if not len(places):
            return []
        if (places == places[0]).all():
            return [_Dealt(topic, int(places[0]), stored)]
        order = np.argsort(places, kind="stable")
        stored, places = stored.take(order), places[order]
        starts = [0, *(np.flatnonzero(np.diff(places)) + 1).tolist(), len(places)]
        return [
            _Dealt(topic, int(places[start]), stored.slice(start, end - start))
            for start, end in pairwise(starts)
        ]

    def _places(self, columns: dict[str, pa.Array[Any]], rows: int, partitions: int) -> npt.NDArray[np.int32]:
        """Give the partition of each record: the one it names, else by its key, else in turn."""
        given, keys = columns["partition"], columns["key"]
        places = partition_of(keys, partitions) if keys.null_count < rows else np.zeros(rows, np.int32)
        if keys.null_count:
            free = np.flatnonzero(keys.is_null().to_numpy(zero_copy_only=False))
            places[free] = (np.arange(len(free)) + self._spread) % partitions
            self._spread = (self._spread + len(free)) % partitions
        if given.null_count < rows:
            named = given.is_valid().to_numpy(zero_copy_only=False)
            places = np.where(named, given.fill_null(0).to_numpy(zero_copy_only=False), places)
        return places

    def _check(
        self,
        topic: str,
        target: topics.Topic,
        number: int,
        places: npt.NDArray[np.int32],
        sizes: npt.NDArray[np.int64],
    ) -> npt.NDArray[np.int64] | None:
        """Note the records that cannot be stored and give the rows of the others, None if all can."""
        limit = min(int(target.configs.get("max.message.bytes", _MAX_RECORD_BYTES)), _MAX_RECORD_BYTES)
        strange = (places < 0) | (places >= target.partitions)
        large = sizes > limit
        bad = strange | large
        if not bad.any():
            return None
        for row in np.flatnonzero(bad).tolist():
            reason = (
                f"topic `{topic}` has {target.partitions} partitions"
                if strange[row]
                else f"the record has {sizes[row]} bytes, topic `{topic}` takes {limit}"
            )
            self._failures.append(
                DeliveryFailure(topic, int(places[row]), number, row, reason, retriable=False)
            )
        return np.flatnonzero(~bad)

    def flush(self, timeout: float) -> list[DeliveryFailure]:
        """See `Producer.flush`; there is nothing to wait for."""
        failures, self._failures = self._failures, []
        return failures

    def positions(self) -> dict[TopicPartition, int]:
        """See `Producer.positions`."""
        return dict(self._positions)

    def begin(self) -> None:
        """Begin a transaction."""
        if self._options.transactional_id is None or self._open:
            what = "is open already" if self._open else "needs a producer with a transactional id"
            raise log_error(codes.BAD_STATE, f"a transaction {what}")
        self._open = True

    def commit(self, offsets: Offsets, consumer: Consumer) -> None:
        """See `Producer.commit`."""
        if not self._open:
            raise log_error(codes.BAD_STATE, "there is no transaction to commit")
        if self._failures:
            failed = self._failures[0]
            raise _abortable(log_error(codes.BAD_RECORDS, f"a record was not stored: {failed.reason}"))
        if not isinstance(consumer, EmbeddedConsumer):
            raise log_error(codes.BAD_STATE, "the consumer of a transaction belongs to the same log")
        try:
            with self._session.write() as tx:
                self._check_epoch(tx)
                if offsets:
                    consumer.commit_in(tx, offsets)
                written = _store(tx, self._held)
        except FencedError as error:
            # Partitions that have moved are not the end: the next poll tells, and the work begins there
            # again.
            if error.diagnostics[0].code == codes.MEMBER_LOST:
                raise _abortable(error) from error
            raise
        except LogError as error:
            # Nothing was kept. What keeps the lock goes away; a full or broken disk, or a deleted topic, is for the user
            # to mend.
            if error.diagnostics[0].code == codes.LOCKED:
                raise _abortable(error) from error
            raise
        self._positions.update(written)
        self._open = False
        self._held = []

    def abort(self) -> None:
        """Forget what was sent since `begin`."""
        self._open = False
        self._held = []
        self._failures = []

    def close(self) -> None:
        """Abort what is open and free the connection; may be called twice."""
        self.abort()
        self._session.close()

    def _check_epoch(self, tx: sqlite3.Connection) -> None:
        name = self._options.transactional_id
        row = tx.execute("SELECT epoch FROM transactional WHERE id = ?", (name,)).fetchone()
        if row is None or row[0] != self._epoch:
            raise fenced(
                codes.PRODUCER_REPLACED,
                f"another producer uses the transactional id `{name}`",
                "give each instance an id of its own",
            )


def _next_epoch(tx: sqlite3.Connection, name: str) -> int:
    row = tx.execute(
        "INSERT INTO transactional VALUES (?, 1) ON CONFLICT DO UPDATE SET epoch = epoch + 1 RETURNING epoch",
        (name,),
    ).fetchone()
    return int(row[0])


def _abortable(error: LogError) -> AbortableError:
    return AbortableError(error.diagnostics)


def _columns(records: pa.RecordBatch) -> dict[str, pa.Array[Any]]:
    """Give the columns of a batch by name with their types; nulls for those that are absent."""
    columns: dict[str, pa.Array[Any]] = {}
    nulls: Any = pa.nulls  # the stubs have one variant for each type, and none for a type that is not known
    for name, kind in _TYPES.items():
        at = records.schema.get_field_index(name)
        if at < 0:
            if name == "value":
                raise log_error(codes.BAD_RECORDS, "a batch to be sent has no column `value`")
            columns[name] = nulls(records.num_rows, kind)
            continue
        column = records.column(at)
        try:
            columns[name] = column if column.type == kind else column.cast(kind)
        except pa.ArrowException as error:
            raise log_error(codes.BAD_RECORDS, f"column `{name}` is {column.type}, not {kind}") from error
    return columns


def _store(tx: sqlite3.Connection, dealt: list[_Dealt]) -> dict[TopicPartition, int]:
    """Append records and give the offsets after them; what several sends left for one partition becomes one run."""
    by_place: dict[tuple[str, int], list[pa.RecordBatch]] = {}
    for item in dealt:
        by_place.setdefault((item.topic, item.partition), []).append(item.records)
    ids: dict[str, int] = {}
    for (topic, partition), batches in by_place.items():
        if topic not in ids:
            ids[topic] = topics.require(tx, topic).id
        segments.append(tx, ids[topic], partition, segments.pack(segments.join(batches)))
    return {
        TopicPartition(topic, partition): topics.end_offset(tx, ids[topic], partition)
        for topic, partition in by_place
    }
