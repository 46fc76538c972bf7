"""What a log is. Two implementations: `log.kafka` and `log.embedded`; one test suite runs on both.

Everything here moves Arrow batches; nothing is called per record. Every wait takes a bounded time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from types import TracebackType

    import pyarrow as pa


@dataclass(frozen=True, slots=True, order=True)
class TopicPartition:
    """One partition of a topic."""

    topic: str
    partition: int


Offsets = Mapping[TopicPartition, int]
"""Positions: for each partition the offset of the next record to read."""

OnPartitions = Callable[[Sequence[TopicPartition]], None]


class OffsetReset(StrEnum):
    """Where a group without a committed offset begins."""

    EARLIEST = "earliest"
    LATEST = "latest"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class ConsumerOptions:
    """How to read.

    Args:
        group: the consumer group; None reads without a group (`assign` only, no commits).
        instance: static membership (`group.instance.id`), None for a dynamic member.
        offset_reset: where to begin without a committed offset.
        read_committed: hide records of open and aborted transactions.
        properties: further client properties, passed through as they are; the embedded log knows its time-outs alone.
        process: what other members of the group know the process by, see `GroupMember`: 12 hexadecimal digits.
    """

    group: str | None = None
    instance: str | None = None
    offset_reset: OffsetReset = OffsetReset.EARLIEST
    read_committed: bool = True
    properties: Mapping[str, str] = field(default_factory=dict)
    process: str | None = None


@dataclass(frozen=True, slots=True)
class ProducerOptions:
    """How to write.

    Args:
        transactional_id: None writes without transactions; otherwise every `send` stands between `begin` and `commit` or `abort`.
        record_limits: smallest and largest `record_limit` of the targets: nothing larger than the smallest is made of
            several records, so that a record that is too large never takes others with it.
        tells_positions: keep what `positions` gives; costs a little for each record.
        properties: further client properties, passed through as they are; the embedded log knows its time-outs alone.
    """

    transactional_id: str | None = None
    record_limits: tuple[int, int] | None = None
    tells_positions: bool = False
    properties: Mapping[str, str] = field(default_factory=dict)


class Consumer(Protocol):
    """Reads batches. Not thread safe: one thread owns it."""

    def subscribe(
        self,
        topics: Sequence[str],
        *,
        on_assign: OnPartitions,
        on_revoke: OnPartitions,
        on_lost: OnPartitions,
    ) -> None:
        """Join the group for these topics.

        The callbacks run inside `poll` or `close`, on the caller's thread, with the partitions that are added or taken
        away (incremental). `on_revoke` is called while the partitions are still owned, so it may commit; all records
        of them that will ever come have been returned by then. After `on_lost` they belong to somebody else already.
        """

    def assign(self, positions: Offsets) -> None:
        """Read exactly these partitions from these offsets, without group management.

        Negative offsets: -2 the beginning, -1 the end, -1000 the committed offset of the group (as librdkafka).
        """

    def poll(self, max_records: int, timeout: float, linger: float = 0.0) -> list[pa.RecordBatch]:
        """Give what has arrived, one batch a topic with schema `RECORDS`, records of a partition in offset order.

        Waits up to `timeout` seconds for the first record, then up to `linger` seconds more to fill up to `max_records`.
        Wide records come fewer at a time: a log bounds the bytes of a poll as it sees fit.
        Returns [] if nothing came. Serves group events; partitions that are assigned may end the wait.

        Raises:
            LogError: a fault that will not pass by waiting (authorization, unknown topic, fenced …), or an offset out of
                range with `OffsetReset.NONE`. A broker that is away is no error: `poll` returns [] and `healthy()` turns False.
        """

    def healthy(self) -> bool:
        """Say whether at least one broker is connected."""

    def assignment(self) -> list[TopicPartition]:
        """Give the partitions that this consumer reads."""

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        """Give no records of these partitions until `resume`."""

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        """Give records of these partitions again."""

    def seek(self, positions: Offsets) -> None:
        """Read on from these offsets; they are the positions until records come."""

    def positions(self) -> dict[TopicPartition, int]:
        """Give, for each assigned partition, the offset after the last record that `poll` returned.

        Before the first record: the offset where reading begins.
        """

    def committed(
        self, partitions: Sequence[TopicPartition], timeout: float = 10.0
    ) -> dict[TopicPartition, int]:
        """Give the committed offsets of the group; partitions without one are left out."""

    def commit(self, offsets: Offsets) -> None:
        """Commit synchronously; raises FencedError if this member has been thrown out of the group."""

    def watermarks(
        self, partitions: Sequence[TopicPartition], timeout: float = 10.0
    ) -> dict[TopicPartition, tuple[int, int]]:
        """Give first and end offset (the last stable offset if `read_committed`)."""

    def known_ends(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Give the end offsets as far as the log has told them with what was read, without asking it.

        Partitions of which nothing is known yet are left out. Records of open transactions count, so that an end may
        lie beyond what can be read now.
        """

    def offsets_at(
        self, times: Mapping[TopicPartition, int], timeout: float = 10.0
    ) -> dict[TopicPartition, int]:
        """Give the first offset whose timestamp (ms) is not earlier; the end offset if there is none."""

    def close(self) -> None:
        """Leave the group (a static member does not) and free everything. `on_revoke` is called first."""


@dataclass(frozen=True, slots=True)
class DeliveryFailure:
    """A record that did not reach the log. `row` counts over the rows of `batch`, the number that `send` returned."""

    topic: str
    partition: int
    batch: int
    row: int
    reason: str
    retriable: bool


class Producer(Protocol):
    """Writes batches. Not thread safe: one thread owns it."""

    def send(self, topic: str, records: pa.RecordBatch) -> int:
        """Enqueue all rows in order and return the number of this batch; waits while the send queue is full.

        Args:
            topic: the target, which must exist.
            records: columns by name, all optional but `value`: key binary, value binary, timestamp (now where null or absent),
                headers `HEADERS`, partition int32 (where null or absent: murmur2 of the key as in Java; without a key spread).
        """

    def flush(self, timeout: float) -> list[DeliveryFailure]:
        """Wait until all is delivered and give the failures since the last call. Raises LogError when time runs out."""

    def positions(self) -> dict[TopicPartition, int]:
        """Give, for each partition written to so far, an offset behind which everything that was sent stands.

        It may be less than the offset after the last record, where the log could not tell, never more. Only with
        `ProducerOptions.tells_positions`, and right after a `flush` or `commit`.
        """

    def begin(self) -> None:
        """Begin a transaction."""

    def commit(self, offsets: Offsets, consumer: Consumer) -> None:
        """Commit what was sent together with the consumer's offsets, atomically, under the group's fencing.

        Raises:
            AbortableError: the transaction must be aborted; after `abort` the work can be done again.
            FencedError: another instance has taken over; this one must stop.
        """

    def abort(self) -> None:
        """Throw away what was sent since `begin`."""

    def close(self) -> None:
        """Abort what is open and free everything; may be called twice."""


@dataclass(frozen=True, slots=True)
class TopicDescription:
    """What the log knows of a topic.

    Args:
        configs: what was set, not the defaults.
        record_limit: bytes of the largest record that the log takes, if `describe` can tell; nothing to `create`.
    """

    name: str
    partitions: int
    replication: int = 1
    configs: Mapping[str, str] = field(default_factory=dict)
    internal: bool = False
    record_limit: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class GroupMember:
    """A member of a consumer group.

    Args:
        process: `ConsumerOptions.process` of whoever gave one; else what tells the member from others.
        partitions: those that it reads, or is about to.
    """

    process: str
    partitions: frozenset[TopicPartition]


class Admin(Protocol):
    """Topics and groups."""

    def identity(self) -> str:
        """Give what tells this log from all others, for as long as it lives; fit for the name of a folder."""

    def topics(self) -> list[str]:
        """Give the names of all topics, sorted."""

    def describe(self, topic: str) -> TopicDescription | None:
        """Give what is known of a topic, None if there is none."""

    def check_new(self, wanted: Sequence[TopicDescription]) -> None:
        """Ask whether all of these topics could be created, and create none; those that are there are no fault.

        Raises:
            LogError: as `create` would, for the first that cannot.
        """

    def create(self, topic: TopicDescription) -> bool:
        """Create and wait until it can be used; False if it existed already.

        `partitions` or `replication` of -1 stand for the log's default.
        """

    def delete_records(self, positions: Offsets) -> None:
        """Remove the records before these offsets for good; the log may do so later, or not at all."""

    def add_partitions(self, topic: str, total: int) -> None:
        """Raise the number of partitions to `total`."""

    def delete(self, topic: str) -> bool:
        """Delete a topic; False if there was none."""

    def group_offsets(self, group: str) -> dict[TopicPartition, int]:
        """Give what the group has committed."""

    def group_members(self, group: str) -> list[GroupMember]:
        """Give who is in the group now; nobody if there is no such group."""

    def close(self) -> None:
        """Free everything; may be called twice."""


class Log(Protocol):
    """A place where topics live. Thread safe; consumers and producers made from it belong to one thread each."""

    @property
    def name(self) -> str:
        """For messages: `kafka://host:port` or `sqlite:path`, without secrets."""

    def consumer(self, options: ConsumerOptions) -> Consumer:
        """Make a consumer, which belongs to one thread."""

    def producer(self, options: ProducerOptions) -> Producer:
        """Make a producer, which belongs to one thread."""

    def admin(self) -> Admin:
        """Give topics and groups."""

    def close(self) -> None:
        """Free everything; may be called twice."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
