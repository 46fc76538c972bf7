"""The Rust module: bytes to Arrow and back, and Kafka. Private; use `headrace.formats` and `headrace.log`."""

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, Self, final

import pyarrow as pa

__all__ = [
    "AvroDecoder",
    "AvroEncoder",
    "CsvDecoder",
    "JsonDecoder",
    "JsonEncoder",
    "KafkaConsumer",
    "KafkaError",
    "KafkaProducer",
    "PrimitiveCodec",
    "kafka_version",
]

@final
class JsonDecoder:
    """Decodes JSON into the fields of a type that some paths lead to. Belongs to one thread; releases the GIL.

    Raises:
        ValueError: JSON cannot hold the type, or a path leads nowhere.
    """

    def __new__(cls, type: pa.DataType, paths: Sequence[tuple[str, ...]]) -> Self: ...
    def decode(self, data: pa.BinaryArray) -> tuple[list[pa.Array[Any]], list[tuple[int, str]]]:
        """Give one array a path, each as long as `data`, and the rows that could not be decoded with the reasons."""

@final
class JsonEncoder:
    """Encodes arrays of a type as JSON. Belongs to one thread; releases the GIL.

    Raises:
        ValueError: JSON cannot hold the type.
    """

    def __new__(cls, type: pa.DataType) -> Self: ...
    def encode(self, values: pa.Array[Any]) -> tuple[pa.BinaryArray, list[tuple[int, str]]]:
        """Give the bytes of each row, null for a null row, and the rows that could not be encoded with the reasons."""

@final
class AvroDecoder:
    """Decodes Avro in the registry's framing into the fields of a reader's schema that some paths lead to.

    Belongs to one thread; releases the GIL.

    Raises:
        ValueError: the schema is malformed or does not fit the type, or a path leads nowhere.
    """

    def __new__(cls, schema: str, type: pa.DataType, paths: Sequence[tuple[str, ...]]) -> Self: ...
    def add_writer(self, id: int, schema: str) -> None:
        """Make the values of a writer readable.

        Raises:
            ValueError: the schema is malformed, or the reader's schema cannot read it.
        """

    def unknown(self, data: pa.BinaryArray) -> list[int]:
        """Give the ids of the writers in this batch that have not been added, each once."""

    def decode(
        self, data: pa.BinaryArray, refused: Mapping[int, str]
    ) -> tuple[list[pa.Array[Any]], list[tuple[int, str]]]:
        """Give one array a path, each as long as `data`, and the rows that could not be decoded with the reasons.

        Args:
            data: n values.
            refused: why the writers that are missing could not be added.
        """

@final
class AvroEncoder:
    """Encodes arrays of a type as Avro in the registry's framing. Belongs to one thread; releases the GIL.

    Raises:
        ValueError: the schema is malformed or does not fit the type.
    """

    def __new__(cls, schema: str, id: int, type: pa.DataType) -> Self: ...
    def encode(self, values: pa.Array[Any]) -> tuple[pa.BinaryArray, list[tuple[int, str]]]:
        """Give the bytes of each row, null for a null row, and the rows that could not be encoded with the reasons."""

@final
class CsvDecoder:
    """Decodes lines of CSV into fields of a struct, by position. Belongs to one thread; releases the GIL.

    Raises:
        ValueError: CSV cannot hold the type, a path leads nowhere, or the delimiter is not one ASCII character.
    """

    def __new__(cls, type: pa.DataType, paths: Sequence[tuple[str, ...]], delimiter: str) -> Self: ...
    def decode(self, data: pa.BinaryArray) -> tuple[list[pa.Array[Any]], list[tuple[int, str]]]:
        """Give one array a path, each as long as `data`, and the rows that could not be decoded with the reasons."""

@final
class PrimitiveCodec:
    """Reads and writes STRING, INT, LONG or BYTES. Thread safe; releases the GIL."""

    def __new__(cls, format: str) -> Self: ...
    def decode(
        self, data: pa.BinaryArray, paths: Sequence[tuple[str, ...]]
    ) -> tuple[list[pa.Array[Any]], list[tuple[int, str]]]:
        """Give one array a path, each of which must be (), and the rows that could not be decoded with the reasons."""

    def encode(self, values: pa.Array[Any]) -> tuple[pa.BinaryArray, list[tuple[int, str]]]:
        """Give the bytes of each row, null for a null row, and the rows that could not be encoded with the reasons."""

class KafkaError(Exception):
    """What librdkafka refused or could not do.

    `args`: message, code (`rd_kafka_resp_err_t`; 0 for our own checks), name of the code such as `_TRANSPORT`,
    and whether it is fatal for the client, can be retried, or asks to abort the transaction.
    """

    args: tuple[str, int, str, bool, bool, bool]

@final
class KafkaConsumer:
    """Reads records as Arrow batches. One call at a time; every call releases the GIL.

    Places are (topic, partition, offset), with librdkafka's logical offsets: -1 the end, -2 the beginning, -1000 the
    committed offset, -1001 none.

    Args:
        library: path of librdkafka; the first call in a process decides.
        properties: properties of librdkafka.

    Raises:
        KafkaError: a property is not understood. So does every method when librdkafka reports an error.
        ValueError: a method is called after `destroy`.
    """

    def __new__(cls, library: str | PathLike[str], properties: Mapping[str, str]) -> Self: ...
    def subscribe(self, topics: Sequence[str]) -> None:
        """Join the group for these topics; from then on `rebalance` tells what the group wants."""

    def assign(self, places: Sequence[tuple[str, int, int]]) -> None:
        """Read exactly these partitions from these offsets."""

    def poll(self, max_records: int, max_bytes: int, timeout: float, linger: float) -> list[pa.RecordBatch]:
        """Give what has arrived, one batch a topic with the schema `headrace.log.records.RECORDS`.

        Returns early with what it has, or with nothing, when the group has an event.

        Args:
            max_records: at most so many records.
            max_bytes: no more records once keys, values and headers are so long together.
            timeout: seconds to wait for the first record.
            linger: seconds to wait for more after the first.
        """

    def rebalance(self) -> tuple[str, list[tuple[str, int, int]]] | None:
        """Give the event of the group that waits for `complete`: `assign`, `revoke` or `lost`, with its partitions."""

    def complete(self, places: Sequence[tuple[str, int, int]]) -> None:
        """Carry the waiting event out, an assignment from these offsets."""

    def assignment(self) -> list[tuple[str, int, int]]:
        """Give the partitions that librdkafka reads now."""

    def pause(self, places: Sequence[tuple[str, int, int]]) -> None:
        """Stop giving records of these partitions; offsets are ignored."""

    def resume(self, places: Sequence[tuple[str, int, int]]) -> None:
        """Give records of these partitions again; offsets are ignored."""

    def seek(self, places: Sequence[tuple[str, int, int]], timeout: float) -> None:
        """Go on reading at these offsets; nothing older is given by a later `poll`."""

    def positions(self, partitions: Sequence[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
        """Give the offset after the last record given; -1001 where none was given since the assignment or a seek."""

    def committed(
        self, partitions: Sequence[tuple[str, int, int]], timeout: float
    ) -> list[tuple[str, int, int]]:
        """Give the committed offsets; -1001 where there is none."""

    def commit(self, places: Sequence[tuple[str, int, int]], timeout: float) -> None:
        """Commit and wait for the answer; `_TIMED_OUT` if it does not come in time, and it may still happen then."""

    def watermarks(self, topic: str, partition: int, timeout: float) -> tuple[int, int]:
        """Give the first and the end offset (the last stable one under `read_committed`)."""

    def offsets_for_times(
        self, times: Sequence[tuple[str, int, int]], timeout: float
    ) -> list[tuple[str, int, int]]:
        """Give the first offset at or after each time (milliseconds, in place of the offset); -1 if there is none."""

    def partition_count(self, topic: str, timeout: float) -> int | None:
        """Give the number of partitions of a topic; None if the broker does not know it."""

    def group_metadata(self) -> bytes:
        """Give the group's metadata, packed for `KafkaProducer.send_offsets`."""

    def healthy(self) -> bool:
        """Say whether a broker is connected, as far as is known. Never waits; any thread may call it."""

    def faults(self) -> tuple[int, str | None]:
        """Give how many error events there were, and the text of the last. Never waits; any thread may call it."""

    def begin_close(self) -> None:
        """Begin to leave the group; go on with `rebalance`, `complete` and `close_step`."""

    def close_step(self, wait: float) -> bool:
        """Wait for the next event of the departure; True when it is complete."""

    def destroy(self) -> None:
        """Free everything without leaving the group; a second call does nothing."""

@final
class KafkaProducer:
    """Writes Arrow batches as records. One call at a time; every call releases the GIL.

    Args:
        library: path of librdkafka; the first call in a process decides.
        properties: properties of librdkafka.

    Raises:
        KafkaError: a property is not understood. So does every method when librdkafka reports an error.
        ValueError: a method is called after `destroy`.
    """

    def __new__(cls, library: str | PathLike[str], properties: Mapping[str, str]) -> Self: ...
    def send(self, topic: str, records: pa.RecordBatch) -> int:
        """Enqueue all rows in order and give the batch's number, counted from 0; waits while the queue is full.

        Args:
            topic: the target.
            records: columns by name: value binary; optional: key binary, timestamp[ms], partition int32, headers as
                `headrace.log.records.HEADERS`. The bytes are copied.
        """

    def flush(self, timeout: float) -> bool:
        """Wait until every record is delivered or has failed; False if time ran out."""

    def failures(self) -> list[tuple[str, int, int, int, int, str, str]]:
        """Give and forget the failures: topic, partition, batch, row, code, name of the code, text of the code."""

    def failed(self) -> bool:
        """Say whether `failures` would give any."""

    def queued(self) -> int:
        """Give the number of records on their way."""

    def init_transactions(self, timeout: float) -> None:
        """Fence former producers with this transactional id and end what they left open."""

    def begin(self) -> None:
        """Begin a transaction."""

    def send_offsets(self, places: Sequence[tuple[str, int, int]], group: bytes, timeout: float) -> None:
        """Put the offsets of a consumer's group into the open transaction."""

    def commit(self, timeout: float) -> None:
        """Commit the open transaction; retries what can be retried until time is up."""

    def abort(self, timeout: float) -> None:
        """Abort the open transaction; retries what can be retried until time is up."""

    def destroy(self) -> None:
        """Throw away what is on its way and free everything; a second call does nothing."""

def kafka_version(library: str | PathLike[str]) -> str:
    """Load librdkafka from this path and give its version, for example `2.16.0`."""
