"""Every test here runs on both logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from headrace.log import open_log

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from headrace.log.interface import Log


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the log is; other processes can open it too."""
    if request.param == "kafka":
        return str(request.getfixturevalue("kafka").url)
    return f"sqlite:{tmp_path / 'log.db'}"


@pytest.fixture
def log(url: str) -> Iterator[Log]:
    with open_log(url) as opened:
        yield opened
