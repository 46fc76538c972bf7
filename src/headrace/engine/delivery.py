"""Sends outputs and commits, under each guarantee; knows which input record an output came from."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from headrace.errors import Diagnostic
from headrace.errors.codes.log import UNREACHABLE
from headrace.errors.codes.run import NOT_COMMITTED
from headrace.log.errors import AbortableError, FencedError, LogError
from headrace.log.interface import Consumer, DeliveryFailure, Offsets, Producer, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from headrace.engine.pipeline import Output

_FLUSH_SLICE = 1.0
"""Seconds of one flush; between two of them a stop request is looked at."""


class Kind(StrEnum):
    """What a record that was sent is to the program."""

    OUTPUT = "output"
    LETTER = "letter"
    """A dead letter."""
    STATE = "state"
    """An entry of a changelog."""


@dataclass(frozen=True, slots=True)
class Undelivered:
    """An output that did not reach the log, and where it came from.

    Args:
        partition, offset: the input record; for a row of an operator its id in place of the topic, and -1.
        topic: the target.
        reason: what the log said.
        kind: what it was.
        key: its own key, for a row of an operator.
    """

    partition: TopicPartition
    offset: int
    topic: str
    reason: str
    kind: Kind
    key: bytes | None = None

    @property
    def of_operator(self) -> bool:
        """Say whether no single input record is behind it."""
        return self.offset < 0


@dataclass(frozen=True, slots=True)
class _Sent:
    """A sent batch: two columns of the input it came from, or the keys of rows of an operator; never values."""

    name: str
    kind: Kind
    rows: pa.Array[Any] | None
    partitions: pa.Array[Any] | None
    offsets: pa.Array[Any] | None
    keys: pa.Array[Any] | None
    topics: pa.Array[Any] | None = None
    """Of the input records, where they are not all of the topic `name`."""


class Ledger:
    """Remembers where the records of each sent batch came from, until they are committed."""

    def __init__(self) -> None:
        self._sent: dict[int, _Sent] = {}

    def note(self, number: int, records: pa.RecordBatch | None, output: Output, kind: Kind) -> None:
        """Note the origin of a sent batch: input records, or the operator of the output."""
        if records is None:
            keys = _own(output.records.column("key")) if "key" in output.records.schema.names else None
            self._sent[number] = _Sent(output.operator or output.topic, kind, None, None, None, keys)
            return
        topics = records.column("topic")
        topic = topics[0].as_py()
        several = _own(topics) if topics[len(topics) - 1].as_py() != topic else None
        partitions, offsets = _own(records.column("partition")), _own(records.column("offset"))
        rows = _own(output.rows)
        self._sent[number] = _Sent(topic, kind, rows, partitions, offsets, None, several)

    def origin(self, failure: DeliveryFailure) -> Undelivered:
        """Give where an output that failed came from."""
        sent = self._sent[failure.batch]
        if sent.rows is None or sent.partitions is None or sent.offsets is None:
            place = TopicPartition(sent.name, failure.partition)
            key = None if sent.keys is None else sent.keys[failure.row].as_py()
            return Undelivered(place, -1, failure.topic, failure.reason, sent.kind, key)
        row = sent.rows[failure.row].as_py()
        topic = sent.name if sent.topics is None else sent.topics[row].as_py()
        partition = TopicPartition(topic, sent.partitions[row].as_py())
        return Undelivered(partition, sent.offsets[row].as_py(), failure.topic, failure.reason, sent.kind)

    def clear(self) -> None:
        """Forget all: what was sent is committed or aborted."""
        self._sent.clear()


class RefusedError(Exception):
    """Outputs that the log will never take, found before the commit."""

    def __init__(self, undelivered: Sequence[Undelivered]) -> None:
        super().__init__(f"{len(undelivered)} records were refused")
        self.undelivered = undelivered


class Delivery(Protocol):
    """Sends and commits. Belongs to one thread."""

    def send(self, records: pa.RecordBatch | None, output: Output, kind: Kind = Kind.OUTPUT) -> None:
        """Hand an output to the log: of these input records, or of an operator."""

    def confirm(self) -> None:
        """Make sure, where no transaction takes it back, that what was sent stands before changes of state are sent.

        Raises:
            RefusedError: the log will never take some of it. What else was sent stands.
            AbortableError: as `commit`.
        """

    def commit(self, offsets: Offsets) -> Sequence[Undelivered]:
        """Make everything sent durable together with the offsets.

        Returns:
            Outputs that the log will never take. Nothing is committed then; under at-least-once the other outputs
            stand.

        Raises:
            AbortableError: nothing is committed; seek back and do the work again.
            FencedError: this member is out.
            LogError: the log is away and `give_up` said so, or something that waiting does not mend.
        """

    def positions(self) -> dict[TopicPartition, int]:
        """Give how far each partition has been written to, right after a commit; see `Producer.positions`."""

    def abort(self) -> None:
        """Take back what can be taken back of what was sent."""

    def close(self) -> None:
        """Close the producer."""


class AtLeastOnce:
    """Outputs first, offsets after them."""

    def __init__(self, producer: Producer, consumer: Consumer, give_up: Callable[[], bool]) -> None:
        self._producer = producer
        self._consumer = consumer
        self._give_up = give_up
        self._ledger = Ledger()

    def send(self, records: pa.RecordBatch | None, output: Output, kind: Kind = Kind.OUTPUT) -> None:
        """See `Delivery`."""
        self._ledger.note(self._producer.send(output.topic, output.records), records, output, kind)

    def confirm(self) -> None:
        """See `Delivery`."""
        undelivered = self._flush()
        if undelivered:
            raise RefusedError(undelivered)

    def commit(self, offsets: Offsets) -> Sequence[Undelivered]:
        """See `Delivery`."""
        undelivered = self._flush()
        if not undelivered:
            self._consumer.commit(offsets)
        return undelivered

    def _flush(self) -> Sequence[Undelivered]:
        failures = flush(self._producer, self._consumer, self._give_up)
        undelivered = [self._ledger.origin(failure) for failure in failures if not failure.retriable]
        again = [failure for failure in failures if failure.retriable]
        self._ledger.clear()
        if again and not undelivered:
            raise AbortableError(_lost(again[0].reason))
        return undelivered

    def positions(self) -> dict[TopicPartition, int]:
        """See `Delivery`."""
        return self._producer.positions()

    def abort(self) -> None:
        """See `Delivery`."""
        with contextlib.suppress(LogError):
            self._producer.flush(_FLUSH_SLICE)
        self._ledger.clear()

    def close(self) -> None:
        """Close the producer."""
        self._producer.close()


class ExactlyOnce:
    """Outputs and offsets in one transaction, begun with the first output."""

    def __init__(self, producer: Producer, consumer: Consumer, give_up: Callable[[], bool]) -> None:
        self._producer = producer
        self._consumer = consumer
        self._give_up = give_up
        self._ledger = Ledger()
        self._open = False

    def send(self, records: pa.RecordBatch | None, output: Output, kind: Kind = Kind.OUTPUT) -> None:
        """See `Delivery`."""
        self._begin()
        self._ledger.note(self._producer.send(output.topic, output.records), records, output, kind)

    def confirm(self) -> None:
        """See `Delivery`; the transaction sees to it."""

    def commit(self, offsets: Offsets) -> Sequence[Undelivered]:
        """See `Delivery`."""
        self._begin()
        failures = flush(self._producer, self._consumer, self._give_up)
        if not failures:
            try:
                self._producer.commit(offsets, self._consumer)
            except AbortableError:
                failures = self._late_failures()
                if not failures:
                    raise
            else:
                self._open = False
                self._ledger.clear()
                return ()
        if all(failure.retriable for failure in failures):
            # Records that were purged with the transaction may be told before the one that it failed for.
            failures += self._late_failures()
        undelivered = [self._ledger.origin(failure) for failure in failures if not failure.retriable]
        self.abort()
        if not undelivered:
            raise AbortableError(_lost(failures[0].reason))
        return undelivered

    def positions(self) -> dict[TopicPartition, int]:
        """See `Delivery`."""
        return self._producer.positions()

    def abort(self) -> None:
        """See `Delivery`."""
        self._ledger.clear()
        if self._open:
            self._open = False
            self._producer.abort()

    def close(self) -> None:
        """Close the producer."""
        self._producer.close()

    def _begin(self) -> None:
        if not self._open:
            self._producer.begin()
            self._open = True

    def _late_failures(self) -> list[DeliveryFailure]:
        """Give what failed since the last look; a refusal to write at all is raised, so that nothing hides it."""
        try:
            return self._producer.flush(_FLUSH_SLICE)
        except LogError as error:
            if isinstance(error, AbortableError) or _away(error):
                return []
            raise


def flush(producer: Producer, consumer: Consumer, give_up: Callable[[], bool]) -> list[DeliveryFailure]:
    """Wait until everything is delivered, however long the log is away, until `give_up` says so."""
    while True:
        begun = time.monotonic()
        try:
            return producer.flush(_FLUSH_SLICE)
        except (AbortableError, FencedError):
            raise
        except LogError as error:
            if not _away(error) or time.monotonic() - begun < _FLUSH_SLICE / 2:
                raise
            if give_up():
                raise LogError(
                    (
                        Diagnostic(
                            NOT_COMMITTED,
                            "the log could not be reached while stopping",
                        ),
                    )
                ) from error


def _own(column: pa.Array[Any]) -> pa.Array[Any]:
    """Copy a column: those that the native module made keep all others of their batch, values too, for as long as they live."""
    return pa.concat_arrays([column, column[:0]])


def _away(error: LogError) -> bool:
    return any(diagnostic.code is UNREACHABLE for diagnostic in error.diagnostics)


def _lost(reason: str) -> tuple[Diagnostic, ...]:
    return (Diagnostic(NOT_COMMITTED, f"records could not be delivered in time: {reason}"),)
