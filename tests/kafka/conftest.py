"""Fixtures of the tests that need the real Kafka."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from headrace.log.interface import TopicDescription
from headrace.log.kafka import KafkaLog

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers.kafka import KafkaAddress


@pytest.fixture
def log(kafka: KafkaAddress) -> KafkaLog:
    """The broker as a log, by its own class."""
    return KafkaLog(kafka.bootstrap)


@pytest.fixture
def name() -> str:
    """A name that nothing else has."""
    return f"n{uuid.uuid4().hex[:8]}"


@pytest.fixture
def make_topic(log: KafkaLog) -> Callable[..., str]:
    """Make topics that no other test uses."""

    def make(partitions: int = 1, **configs: str) -> str:
        topic = f"t{uuid.uuid4().hex[:8]}"
        settings = {key.replace("_", "."): value for key, value in configs.items()}
        assert log.admin().create(TopicDescription(topic, partitions, configs=settings))
        return topic

    return make
