"""Topics and groups of Kafka, by confluent-kafka's administration client."""

from __future__ import annotations

import logging
import re
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicCollection
from confluent_kafka import TopicPartition as Place

# Its __init__ re-exports these without `__all__`, which strict typing does not count as public.
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ConfigResource,
    ConfigSource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

from headrace.log.interface import GroupMember, TopicDescription, TopicPartition
from headrace.log.kafka.faults import RETRIABLE, fault_of
from headrace.log.kafka.properties import admin_properties

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from confluent_kafka import TopicPartitionInfo
    from confluent_kafka.admin import (  # type: ignore[attr-defined]
        ClusterMetadata,
        MemberDescription,
    )

    from headrace.log.interface import Offsets
    from headrace.log.kafka.memory import LogMemory

_T = TypeVar("_T")
_UNKNOWN: Final = "UNKNOWN_TOPIC_OR_PART"
_THERE: Final = "TOPIC_ALREADY_EXISTS"
_NO_NAME: Final = "TOPIC_EXCEPTION"
"""What Kafka says of a topic whose name none can have."""
_NEW: Final = "LEADER_NOT_AVAILABLE"
"""What passes without a word: a topic that not all brokers know of yet."""
_SECONDS: Final = 30.0
# Long waits are cut up, so that signals are seen and a broker that is away is told of.
_SLICE: Final = 2.0
_READY_SECONDS: Final = 30.0
_PAUSE: Final = 0.05

# librdkafka's own log lines go nowhere: what matters comes back as an error.
_SILENT: Final = logging.getLogger("headrace.log.kafka.silent")
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False
_LOGGER: Final = logging.getLogger("headrace.log.kafka")

_PROCESS: Final = re.compile(r"-([0-9a-f]{12})$")
"""What `ConsumerOptions.process` adds to a client's name."""


class KafkaAdmin:
    """Topics and groups of Kafka, as `log.interface.Admin`. Any thread may use it; all who ask a log share one."""

    def __init__(self, log: str, bootstrap: str, properties: Mapping[str, str], memory: LogMemory) -> None:
        self._log = log
        self._memory = memory
        self._properties: dict[str, Any] = dict(admin_properties(bootstrap, properties))
        self._last_fault = _LastFault()
        with self._faults("cannot connect"):
            self._client = self._connect()

    def identity(self) -> str:
        """Give the id of the cluster."""
        if self._memory.cluster is None:
            with self._faults("cannot tell the cluster"):
                self._memory.cluster = str(self._asked(_cluster).cluster_id)
        return self._memory.cluster

    def topics(self) -> list[str]:
        """Give the names of all topics, sorted."""
        with self._faults("cannot list topics"):
            return sorted(self._asked(_metadata).topics)

    def describe(self, topic: str) -> TopicDescription | None:
        """Give what Kafka knows of a topic; None if it does not exist."""
        doing = f"cannot describe `{topic}`"
        with self._faults(doing):
            found = self._partitions(topic)
            entries = None if found is None else self._configs(topic)
        if found is None or entries is None:
            return None
        configs = {
            name: entry.value
            for name, entry in entries.items()
            if entry.source == ConfigSource.DYNAMIC_TOPIC_CONFIG.value
        }
        replication = max((len(item.replicas) for item in found), default=1)
        limit = entries.get("max.message.bytes")
        return TopicDescription(
            topic,
            len(found),
            replication,
            configs,
            topic.startswith("__"),
            None if limit is None else int(limit.value),
        )

    def check_new(self, wanted: Sequence[TopicDescription]) -> None:
        """See `Admin.check_new`."""
        if not wanted:
            return
        client = self._ready(_creating(wanted[0].name), wanted[0].name)
        futures = client.create_topics(
            [_new_topic(item) for item in wanted], operation_timeout=_SECONDS, validate_only=True
        )
        for name, future in futures.items():
            self._wait(_creating(name), future, unless=_THERE)

    def create(self, topic: TopicDescription) -> bool:
        """Create and wait until it can be used; False if it existed already."""
        doing = _creating(topic.name)
        futures = self._ready(doing, topic.name).create_topics(
            [_new_topic(topic)], operation_timeout=_SECONDS
        )
        created = self._wait(doing, futures[topic.name], unless=_THERE)
        self._memory.made(topic.name)
        self._await_partitions(topic.name, max(topic.partitions, 1))
        return created is not _UNCHANGED

    def delete_records(self, positions: Offsets) -> None:
        """Remove the records before these offsets."""
        if not positions:
            return
        places = [Place(item.topic, item.partition, offset) for item, offset in positions.items()]
        doing = f"cannot delete records of `{places[0].topic}`"
        futures = self._ready(doing, places[0].topic).delete_records(places, operation_timeout=_SECONDS)
        for place, future in futures.items():
            self._wait(f"cannot delete records of `{place.topic}`", future)

    def add_partitions(self, topic: str, total: int) -> None:
        """Grow a topic to so many partitions and wait until they can be used."""
        doing = f"cannot add partitions to `{topic}`"
        futures = self._ready(doing, topic).create_partitions(
            [NewPartitions(topic, total)], operation_timeout=_SECONDS
        )
        self._wait(doing, futures[topic])
        self._await_partitions(topic, total)

    def delete(self, topic: str) -> bool:
        """Delete a topic; False if there was none."""
        doing = f"cannot delete `{topic}`"
        self._memory.deleted(topic)
        futures = self._ready(doing, topic).delete_topics([topic], operation_timeout=_SECONDS)
        deleted = self._wait(doing, futures[topic], unless=_UNKNOWN) is not _UNCHANGED
        end = time.monotonic() + _READY_SECONDS
        while deleted and time.monotonic() < end:
            with self._faults(doing):
                if self._partitions(topic) is None:
                    break
            time.sleep(_PAUSE)
        return deleted

    def group_offsets(self, group: str) -> dict[TopicPartition, int]:
        """Give the committed offsets of a group; empty if there is no such group."""
        # Not by the administration client: its answer to a coordinator that is moving crashes librdkafka 2.16
        # (rd_kafka_handle_OffsetFetch on a client without a group).
        with self._faults(f"cannot read the group `{group}`"):
            topics = self._asked(_metadata).topics
            places = [Place(name, number) for name, topic in topics.items() for number in topic.partitions]
            reader = Consumer({**self._properties, "group.id": group}, logger=_SILENT)
            try:
                found = reader.committed(places, timeout=_SECONDS) if places else []
            finally:
                reader.close()
        return {TopicPartition(item.topic, item.partition): item.offset for item in found if item.offset >= 0}

    def group_members(self, group: str) -> list[GroupMember]:
        """Give who is in the group, under either protocol."""
        doing = f"cannot describe the group `{group}`"
        end = time.monotonic() + _SECONDS
        while True:
            with self._faults(doing):
                try:
                    found = self._client.describe_consumer_groups([group])[group].result(_SECONDS)
                    break
                except KafkaException as error:
                    # A coordinator that is moving, or the first to be made.
                    if error.args[0].name() not in RETRIABLE or time.monotonic() > end:
                        raise
            time.sleep(_PAUSE)
        return [
            GroupMember(
                _process_of(member),
                frozenset(
                    TopicPartition(place.topic, place.partition)
                    for place in (member.assignment.topic_partitions if member.assignment else ())
                ),
            )
            for member in found.members
        ]

    def close(self) -> None:
        """Free nothing: others use the client, too. It ends with its last reference."""

    def _connect(self) -> AdminClient:
        settings: dict[str, Any] = {**self._properties, "error_cb": self._last_fault}
        return AdminClient(settings, logger=_SILENT)

    def _asked(self, question: Callable[[AdminClient], _T]) -> _T:
        """Ask for what is known to the brokers; waits for a broker that is away, and says so."""
        began = time.monotonic()
        self._last_fault.error, told = None, False
        while True:
            try:
                return question(self._client)
            except KafkaException as error:
                self._client.poll(0)
                # The answer is always "transport failure"; what the client heard is the reason for it.
                heard = self._last_fault.error
                reason: KafkaError = error.args[0] if heard is None else heard
                waited = time.monotonic() - began
                if reason.name() not in RETRIABLE or waited >= _SECONDS:
                    raise KafkaException(reason) from None
                if not told and waited >= _SLICE / 2 and reason.name() != _NEW:
                    _LOGGER.warning("`%s` cannot be reached, waiting for it: %s", self._log, _text(reason))
                    told = True
                time.sleep(_PAUSE)
                # One that a broker has told of a cluster without brokers never connects again (librdkafka #5301).
                self._client = self._connect()

    def _ready(self, doing: str, topic: str) -> AdminClient:
        """Give the client when it has a broker, which tells of this topic or that there is none."""
        with self._faults(doing):
            self._partitions(topic)
        return self._client

    def _partitions(self, topic: str) -> list[TopicPartitionInfo] | None:
        """Give the partitions of a topic, None if it does not exist. Never makes one, as a consumer's question might."""

        def ask(client: AdminClient) -> list[TopicPartitionInfo]:
            future = client.describe_topics(TopicCollection([topic]), request_timeout=_SLICE)[topic]
            found: list[TopicPartitionInfo] = future.result(_SECONDS).partitions
            return found

        return self._if_known(topic, ask)

    def _configs(self, topic: str) -> Mapping[str, Any] | None:
        """Give the settings of a topic, None if it does not exist."""
        resource = ConfigResource(ResourceType.TOPIC, topic)

        def ask(client: AdminClient) -> Mapping[str, Any]:
            # A broker has just answered: this one is not away, at worst slow.
            future = client.describe_configs([resource], request_timeout=_SECONDS / 3)[resource]
            found: Mapping[str, Any] = future.result(_SECONDS)
            return found

        return self._if_known(topic, ask)

    def _if_known(self, topic: str, question: Callable[[AdminClient], _T]) -> _T | None:
        """Ask about a topic; None if it does not exist."""

        def ask(client: AdminClient) -> _T | None:
            try:
                return question(client)
            except KafkaException as error:
                if error.args[0].name() not in (_UNKNOWN, _NO_NAME):
                    raise
                if self._memory.is_new(topic):
                    # Another broker has heard of it, and this one will.
                    raise KafkaException(KafkaError(KafkaError.LEADER_NOT_AVAILABLE)) from None
                return None

        return self._asked(ask)

    def _await_partitions(self, topic: str, count: int) -> None:
        """Wait until the brokers agree on a leader for each partition; a new topic is not usable at once."""
        end = time.monotonic() + _READY_SECONDS
        while time.monotonic() < end:
            with self._faults(f"cannot use `{topic}`"):
                found = self._partitions(topic) or []
            if len(found) >= count and all(item.leader is not None and item.leader.id >= 0 for item in found):
                return
            time.sleep(_PAUSE)

    def _wait(self, doing: str, future: Future[Any], unless: str | None = None) -> Any:
        with self._faults(doing):
            try:
                return future.result(_SECONDS)
            except KafkaException as error:
                if error.args[0].name() == unless:
                    return _UNCHANGED
                raise

    @contextmanager
    def _faults(self, doing: str) -> Iterator[None]:
        try:
            yield
        except KafkaException as error:
            reason = error.args[0]
            raise fault_of(self._log, doing, _text(reason), reason.name()) from None
        except TimeoutError:
            raise fault_of(self._log, doing, "no answer in time", "_TIMED_OUT") from None


def _new_topic(topic: TopicDescription) -> NewTopic:
    return NewTopic(
        topic.name,
        num_partitions=topic.partitions,
        replication_factor=topic.replication,
        config=dict(topic.configs),
    )


def _creating(topic: str) -> str:
    return f"cannot create `{topic}`"


def _cluster(client: AdminClient) -> ClusterMetadata:
    """Ask for the brokers, and a topic that every cluster has: all of them would be megabytes on a large one.

    Not `describe_cluster` for the brokers alone: without any, librdkafka 2.16 aborts the process.
    """
    return _metadata(client, "__consumer_offsets")


def _metadata(client: AdminClient, topic: str | None = None) -> ClusterMetadata:
    """Ask for the brokers and a topic, or all topics."""
    found = client.list_topics(topic, timeout=_SLICE) if topic else client.list_topics(timeout=_SLICE)
    if not found.brokers:
        # As a broker says that shuts down or has just started.
        raise KafkaException(KafkaError(KafkaError._TRANSPORT, "the cluster has no brokers"))
    return found


def _process_of(member: MemberDescription) -> str:
    named = _PROCESS.search(member.client_id or "")
    return named[1] if named else str(member.group_instance_id or member.member_id)


class _LastFault:
    """Hears what the client says of its connections.

    An object of its own: a method of `KafkaAdmin` would keep that alive.
    """

    def __init__(self) -> None:
        self.error: KafkaError | None = None

    def __call__(self, error: KafkaError) -> None:
        # Comes after the reasons, and tells nothing more.
        if error.name() != "_ALL_BROKERS_DOWN":
            self.error = error


def _text(reason: KafkaError) -> str:
    return re.sub(r" \(after \d+ms in state \w+\)$", "", reason.str())


_UNCHANGED: Final = object()
"""What `_wait` gives when there was nothing to do."""
