"""Fixtures for all tests: the real servers, started on first use, one of each for the whole run.

Tests that use them run in one process: with xdist each worker would start its own broker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from headrace.log import open_log
from tests.servers.apicurio import RegistryServer
from tests.servers.commands import CommandServer
from tests.servers.kafka import KafkaServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.log.interface import Log

pytest_plugins = ["tests.session_rules"]


@pytest.fixture(scope="session")
def kafka() -> Iterator[KafkaServer]:
    """One Apache Kafka broker; tests share it, so they use topic and group names of their own."""
    with KafkaServer() as server:
        yield server


@pytest.fixture
def kafka_log(kafka: KafkaServer) -> Iterator[Log]:
    """The broker as a log."""
    with open_log(kafka.url) as log:
        yield log


@pytest.fixture(scope="session")
def registry_url() -> Iterator[str]:
    """Base URL of one schema registry (Confluent API); tests share it, so they use subjects of their own."""
    with RegistryServer() as server:
        yield server.url


@pytest.fixture(scope="session")
def commands() -> Iterator[CommandServer]:
    """The command line, loaded once: its executable starts at once."""
    with CommandServer() as server:
        yield server
