"""Apache Kafka as a log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from headrace.log.kafka.admin import KafkaAdmin
from headrace.log.kafka.consumer import KafkaConsumer
from headrace.log.kafka.memory import LogMemory
from headrace.log.kafka.producer import KafkaProducer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from headrace.log.interface import ConsumerOptions, ProducerOptions


class KafkaLog:
    """One Kafka cluster.

    Args:
        bootstrap: `host:port,host:port`.
        properties: client properties of librdkafka for all clients; those of a consumer's or producer's options win.
    """

    def __init__(self, bootstrap: str, properties: Mapping[str, str] | None = None) -> None:
        self._bootstrap = bootstrap
        self._properties = dict(properties or {})
        self._memory = LogMemory()
        self._admin: KafkaAdmin | None = None

    @property
    def name(self) -> str:
        """For messages; holds no secrets."""
        return f"kafka://{self._bootstrap}"

    def consumer(self, options: ConsumerOptions) -> KafkaConsumer:
        """Make a consumer; the broker need not be up."""
        return KafkaConsumer(self.name, self._bootstrap, self._properties, options, self._memory)

    def producer(self, options: ProducerOptions) -> KafkaProducer:
        """Make a producer; with a transactional id the broker must answer within a minute."""
        return KafkaProducer(self.name, self._bootstrap, self._properties, options)

    def admin(self) -> KafkaAdmin:
        """Give the administration client: one for all who ask, since another must find its brokers first."""
        if self._admin is None:
            self._admin = KafkaAdmin(self.name, self._bootstrap, self._properties, self._memory)
        return self._admin

    def close(self) -> None:
        """Do nothing: consumers and producers belong to those who made them."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
