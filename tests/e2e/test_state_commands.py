"""State from outside, as a user sees it: verdicts of `plan`, and state that is given up."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = (
    "SET autocreate=true; INSERT INTO counts SELECT STREAM card, COUNT(*) AS n FROM payments GROUP BY card;"
)
CHANGED = PROGRAM.replace("COUNT(*)", "MAX(amount)")
RECORDS = '{"card": "c1", "amount": 1}\n{"card": "c2", "amount": 2}\n{"card": "c1", "amount": 3}\n'

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def headrace(commands: Path, tmp_path: Path) -> Command:
    """Call a command in a folder of its own, which is the home too."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SQL", "HEADRACE_"))}

    def call(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(commands / "headrace"), *arguments],
            cwd=tmp_path,
            env={**kept, "HOME": str(tmp_path), "PYTHONWARNINGS": "error"},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    assert call("topics", "create", "payments", "--partitions", "1").returncode == 0
    assert call("produce", "payments", "--key", "card", stdin=RECORDS).returncode == 0
    return call


def verdicts(headrace: Command, text: str) -> tuple[int, list[str]]:
    done = headrace("plan", "-e", text, "--app-id", "a", "--format", "json")
    return done.returncode, [item["verdict"] for item in json.loads(done.stdout)["stores"]]


def run(headrace: Command, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return headrace("run", "-e", text, "--app-id", "a", "--until-end", *arguments)


@pytest.mark.parametrize("given_up", ["all", "counts-aggregate"])
def test_a_changed_program_is_refused_until_its_state_is_given_up(headrace: Command, given_up: str) -> None:
    assert verdicts(headrace, PROGRAM) == (0, ["NEW"])
    assert run(headrace, PROGRAM).returncode == 0
    assert verdicts(headrace, PROGRAM) == (0, ["KEEP"])
    assert verdicts(headrace, CHANGED) == (1, ["REFUSE"])
    assert run(headrace, CHANGED).returncode == 1
    assert run(headrace, CHANGED, f"--discard-state={given_up}").returncode == 0
    headrace("produce", "payments", "--key", "card", stdin='{"card": "c1", "amount": 2}\n')
    assert run(headrace, CHANGED).returncode == 0
    assert verdicts(headrace, CHANGED) == (0, ["KEEP"])
    printed = headrace("consume", "counts", "--until-end").stdout.splitlines()
    assert json.loads(printed[-1]) == {"card": "c1", "n": 2}


def test_a_store_that_the_program_does_not_have_is_no_store_to_give_up(headrace: Command) -> None:
    done = run(headrace, PROGRAM, "--discard-state=count-aggregate")
    assert done.returncode == 2
    assert "it has `counts-aggregate`" in done.stderr


def test_verdicts_are_about_an_application(headrace: Command) -> None:
    assert headrace("plan", "-e", PROGRAM, "--state-dir", "state").returncode == 2
    assert headrace("plan", "-e", PROGRAM, "--app-id", "a", "--format", "dot").returncode == 2
