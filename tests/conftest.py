"""Fixtures for all tests: the real servers, started on first use, one of each for the whole run.

With xdist the workers share them, so tests use names that no other test uses. Whoever stops a broker takes `own_kafka`.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from headrace.log import open_log
from tests.servers.apicurio import RegistryServer
from tests.servers.commands import CommandServer
from tests.servers.kafka import KafkaAddress, KafkaServer
from tests.servers.sharing import shared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from headrace.log.interface import Log

pytest_plugins = ["tests.session_rules"]


@pytest.fixture(scope="session")
def for_all_workers(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, Callable[[], AbstractContextManager[Any]]], Any]:
    """Start a server that the workers of the run share; gives what it says of itself."""
    folder = tmp_path_factory.getbasetemp()
    if hasattr(pytestconfig, "workerinput"):
        folder = folder.parent
    # Not at the end of a fixture: there the wait for the other workers would count as the time of the last test.
    running = ExitStack()
    pytestconfig.add_cleanup(running.close)

    return lambda name, server: running.enter_context(shared(folder, name, server))


@pytest.fixture(scope="session")
def kafka(for_all_workers: Any) -> KafkaAddress:
    """One Apache Kafka broker."""
    address: KafkaAddress = for_all_workers("kafka", _kafka)
    return address


@pytest.fixture(scope="module")
def own_kafka() -> Iterator[KafkaServer]:
    """A broker that nobody else uses at the time: a test may stop it, and leaves it running.

    It goes with the tests of the module that are run together: one that idles to the end of a run costs two starts or three.
    """
    with KafkaServer() as server:
        yield server


@pytest.fixture
def kafka_log(kafka: KafkaAddress) -> Iterator[Log]:
    """The broker as a log."""
    with open_log(kafka.url) as log:
        yield log


@pytest.fixture(scope="session")
def registry_url(for_all_workers: Any) -> str:
    """Base URL of one schema registry (Confluent API); subjects must be of names that no other test uses."""
    url: str = for_all_workers("registry", _registry)
    return url


@pytest.fixture(scope="session")
def commands(for_all_workers: Any) -> Path:
    """Folder of an executable `headrace` that starts at once."""
    folder: Path = for_all_workers("commands", _commands)
    return folder


@contextmanager
def _kafka() -> Iterator[KafkaAddress]:
    with KafkaServer() as server:
        yield server.address


@contextmanager
def _registry() -> Iterator[str]:
    with RegistryServer() as server:
        yield server.url


@contextmanager
def _commands() -> Iterator[Path]:
    with CommandServer() as server:
        yield server.folder
