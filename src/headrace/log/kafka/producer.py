"""Writes to Kafka: the native client moves the records, this module prepares batches and maps what goes wrong."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Final, NoReturn

import pyarrow as pa

from headrace import _native
from headrace.errors import Diagnostic
from headrace.errors.codes import log as codes
from headrace.log.errors import AbortableError, FencedError, LogError
from headrace.log.interface import DeliveryFailure, TopicPartition
from headrace.log.kafka.consumer import KafkaConsumer
from headrace.log.kafka.faults import FORBIDDEN, RETRIABLE, error_name, fault, fault_of, faults
from headrace.log.kafka.library import library_path
from headrace.log.kafka.properties import producer_properties
from headrace.log.records import HEADERS, TIMESTAMP

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headrace.log.interface import Consumer, Offsets, ProducerOptions

_COLUMNS: Final[tuple[tuple[str, pa.DataType], ...]] = (
    ("key", pa.binary()),
    ("value", pa.binary()),
    ("timestamp", TIMESTAMP),
    ("headers", HEADERS),
    ("partition", pa.int32()),
)
# Long waits are cut up, so that signals are seen.
_SLICE: Final = 0.2
_TRANSACTION_SECONDS: Final = 60.0
_CLOSE_SECONDS: Final = 10.0


class KafkaProducer:
    """A producer to Kafka, as `log.interface.Producer`.

    Through librdkafka a timestamp of 0 is written as 1 ms, because it reads 0 as "now".
    """

    def __init__(
        self, log: str, bootstrap: str, log_properties: Mapping[str, str], options: ProducerOptions
    ) -> None:
        self._log = log
        self._transactional = options.transactional_id is not None
        self._open = False
        self._closed = False
        self._last = -1
        properties = producer_properties(bootstrap, log_properties, options)
        with faults(log, "cannot make a producer"):
            self._native = _native.KafkaProducer(library_path(), properties)
            if self._transactional:
                try:
                    self._native.init_transactions(_TRANSACTION_SECONDS)
                except BaseException:
                    self._native.destroy()
                    raise

    def writes_around(self) -> bool:
        """Say whether records go straight to the brokers, around librdkafka (docs/adr/0019)."""
        return self._native.is_direct()

    def send(self, topic: str, records: pa.RecordBatch) -> int:
        """Enqueue all rows in order and return the number of this batch; see `log.interface.Producer.send`."""
        if self._transactional and not self._open:
            self._refuse("a transactional producer sends between `begin` and `commit`")
        prepared = self._prepared(records)
        with faults(self._log, f"cannot write to `{topic}`"):
            try:
                self._last = self._native.send(topic, prepared)
            except _native.KafkaError as error:
                if not self._open or error_name(error) != "_STATE":
                    raise
                # The transaction has failed meanwhile: `flush` and `commit` know why, this error does not.
                self._last += 1
        return self._last

    def flush(self, timeout: float) -> list[DeliveryFailure]:
        """Wait until all is delivered and give the failures since the last call."""
        self._deliver(timeout, "cannot deliver")
        with faults(self._log, "cannot deliver"):
            found = self._native.failures()
        self._look_for_refusal(found)
        return [
            DeliveryFailure(topic, partition, batch, row, f"{reason} ({name})", name in RETRIABLE)
            for topic, partition, batch, row, _, name, reason in found
        ]

    def positions(self) -> dict[TopicPartition, int]:
        """Give how far each partition has been written to; see `log.interface.Producer.positions`."""
        with faults(self._log, "cannot tell positions"):
            places = self._native.delivered()
        return {TopicPartition(topic, partition): offset for topic, partition, offset in places}

    def begin(self) -> None:
        """Begin a transaction."""
        if not self._transactional:
            self._refuse("a producer without a transactional id has no transactions")
        with faults(self._log, "cannot begin a transaction"):
            self._native.begin()
        self._open = True

    def commit(self, offsets: Offsets, consumer: Consumer) -> None:
        """Commit what was sent together with the offsets; see `log.interface.Producer.commit`.

        Failures that `flush` has not given yet refuse the commit, and stay for `flush` to give.
        """
        if not self._open:
            self._refuse("no transaction is open")
        if not isinstance(consumer, KafkaConsumer):
            self._refuse("the consumer reads another kind of log")
        doing = "cannot commit a transaction"
        self._deliver(_TRANSACTION_SECONDS, doing)
        with faults(self._log, doing):
            if self._native.failed():
                self._look_for_successor(doing)
                diagnostic = Diagnostic(
                    codes.NOT_DELIVERED, f"{doing} on `{self._log}`: not all of its records were delivered"
                )
                raise AbortableError((diagnostic,))
            if offsets:
                places = [(item.topic, item.partition, offset) for item, offset in offsets.items()]
                self._native.send_offsets(places, consumer.group_metadata(), _TRANSACTION_SECONDS)
            self._native.commit(_TRANSACTION_SECONDS)
        self._open = False

    def abort(self) -> None:
        """Abort the open transaction; what was sent in it will never be seen."""
        if not self._open:
            self._refuse("no transaction is open")
        with faults(self._log, "cannot abort a transaction"):
            # A broker that refused to write knows of no transaction to abort: the refusal is what matters.
            self._look_for_refusal(self._native.failures())
            try:
                self._native.abort(_TRANSACTION_SECONDS)
            except _native.KafkaError as error:
                if error_name(error) != "INVALID_TXN_STATE":
                    raise
                # The broker was away before it had heard of this transaction, or ended it meanwhile: there is nothing to
                # abort, and this producer can do no more. Another one with the same id can.
                raise FencedError(fault(self._log, "cannot abort a transaction", error).diagnostics) from None
            # They belong to the aborted transaction: purged or refused, nobody waits for them any more.
            self._native.failures()
        self._open = False

    def close(self) -> None:
        """Deliver what is on its way (an open transaction is aborted) and free everything."""
        if self._closed:
            return
        self._closed = True
        try:
            with contextlib.suppress(_native.KafkaError, LogError):
                if self._open:
                    self._native.abort(_CLOSE_SECONDS)
                else:
                    self._deliver(_CLOSE_SECONDS, "cannot deliver")
        finally:
            self._open = False
            self._native.destroy()

    def _look_for_refusal(self, failures: Sequence[tuple[str, int, int, int, int, str, str]]) -> None:
        """Raise what is no fault of a record: a policy for bad records would lose all of them."""
        for topic, *_, name, reason in failures:
            if name in FORBIDDEN:
                raise fault_of(self._log, f"cannot write to `{topic}`", reason, name)
        if not self._open or not failures:
            return
        # Refused when the transaction was to take the topic in, its records are only told to be purged. An open
        # transaction is never begun again, but the answer to that says why it can only be aborted.
        try:
            self._native.begin()
        except _native.KafkaError as error:
            if error_name(error) in FORBIDDEN:
                topics = " or ".join(sorted({f"`{topic}`" for topic, *_ in failures}))
                raise fault(self._log, f"cannot write to {topics}", error) from None

    def _look_for_successor(self, doing: str) -> None:
        """Raise if the records failed because another producer took over: there is nothing to do again then."""
        try:
            # Never begins, as in `_look_for_refusal`.
            self._native.begin()
        except _native.KafkaError as error:
            reason = fault(self._log, doing, error)
            if isinstance(reason, FencedError):
                raise reason from None

    def _deliver(self, timeout: float, doing: str) -> None:
        end = time.monotonic() + timeout
        with faults(self._log, doing):
            while not self._native.flush(min(max(end - time.monotonic(), 0.0), _SLICE)):
                if self._open and self._native.failed():
                    # The transaction can only be aborted: what is still queued will never be sent.
                    return
                if time.monotonic() >= end:
                    diagnostic = Diagnostic(
                        codes.UNREACHABLE,
                        f"{doing} on `{self._log}`: {self._native.queued()} records are still on their way"
                        f" after {timeout:g} s",
                        help="check that the broker runs",
                    )
                    raise LogError((diagnostic,))

    def _prepared(self, records: pa.RecordBatch) -> pa.RecordBatch:
        """Give the columns that the native client takes, in its types; shares the buffers where it can."""
        columns, fields = [], []
        for name, kind in _COLUMNS:
            index = records.schema.get_field_index(name)
            if index < 0:
                continue
            column = records.column(index)
            if column.type != kind:
                try:
                    # Microseconds of DuckDB are cut to milliseconds.
                    column = column.cast(kind, safe=not pa.types.is_timestamp(kind))
                except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                    message = f"column `{name}` of the batch has type {column.type}, not {kind}"
                    raise LogError((Diagnostic(codes.BAD_RECORDS, message),)) from None
            columns.append(column)
            fields.append(pa.field(name, kind))
        if not any(item.name == "value" for item in fields):
            raise LogError((Diagnostic(codes.BAD_RECORDS, "the batch has no column `value`"),))
        return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))

    def _refuse(self, message: str) -> NoReturn:
        code = codes.CLOSED if self._closed else codes.BAD_STATE
        raise LogError((Diagnostic(code, f"{message} (`{self._log}`)"),))
