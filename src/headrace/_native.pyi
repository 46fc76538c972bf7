"""The Rust module: bytes to Arrow and back, Kafka, and state.

Private; use `headrace.formats`, `headrace.log` and `headrace.engine`.
"""

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import Any, Self, final

import pyarrow as pa

__all__ = [
    "AvroDecoder",
    "AvroEncoder",
    "CsvDecoder",
    "DamagedStateError",
    "JsonDecoder",
    "JsonEncoder",
    "KafkaConsumer",
    "KafkaError",
    "KafkaProducer",
    "Kernel",
    "LocalStore",
    "LockedStateError",
    "Migration",
    "PrimitiveCodec",
    "Processed",
    "ProtobufDecoder",
    "ProtobufEncoder",
    "ProtobufSchema",
    "RowsCodec",
    "XmlDecoder",
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
class ProtobufSchema:
    """A Protobuf schema: text or Base64 text of its descriptor, behind it a form feed, a name and a line end for each import.

    Raises:
        ValueError: the text is no schema, or something that it imports is missing.
    """

    def __new__(cls, text: str) -> Self: ...
    def describe(self) -> str:
        """Give package, messages and fields as JSON text."""

    def type(self, message: str) -> pa.DataType:
        """Give the type of a message by its full name.

        Raises:
            ValueError: there is no such message, or no column can hold it.
        """

@final
class ProtobufDecoder:
    """Decodes Protobuf in the registry's framing into the fields of a message of the reader's schema.

    Belongs to one thread; releases the GIL.

    Raises:
        ValueError: the schema is malformed or does not fit the type, or a path leads nowhere.
    """

    def __new__(
        cls, schema: str, message: str, type: pa.DataType, paths: Sequence[tuple[str, ...]]
    ) -> Self: ...
    def add_writer(self, id: int, schema: str) -> None:
        """Make the values of a writer readable.

        Raises:
            ValueError: the schema is malformed.
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
class ProtobufEncoder:
    """Encodes arrays of a type as a Protobuf message in the registry's framing. Belongs to one thread; releases the GIL.

    Raises:
        ValueError: the schema is malformed or does not fit the type.
    """

    def __new__(cls, schema: str, message: str, id: int, type: pa.DataType) -> Self: ...
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
class XmlDecoder:
    """Decodes XML documents into fields of a struct, by the names of elements and attributes. Thread safe; releases the GIL.

    Raises:
        ValueError: XML cannot hold the type, or a path leads nowhere.
    """

    def __new__(cls, type: pa.DataType, paths: Sequence[tuple[str, ...]]) -> Self: ...
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

@final
class RowsCodec:
    """Reads and writes the rows of our own topics; any type. Thread safe; releases the GIL.

    Raises:
        ValueError: the type has no row bytes.
    """

    def __new__(cls, type: pa.DataType) -> Self: ...
    def decode(
        self, data: pa.BinaryArray, paths: Sequence[tuple[str, ...]]
    ) -> tuple[list[pa.Array[Any]], list[tuple[int, str]]]:
        """Give one array a path, each as long as `data`, and the rows that could not be decoded with the reasons."""

    def encode(self, values: pa.Array[Any]) -> tuple[pa.BinaryArray, list[tuple[int, str]]]:
        """Give the bytes of each row, null for a null row; no row fails."""

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

    def incremental(self) -> bool:
        """Say whether partitions come and go one by one; otherwise `assign` replaces the assignment before it."""

    def add(self, places: Sequence[tuple[str, int, int]]) -> None:
        """Begin to read partitions, from these offsets, that were left out when the assignment was completed."""

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

    def ask_group_offsets(
        self, group: str, partitions: Sequence[tuple[str, int, int]], timeout: float
    ) -> None:
        """Ask what the group has committed and go on; `group_offsets` gives the answer.

        A question that is still open is forgotten. After `timeout` seconds the answer is an error.
        """

    def group_offsets(self, wait: float) -> list[tuple[str, int, int, str]] | None:
        """Give the answer to `ask_group_offsets`, once, if it comes within `wait` seconds.

        Offsets are those that no open transaction can change, -1001 where there is none; the fourth is the name of an
        error of this partition, or empty.
        """

    def commit(self, places: Sequence[tuple[str, int, int]], timeout: float) -> None:
        """Commit and wait for the answer; `_TIMED_OUT` if it does not come in time, and it may still happen then."""

    def watermarks(self, topic: str, partition: int, timeout: float) -> tuple[int, int]:
        """Give the first and the end offset (the last stable one under `read_committed`)."""

    def known_ends(self, partitions: Sequence[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
        """Give the end offsets as the brokers last told them with records, open transactions included; asks nobody."""

    def read_around(self) -> int:
        """Give the number of partitions that are read straight from their brokers, around librdkafka."""

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
    def is_direct(self) -> bool:
        """Say whether records go straight to the brokers, around librdkafka."""

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

    def delivered(self) -> list[tuple[str, int, int]]:
        """Give the offset after the last record delivered to each partition so far.

        Through librdkafka: empty unless the property `delivery.report.only.error` is false.
        """

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

class DamagedStateError(RuntimeError):
    """The local store cannot be read any more. Remove its directory: the changelog holds the same."""

class LockedStateError(RuntimeError):
    """Another process, or another object of this one, uses the local store."""

@final
class LocalStore:
    """The state of one task on this machine: stores by name, each in step with a position of its changelog.

    Thread safe; releases the GIL. What is written is there after the process is killed; after a power cut the store may be
    at an earlier position.

    Args:
        path: a directory, made if need be, that one object at a time may use; None: in memory.
        cache_bytes: size of the cache of blocks that all local stores of the process share; the first one decides.

    Raises:
        LockedStateError: the directory is in use.
        DamagedStateError: a checksum or a file does not fit. So does every method.
        RuntimeError: the disk refuses. So does every method.
        ValueError: a method is called after `close`.
    """

    def __new__(cls, path: str | PathLike[str] | None, cache_bytes: int = 67108864) -> Self: ...
    def names(self) -> list[str]:
        """Give the names of the stores, in order."""

    def fingerprint(self, store: str) -> str | None:
        """Give what was told to `begin`; None if there is no such store."""

    def begin(self, store: str, fingerprint: str) -> None:
        """Make an empty store without a position; what is there under the name goes. No kernel may have it open."""

    def position(self, store: str) -> int | None:
        """Give the position of the changelog that a store corresponds to; None if it was only begun or does not exist."""

    def restore(self, store: str, keys: pa.BinaryArray, values: pa.BinaryArray, position: int) -> None:
        """Take records of the changelog in, in their order, in one atomic write with the position after them.

        Args:
            store: must have been begun; no kernel may have it open.
            keys: n keys, none null.
            values: n values; null deletes the key.
            position: of the changelog after the last of them.
        """

    def entries(self, store: str, after: bytes | None, limit: int) -> tuple[pa.BinaryArray, pa.BinaryArray]:
        """Give keys and values in the order of the keys, at most `limit`, fewer where they are large.

        Args:
            store: must have been begun.
            after: the last key of the call before; None begins.
            limit: most entries; 0 rows come only at the end.
        """

    def close(self) -> None:
        """Let go of the directory, as soon as no kernel has a store of it open. A second call does nothing."""

@final
class Processed:
    """What came of the rows of one call. Row numbers are those of the batch of that input."""

    @property
    def rows(self) -> pa.RecordBatch:
        """The rows that came out, with the schema of the operator's output."""

    @property
    def late(self) -> list[pa.Int32Array]:
        """For each input the rows that came too late, ascending."""

    @property
    def failed(self) -> list[tuple[int, int, str]]:
        """Input, row and reason of rows that could not be taken in; they had no effect."""

@final
class Migration:
    """Makes entries of an aggregate of those of another one, which differs in its calls alone. Releases the GIL.

    Args:
        old_spec: as for `Kernel`, with the schemas that belong to it.
        new_spec: likewise.
        calls: for each call of the new one the number of the same call of the old one, None for a new call.

    Raises:
        ValueError: the two differ in more than their calls.
        DamagedStateError: an entry cannot be read.
    """

    def __new__(
        cls,
        old_spec: str,
        old_inputs: Sequence[pa.Schema],
        old_output: pa.Schema,
        new_spec: str,
        new_inputs: Sequence[pa.Schema],
        new_output: pa.Schema,
        calls: Sequence[int | None],
    ) -> Self: ...
    def convert(self, keys: pa.BinaryArray, values: pa.BinaryArray) -> tuple[pa.BinaryArray, pa.BinaryArray]:
        """Give the entries of the new one; a null value is an entry that is gone, and stays so."""

@final
class Kernel:
    """One stateful operator in one thread, with the state of all tasks of the thread. A task is named by its partition.

    One call at a time; every call releases the GIL. Batches begin with `_partition` int32, `_seq` int64, `_time` int64 and
    `_op` int8; then come the keys and values of the input, or the columns of the operator.

    Args:
        spec: JSON: `store`, `kernel`, `keys`, `inputs` and what the kernel needs; see `headrace_state::spec`.
        inputs: the schemas of the inputs.
        output: the schema of the rows that come out.
        folds: for calls of FOLD, by their parameter, what makes one item of several; it is called with the GIL now and then while
            rows are walked, and may raise: then the items stay as they are. Without it they always do.

    Raises:
        ValueError: the specification is wrong or does not fit the schemas; a partition is not open.
        DamagedStateError: a local store cannot be read any more.
        RuntimeError: the disk refuses, or a fault of the module. The caller must `rollback` after any error.
    """

    def __new__(
        cls,
        spec: str,
        inputs: Sequence[pa.Schema],
        output: pa.Schema,
        folds: Mapping[str, Callable[[list[bytes]], bytes]] | None = None,
    ) -> Self: ...
    def open(self, partition: int, store: LocalStore) -> None:
        """Take a task on. Its store, by the name in `spec`, must have been begun and restored."""

    def close(self, partition: int) -> None:
        """Forget a task; nothing is written. A partition that is not open is ignored."""

    def process(self, inputs: Sequence[pa.RecordBatch | None]) -> Processed:
        """Walk rows, a batch or None for each input; those of a partition in ascending order of `_seq`."""

    def advance(self, partition: int, time: int) -> Processed:
        """Move the stream time of a task on without a row."""

    def flush(self) -> pa.RecordBatch:
        """Give the results that wait for a commit."""

    def changes(self) -> pa.RecordBatch:
        """Give what has changed since `committed`, to be written to the changelog.

        `partition` int32, `key` binary, `value` binary (null: gone), `timestamp` timestamp[ms, UTC]; the partitions ascend.
        """

    def committed(self, positions: Mapping[int, int]) -> None:
        """Write the last `changes` to the local stores, one atomic write a task.

        Args:
            positions: of the changelog after them, by partition; a task with changes must have one.
        """

    def rollback(self) -> None:
        """Forget all that happened since `committed`."""

    def decode(
        self, keys: pa.BinaryArray, values: pa.BinaryArray, store: LocalStore | None = None
    ) -> pa.RecordBatch:
        """Give entries of the store as a table for people.

        Args:
            keys: of entries of the store, as `LocalStore.entries` gives them.
            values: likewise.
            store: where they are from; some have parts that stand elsewhere in it.
        """

    def limit(self, bytes: int) -> None:
        """Keep at most so many bytes of unchanged entries in memory, from the next commit on."""

    def stats(self) -> dict[str, int]:
        """Give `late`, `null_keys`, `entries`, `bytes`, `hits` and `misses`; counters never fall."""
