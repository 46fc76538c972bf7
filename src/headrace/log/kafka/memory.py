"""What one log has learnt of its brokers, so that each of its clients need not ask."""

from __future__ import annotations

import time
from typing import Final

from headrace.log.kafka.properties import CONSUMER

_SPREADS: Final = 30.0
"""Seconds until every broker is taken to know of a new topic."""


class LogMemory:
    """Belongs to a `KafkaLog`; whoever learns something writes it down."""

    def __init__(self) -> None:
        self.protocol = CONSUMER
        """The newest group protocol that the brokers may know."""
        self.cluster: str | None = None
        """The id of the cluster."""
        self._made: dict[str, float] = {}

    def made(self, topic: str) -> None:
        """Note that a topic was just created: some brokers may not know of it yet."""
        self._made[topic] = time.monotonic() + _SPREADS

    def deleted(self, topic: str) -> None:
        """Note that a topic is to be deleted: a broker that does not know of it is right."""
        self._made.pop(topic, None)

    def is_new(self, topic: str) -> bool:
        """Say whether a topic was created so lately that a broker which does not know of it is behind."""
        return time.monotonic() < self._made.get(topic, 0.0)
