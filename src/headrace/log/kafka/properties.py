"""Client properties: our defaults, then the user's, then what the options demand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from headrace.log.interface import ConsumerOptions, OffsetReset, ProducerOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

GROUP_PROTOCOL: Final = "group.protocol"
CLASSIC: Final = "classic"
CONSUMER: Final = "consumer"

CLASSIC_ONLY: Final = frozenset(
    {"session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy", "group.protocol.type"}
)
"""Properties that librdkafka refuses with `group.protocol=consumer`: the broker decides them there."""

_NO_GROUP: Final = "headrace-no-group"
_SHARED: Final = {
    "client.id": "headrace",
    # A broker that comes back is found within a second, not ten.
    "reconnect.backoff.ms": "50",
    "reconnect.backoff.max.ms": "1000",
    # When all brokers are away, librdkafka 2.12 to 2.16 by default throws them out and begins anew at the bootstrap
    # addresses, dozens of times a second; and a transaction's offsets are then sent to a broker thrown out, for ever.
    "metadata.recovery.strategy": "none",
}
_CONSUMER: Final = {
    # Memory: at most so much is fetched ahead, over all partitions. The queue is refilled at once, not after a
    # second, when it has been drained: otherwise so small a queue would stall.
    "queued.max.messages.kbytes": "32768",
    # Of each partition. Five times as many, librdkafka's default, gain nothing, and each costs some 300 bytes beside its own.
    "queued.min.messages": "20000",
    "fetch.queue.backoff.ms": "5",
    "fetch.max.bytes": str(16 << 20),
    "fetch.message.max.bytes": str(1 << 20),
    "fetch.wait.max.ms": "100",
    # Partitions that were added are seen in time.
    "topic.metadata.refresh.interval.ms": "30000",
}
_BATCH_BYTES: Final = 1_000_000
_MOST_RECORD_BYTES: Final = 64_000_000
"""What fits into the send queue."""
_TRANSACTION_MS: Final = 60_000
_IDLE: Final = "connections.max.idle.ms"
_TRANSACTION_IDLE_MS: Final = "10000"
"""When the broker that coordinates the group dies, librdkafka (2.10 to 2.16: confluentinc/librdkafka#5511) waits for it for
ever with a transaction's offsets, whatever the time-out, and looks for the new one only when a connection to another broker
comes or goes. With nothing else to send, all of them go after so many milliseconds."""
_PRODUCER: Final = {
    "enable.idempotence": "true",
    # As Java's default partitioner: murmur2 of the key, without a key any partition.
    "partitioner": "murmur2_random",
    "delivery.report.only.error": "true",
    "queue.buffering.max.kbytes": "65536",
    "queue.buffering.max.messages": "200000",
    "linger.ms": "5",
}


def consumer_properties(bootstrap: str, log: Mapping[str, str], options: ConsumerOptions) -> dict[str, str]:
    """Give the properties of a consumer; `group.protocol` is left to the caller unless the user named it."""
    reset = "error" if options.offset_reset is OffsetReset.NONE else options.offset_reset.value
    properties = {
        **_SHARED,
        **_CONSUMER,
        "auto.offset.reset": reset,
        "isolation.level": "read_committed" if options.read_committed else "read_uncommitted",
        **log,
        **options.properties,
        "bootstrap.servers": bootstrap,
        "group.id": options.group or _NO_GROUP,
        "enable.auto.commit": "false",
        "enable.auto.offset.store": "false",
        "enable.partition.eof": "true",
    }
    if options.instance is not None:
        properties["group.instance.id"] = options.instance
    if options.process is not None:
        # As with Kafka Streams, a name that was set is the first part of each client's.
        properties["client.id"] += f"-{options.process}"
    return properties


def chosen_protocol(properties: Mapping[str, str]) -> str | None:
    """Give the group protocol that the user's properties call for; None leaves the choice to us."""
    if GROUP_PROTOCOL in properties:
        return properties[GROUP_PROTOCOL]
    return CLASSIC if CLASSIC_ONLY & properties.keys() else None


def with_protocol(properties: Mapping[str, str], protocol: str) -> dict[str, str]:
    """Add what this protocol needs; the user's own choice of an assignor stays."""
    assignor = "group.remote.assignor" if protocol == CONSUMER else "partition.assignment.strategy"
    return {assignor: "range", **properties, GROUP_PROTOCOL: protocol}


def producer_properties(bootstrap: str, log: Mapping[str, str], options: ProducerOptions) -> dict[str, str]:
    """Give the properties of a producer."""
    properties = {
        **_SHARED,
        **_PRODUCER,
        **_limits(options.record_limits),
        **log,
        **options.properties,
        "bootstrap.servers": bootstrap,
    }
    if options.tells_positions:
        properties["delivery.report.only.error"] = "false"
    if options.transactional_id is not None:
        properties["transactional.id"] = options.transactional_id
        properties.setdefault(_IDLE, _TRANSACTION_IDLE_MS)
        properties.setdefault("transaction.timeout.ms", str(_transaction_timeout(properties)))
    return properties


def _transaction_timeout(properties: Mapping[str, str]) -> int:
    """Give the time in ms after which the broker aborts a transaction whose producer has died.

    Until then, those who read only what is committed wait behind it. A single broker that is away for longer may double
    records, so it is a minute and not the ten seconds of Kafka Streams (docs/adr/0009). librdkafka refuses one that is
    shorter than the time limits of single requests, where the user gave any.
    """
    names = ("message.timeout.ms", "delivery.timeout.ms", "socket.timeout.ms")
    given = [properties.get(name, "") for name in names]
    return max([_TRANSACTION_MS, *(int(value) + 100 for value in given if value.isdigit())])


def _limits(record_limits: tuple[int, int] | None) -> dict[str, str]:
    """Keep batches within what every target takes, and let the largest record that any of them takes pass."""
    if record_limits is None:
        return {}
    smallest, largest = record_limits
    return {
        # A broker that finds a batch too large refuses all of its records.
        "batch.size": str(max(1, min(smallest, _BATCH_BYTES))),
        "message.max.bytes": str(max(1000, min(largest, _MOST_RECORD_BYTES))),
    }


def admin_properties(bootstrap: str, log: Mapping[str, str]) -> dict[str, str]:
    """Give the properties of the administration client."""
    return {**_SHARED, **log, "bootstrap.servers": bootstrap}
