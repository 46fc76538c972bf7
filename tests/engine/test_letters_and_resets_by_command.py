"""`headrace dlq` and `headrace reset` as they are called, on an embedded log."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from headrace.cli.group import main
from headrace.log.embedded import EmbeddedLog
from tests.engine.test_resets_and_letters import create, planned, run, values
from tests.logs.members import produce

if TYPE_CHECKING:
    from pathlib import Path

TEXT = (
    "SET error.policy = dlq; SET dead.letter.queue = 'bad';"
    "INSERT INTO out SELECT STREAM CAST(n AS INT) AS n FROM numbers"
)


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A log with a program's output and two dead letters."""
    path = tmp_path / "log.db"
    monkeypatch.setenv("HEADRACE_LOG", f"sqlite:{path}")
    with EmbeddedLog(str(path)) as opened:
        create(opened, "numbers", "out")
        produce(
            opened,
            "numbers",
            key=[b"a", b"b", b"\xff"],
            value=[b'{"n": "1"}', b'{"n": "x"}', b"{"],
            timestamp=[1000, 2000, 3000],
            headers=[None, [{"key": "own", "value": b"h"}], None],
        )
        run(opened, planned(opened, TEXT), "app")
    return str(path)


def call(*arguments: str, code: int = 0) -> Result:
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == code, done.output
    return done


def test_letters_are_listed_shown_and_replayed(log: str) -> None:
    table = call("dlq", "list", "bad").stdout
    assert "1970-01-01T00:00:02.000Z" in table
    assert "numbers[0]@2" in table
    listed = [json.loads(line) for line in call("dlq", "list", "bad", "--format", "json").stdout.splitlines()]
    assert {item["offset"]: (item["stage"], item["key"], item["headers"]) for item in listed} == {
        1: ("compute", "b", [["own", "h"]]),
        2: ("decode.value", {"hex": "ff"}, []),
    }
    place = next(item["letter"] for item in listed if item["offset"] == 1)
    shown = call("dlq", "show", "bad", place).stdout.splitlines()
    assert "header own   h" in shown
    assert any(line.startswith("value") and line.endswith('{"n": "x"}') for line in shown)
    assert "62" in call("dlq", "show", "bad", place, "--hex").stdout
    call("dlq", "show", "bad", "7:1", code=2)
    call("dlq", "show", "bad", "one", code=2)

    assert call("dlq", "replay", "bad", "--dry-run").stdout == "numbers: 2 would be sent\n"
    assert call("dlq", "replay", "bad", "--letter", place).stdout == "numbers: 1 sent\n"
    assert call("dlq", "replay", "bad", "--from-topic", "numbers").stdout == "numbers: 1 sent\n"
    assert call("dlq", "replay", "bad").stdout == "nothing to send\n"
    assert len(call("dlq", "list", "bad").stdout.splitlines()) < len(
        call("dlq", "list", "bad", "--all").stdout.splitlines()
    )


def test_offsets_are_reset(log: str, tmp_path: Path) -> None:
    program = tmp_path / "p.sql"
    program.write_text(TEXT)
    shown = call("reset", "app", "--to", "earliest", "--dry-run").stdout
    assert shown == "numbers[0]: 3 -> 0\n"
    assert call("reset", "app", "--to", "1970-01-01T00:00:02", "--dry-run").stdout == "numbers[0]: 3 -> 1\n"
    assert (
        call("reset", "app", str(program), "--to", "offset:2", "--topic", "numbers").stdout
        == "numbers[0]: 3 -> 2\n"
    )
    assert call("reset", "app", "--to", "latest").stdout == "numbers[0]: 2 -> 3\n"
    call("reset", "app", "--to", "-2h", "--topic", "other", code=1)
    for wrong in ("soon", "offset:x", "2026-13-01"):
        call("reset", "app", "--to", wrong, code=2)
    call("reset", "app", "--to", "latest", "--discard-state", code=2)
    call("reset", "app", str(program), "--to", "latest", "--discard-state", "--topic", "numbers", code=2)
    call("reset", "app", "--to", "earliest")
    with EmbeddedLog(log) as opened:
        run(opened, planned(opened, TEXT), "app")
        assert values(opened, "out") == [{"n": 1}, {"n": 1}]
