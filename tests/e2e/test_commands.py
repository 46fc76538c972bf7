"""The commands as a user calls them, on the embedded log."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from headrace.cli.demo import PROGRAM
from tests.servers.ports import free_ports

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
HEADRACE = str(Path(sys.executable).parent / "headrace")


@pytest.fixture
def headrace(commands: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Call a command in a folder of its own."""
    return lambda *arguments, **more: _call(str(commands / "headrace"), tmp_path, *arguments, **more)


@pytest.fixture
def installed(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Call the command as a user does, its start included."""
    return lambda *arguments, **more: _call(HEADRACE, tmp_path, *arguments, **more)


def _call(
    command: str, folder: Path, *arguments: str, stdin: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [command, *arguments],
        cwd=folder,
        env={**_environment(), **variables},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def _environment() -> dict[str, str]:
    """Give the environment without settings of Headrace; a user must never see a warning of Python's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SQL", "HEADRACE_"))}
    return {**kept, "PYTHONWARNINGS": "error"}


def test_the_demo_shows_records_and_ends_by_itself(installed: Any) -> None:
    done = installed("demo", "--seconds", "2", "--rate", "500")
    assert done.returncode == 0, done.stderr
    last = done.stdout.strip().split("\n")[-1]
    words = last.replace(",", "").split()
    assert words[0] == "done:"
    assert int(words[1]) > 500
    assert int(words[4]) > 200


def test_the_example_is_the_program_of_the_demo() -> None:
    assert (ROOT / "examples" / "vessels" / "fast_vessels.sql").read_text(encoding="utf-8") == PROGRAM


def test_envelopes_come_out_as_they_went_in(headrace: Any) -> None:
    lines = [
        '{"key":"a","value":{"n":1.10,"big":12345678901234567890123},"timestamp":1000,"headers":{"h":"x","e":""}}',
        '{"key":null,"value":"text \\" quoted","timestamp":1001,"headers":{}}',
        '{"key":"","value":null,"timestamp":1002,"headers":{}}',
        '{"key":"b","value":[1,{"a":null}],"timestamp":1003,"headers":{"n":null}}',
        '{"key":"c","value":"123","timestamp":1004,"headers":{}}',
    ]
    headrace("topics", "create", "t")
    assert headrace("produce", "t", "--envelope", stdin="\n".join(lines)).returncode == 0
    shown = headrace(
        "consume", "t", "--until-end", "--envelope", "--key-format", "STRING", "--value-format", "JSON"
    )
    assert shown.stdout.splitlines() == lines


@pytest.mark.parametrize(
    ("form", "value"),
    [
        ("STRING", '"naïve"'),
        ("INT", "-7"),
        ("LONG", "9007199254740993"),
        ("BYTES", '"AP8="'),
        ("JSON", '{"a": [1]}'),
    ],
)
def test_each_format_is_read_back(headrace: Any, form: str, value: str) -> None:
    headrace("topics", "create", "t")
    assert headrace("produce", "t", "--value-format", form, stdin=f"{value}\nnull\n").returncode == 0
    assert headrace("consume", "t", "--until-end", "--value-format", form).stdout == f"{value}\nnull\n"


def test_an_avro_schema_is_inferred_and_registered(headrace: Any) -> None:
    headrace("topics", "create", "t")
    lines = '{"id":1,"name":"a"}\n{"id":2,"name":null}\n'
    done = headrace(
        "produce", "t", "--key", "id", "--key-format", "LONG", "--value-format", "AVRO", stdin=lines
    )
    assert done.returncode == 0, done.stderr
    shown = headrace("consume", "t", "--until-end", "--envelope").stdout.splitlines()
    assert [(json.loads(line)["key"], json.loads(line)["value"]["name"]) for line in shown] == [
        (1, "a"),
        (2, None),
    ]


def test_schemas_are_listed_shown_compared_and_checked(headrace: Any, tmp_path: Path) -> None:
    assert (
        headrace("query", "CREATE TABLE t (id long NOT NULL, name string) FORMAT (STRING, AVRO)").returncode
        == 0
    )
    subject = "t-value"
    assert headrace("schemas", "list").stdout.splitlines()[1].split() == [subject, "AVRO", "1", "BACKWARD"]
    shown = headrace("schemas", "show", subject).stdout.splitlines()
    assert [line.split()[:3] for line in shown[1:]] == [["id", "long", "no"], ["name", "string", "yes"]]
    schema = json.loads(headrace("schemas", "show", subject, "--raw").stdout)
    for added, code, said in (
        ({"name": "x", "type": "int"}, 1, "has no default"),
        ({"name": "x", "type": "int", "default": 0}, 0, "it can be version 2 of"),
    ):
        file = tmp_path / "new.avsc"
        file.write_text(json.dumps({**schema, "fields": [*schema["fields"], added]}))
        done = headrace("schemas", "check", subject, str(file))
        assert (done.returncode, said in done.stdout) == (code, True)
    extended = {**schema, "fields": [*schema["fields"], {"name": "x", "type": "int"}]}
    (tmp_path / "new.avsc").write_text(json.dumps(extended))
    for level, code in (("FORWARD_TRANSITIVE", 0), ("FULL_TRANSITIVE", 1)):
        done = headrace("schemas", "check", subject, str(tmp_path / "new.avsc"), "--level", level)
        assert done.returncode == code, done.stdout
    assert headrace("schemas", "list").stdout.splitlines()[1].split()[2] == "1", "nothing is registered"
    assert headrace("schemas", "diff", subject).returncode == 2
    assert "did you mean" in headrace("schemas", "show", "t-vlue").stderr


def test_a_bad_line_is_named_and_what_stood_before_it_is_written(headrace: Any) -> None:
    headrace("topics", "create", "t")
    done = headrace("produce", "t", stdin='{"a":1}\n\n{"a":2}\n{"a":\n{"a":4}\n')
    assert done.returncode == 1
    assert "line 4 cannot be written" in done.stderr
    assert "2 records written before it" in done.stderr
    assert headrace("consume", "t", "--until-end").stdout == '{"a":1}\n{"a":2}\n'


def test_a_closed_pipe_ends_a_command_quietly(headrace: Any, tmp_path: Path) -> None:
    headrace("topics", "create", "t")
    headrace("produce", "t", stdin='{"a":1}\n' * 50_000)
    script = f"{HEADRACE} consume t --until-end | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=_environment(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, '{"a":1}\n', "")


def test_the_installed_command_says_nothing_but_what_it_is_asked(installed: Any) -> None:
    done = installed("topics", "create", "t")
    assert (done.returncode, done.stdout, done.stderr) == (0, "created `t`\n", "")
    installed("produce", "t", stdin='{"a":1}\n')
    done = installed("query", "SELECT a + 1 AS b FROM t", "--format", "csv")
    assert (done.returncode, done.stdout, done.stderr) == (0, '"b"\n2\n', "")
    done = installed("run", "-e", "SET autocreate=true; INSERT INTO u SELECT STREAM a FROM t", "--until-end")
    assert (done.returncode, done.stdout) == (0, "")
    assert all(" INFO " in line for line in done.stderr.splitlines()), done.stderr
    done = installed("run", "-e", "INSERT INTO a SELECT STREAM * FROM missing")
    assert done.returncode == 2
    assert done.stderr.startswith("error[")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "-e", "SELCT"], "SQL01"),
        (["run", "-e", "INSERT INTO a SELECT STREAM * FROM missing"], "missing"),
        (["run", "none.sql"], "cannot be read"),
        (["query", "SELECT 1 FROM missing"], "missing"),
        (["consume", "missing"], "does not exist"),
        (["topics", "describe", "missing"], "does not exist"),
        (["topics", "list", "--log", "http://x"], "LOG01"),
        (["produce", "missing"], "does not exist"),
        (["fly"], "No such command"),
    ],
)
def test_a_wrong_call_ends_with_2_and_says_why(headrace: Any, arguments: list[str], said: str) -> None:
    done = headrace(*arguments)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("form", ["text", "json", "mermaid", "dot"])
def test_a_plan_can_be_shown_in_each_form(headrace: Any, form: str) -> None:
    headrace("topics", "create", "t")
    headrace("produce", "t", stdin='{"a":1}\n')
    done = headrace(
        "plan", "-", "--format", form, stdin="SET autocreate=true; INSERT INTO u SELECT STREAM a FROM t"
    )
    assert done.returncode == 0, done.stderr
    assert "u" in done.stdout


def test_sigterm_finishes_commits_and_ends_with_0(headrace: Any, tmp_path: Path) -> None:
    headrace("topics", "create", "t")
    headrace("produce", "t", stdin='{"a":1}\n' * 100)
    (port,) = free_ports(1)
    process = subprocess.Popen(
        [HEADRACE, "run", "--app-id", "p"],
        cwd=tmp_path,
        env={
            **_environment(),
            "SQL": "SET autocreate=true; INSERT INTO u SELECT STREAM a FROM t",
            "SQL_PORT": str(port),
        },
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        _await_metric(port, 'headrace_records_produced_total{topic="u"} 100.0')
        assert _get(port, "/health/live") == "ok\n"
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0, said
    assert "100 records read, 100 written" in said
    again = headrace("run", "-e", "INSERT INTO u SELECT STREAM a FROM t", "--app-id", "p", "--until-end")
    assert "0 records read" in again.stderr


def _await_metric(port: int, line: str) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            if line in _get(port, "/metrics"):
                return
        except OSError:
            pass
        time.sleep(0.05)
    message = f"`{line}` did not come"
    raise AssertionError(message)


def _get(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        text: str = answer.read().decode()
        return text
