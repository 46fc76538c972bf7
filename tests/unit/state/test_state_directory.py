"""The folders of tasks: one that is damaged is made anew, but not for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from headrace.engine.state.directory import StateDirectory
from headrace.errors import RunError
from headrace.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from pathlib import Path

TASK = "totals_0"
DAY = 24 * 3600.0


class Clock:
    """Stands still until it is told to go on."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def damage(directory: StateDirectory) -> None:
    """Begin a store, and cut off what its folder says about it."""
    folder = directory.open(TASK, 0.0)
    assert folder is not None
    assert folder.path is not None
    assert folder.store.names() == []
    folder.store.begin("s", "fingerprint")
    folder.store.close()
    (about,) = folder.path.rglob("store.json")
    about.write_text("{")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def directory(tmp_path: Path, clock: Clock) -> StateDirectory:
    return StateDirectory(tmp_path, "app", "log", Metrics(), clock)


def test_a_folder_that_is_damaged_again_and_again_stops_the_processor(directory: StateDirectory) -> None:
    for _ in range(4):
        damage(directory)
    with pytest.raises(RunError, match="`totals_0` was damaged 4 times within a day") as raised:
        directory.open(TASK, 0.0)
    assert "--state-dir" in (raised.value.diagnostics[0].help or "")


def test_damage_now_and_then_is_mended_each_time(directory: StateDirectory, clock: Clock) -> None:
    for day in range(6):
        clock.now = day * DAY
        damage(directory)
