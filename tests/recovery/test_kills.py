"""Killed at each step of a commit, a processor goes on so that every record counts exactly once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.engine.processes import Child
from tests.engine.programs import create, fill, numbers, unique
from tests.engine.stateful import expected_histories, histories
from tests.recovery.child import AFTER_COMMIT, AFTER_STORE, IN_RESTORE, STEPS

if TYPE_CHECKING:
    from pathlib import Path

    from headrace.log.interface import Log

COUNT = 4_000
KEYS = 40


def given(log: Log, source: str) -> dict[str, list[tuple[int, int]]]:
    """Fill the topic; give what must come out."""
    keys = [f"k{number % KEYS}" for number in range(COUNT)]
    fill(log, source, numbers(range(COUNT)), keys=[key.encode() for key in keys])
    return expected_histories(zip(keys, range(COUNT), strict=True))


def facts(state: Path) -> tuple[str, ...]:
    # The classic protocol lets a member of the same name take over at once.
    return ("program=counting", "protocol=classic", "batch=100", "instance=one", f"state={state}")


@pytest.mark.parametrize("step", STEPS)
def test_killed_in_a_commit(url: str, log: Log, commands: Path, tmp_path: Path, step: str) -> None:
    source, sink, application = create(log, unique("in")), unique("out"), unique("app")
    expected = given(log, source)
    arguments = (url, source, sink, application, *facts(tmp_path / "state"))
    for time in ("1", "3"):
        with Child(
            commands, tmp_path / f"{time}.log", step, time, *arguments, module="tests.recovery.child"
        ) as child:
            assert child.wait() != 0, child.lines.read_text()
    with Child(commands, tmp_path / "last.log", *arguments, "until_end=yes") as child:
        assert child.wait() == 0, child.lines.read_text()
    assert histories(log, sink) == expected


@pytest.mark.parametrize("step", [AFTER_COMMIT, AFTER_STORE])
def test_killed_while_it_restores(url: str, log: Log, commands: Path, tmp_path: Path, step: str) -> None:
    source, sink, application = create(log, unique("in")), unique("out"), unique("app")
    expected = given(log, source)
    arguments = (url, source, sink, application)
    with Child(
        commands,
        tmp_path / "first.log",
        *(step, "4", *arguments, *facts(tmp_path / "here")),
        module="tests.recovery.child",
    ) as child:
        assert child.wait() != 0, child.lines.read_text()
    elsewhere = facts(tmp_path / "elsewhere")
    with Child(
        commands,
        tmp_path / "second.log",
        *(IN_RESTORE, "2", *arguments, *elsewhere),
        module="tests.recovery.child",
    ) as child:
        assert child.wait() != 0, child.lines.read_text()
    with Child(commands, tmp_path / "last.log", *arguments, *elsewhere, "until_end=yes") as child:
        assert child.wait() == 0, child.lines.read_text()
    assert histories(log, sink) == expected
