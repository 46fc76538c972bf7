"""What one log has learnt of its brokers, so that each of its clients need not ask."""

from __future__ import annotations

from headrace.log.kafka.properties import CONSUMER


class LogMemory:
    """Belongs to a `KafkaLog`; whoever learns something writes it down."""

    def __init__(self) -> None:
        self.protocol = CONSUMER
        """The newest group protocol that the brokers may know."""
        self.cluster: str | None = None
        """The id of the cluster."""
