"""The logs under test: one suite for all, since whatever passes on the embedded log must pass on Kafka."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from headrace.log.embedded import EmbeddedLog
from headrace.log.interface import TopicDescription

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from headrace.log.interface import Log


@pytest.fixture(params=["memory", "file", pytest.param("kafka", marks=pytest.mark.kafka)])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Log]:
    """Each log in turn."""
    if request.param == "kafka":
        yield request.getfixturevalue("kafka_log")
        return
    with EmbeddedLog(":memory:" if request.param == "memory" else str(tmp_path / "log.db")) as embedded:
        yield embedded


@pytest.fixture
def group() -> str:
    """A group that no other test uses."""
    return f"group-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def make_topic(log: Log) -> Iterator[Callable[..., str]]:
    """Make topics that no other test uses."""
    admin = log.admin()
    made = []

    def make(partitions: int = 1, **configs: str) -> str:
        name = f"topic-{uuid.uuid4().hex[:8]}"
        settings = {key.replace("_", "."): value for key, value in configs.items()}
        assert admin.create(TopicDescription(name, partitions, configs=settings))
        made.append(name)
        return name

    yield make
    for name in made:
        admin.delete(name)
    admin.close()
