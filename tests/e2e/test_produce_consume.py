"""What `produce` refuses, and what `consume` shows of topics that hold little."""

from __future__ import annotations

import os
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.engine.programs import unique

if TYPE_CHECKING:
    from pathlib import Path

ALL = ("--until-end", "--envelope")


class Headrace:
    """The command, in a folder of its own, with a topic on one of the logs."""

    def __init__(self, program: Path, folder: Path, **where: str) -> None:
        self.topic = unique("t")
        self._program = program
        self._folder = folder
        self._environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("SQL", "HEADRACE_"))
        } | where

    def __call__(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self._program), *arguments],
            cwd=self._folder,
            env=self._environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def started(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a call that goes on."""
        pipe = subprocess.PIPE
        call = [str(self._program), *arguments]
        return subprocess.Popen(
            call, cwd=self._folder, env=self._environment, stdout=pipe, stderr=pipe, text=True
        )


@pytest.fixture
def headrace(commands: Path, tmp_path: Path) -> Headrace:
    """Give the command with a topic that is empty, on the embedded log."""
    return ready(Headrace(commands / "headrace", tmp_path, HEADRACE_LOG="sqlite:log.db"))


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def on_both(request: pytest.FixtureRequest, commands: Path, tmp_path: Path) -> Headrace:
    """Give the command with a topic that is empty, on each of the logs."""
    where = {"HEADRACE_LOG": "sqlite:log.db"}
    if request.param == "kafka":
        where = {
            "HEADRACE_LOG": request.getfixturevalue("kafka").url,
            "HEADRACE_SCHEMA_REGISTRY": request.getfixturevalue("registry_url"),
        }
    return ready(Headrace(commands / "headrace", tmp_path, **where))


def ready(made: Headrace) -> Headrace:
    assert made("topics", "create", made.topic).returncode == 0
    return made


@pytest.mark.parametrize(
    ("options", "good", "bad"),
    [
        (["--key", "id"], '{"id":null}', '{"idd":1}'),
        (["--key", "a.b"], '{"a":{"b":null}}', '{"a":{"c":1}}'),
        (["--key", "id", "--key-format", "LONG"], '{"id":1}', "null"),
        (["--key", "id", "--key-format", "JSON"], '{"id":1}', '{"idd":1}'),
        (["--key", "id", "--key-format", "AVRO"], '{"id":1}', '{"idd":1}'),
        (["--timestamp", "at"], '{"at":null}', '{"att":1}'),
        (["--envelope"], '{"key":"a"}', '{"id":1}'),
        (["--envelope"], '{"value":null}', '{"timestamp":1}'),
        (["--envelope"], '{"key":"a","value":1}', '{"key":"a","value":1,"time":1}'),
        (["--envelope"], '{"key":"a","value":1}', "null"),
        (["--envelope", "--value-format", "AVRO"], '{"value":{"a":1}}', '{"a":1}'),
    ],
)
def test_a_line_without_what_the_call_names_is_refused(
    headrace: Headrace, options: list[str], good: str, bad: str
) -> None:
    done = headrace("produce", headrace.topic, *options, stdin=f"{good}\n\n{bad}\n{good}\n")
    assert done.returncode == 1, done.stderr
    assert "line 3 cannot be written" in done.stderr
    assert "1 record written before it" in done.stderr
    assert len(headrace("consume", headrace.topic, *ALL).stdout.splitlines()) == 1


def test_a_bare_line_is_named_before_a_schema_is_inferred_from_it(on_both: Headrace) -> None:
    done = on_both("produce", on_both.topic, "--envelope", "--value-format", "AVRO", stdin='{"a":1}\n')
    assert (done.returncode, "line 1 cannot be written" in done.stderr) == (1, True)
    assert on_both.topic not in on_both("schemas", "list").stdout


@pytest.mark.parametrize(
    "options", [(), ("--envelope",), ("--value-format", "JSON"), ("--key-format", "INT")]
)
def test_an_empty_topic_has_nothing_to_print(headrace: Headrace, options: tuple[str, ...]) -> None:
    done = headrace("consume", headrace.topic, "--until-end", *options)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_tombstones_are_shown(on_both: Headrace) -> None:
    assert (
        on_both(
            "produce", on_both.topic, "--envelope", stdin='{"key":"a"}\n{"key":null,"value":null}\n'
        ).returncode
        == 0
    )
    shown = on_both("consume", on_both.topic, *ALL).stdout
    assert sorted(line.split(',"timestamp"')[0] for line in shown.splitlines()) == [
        '{"key":"a","value":null',
        '{"key":null,"value":null',
    ]
    refused = on_both("query", f"SELECT * FROM `{on_both.topic}`")
    assert refused.returncode == 2
    assert "only tombstones" in refused.stderr
    assert "CREATE TABLE" in refused.stderr


def test_the_first_records_tell_the_format_of_an_empty_topic(on_both: Headrace) -> None:
    call = ("consume", on_both.topic, "--from-beginning", "--envelope", "--max", "3")
    with on_both.started(*call) as following:
        # Time to find the topic empty; a slow start would make the test pass for less, never fail.
        time.sleep(1)
        on_both("produce", on_both.topic, "--envelope", stdin='{"key":"a"}\n')
        on_both(
            "produce", on_both.topic, "--envelope", "--value-format", "LONG", stdin='{"key":"b","value":7}\n'
        )
        on_both(
            "produce", on_both.topic, "--envelope", "--value-format", "LONG", stdin='{"key":"c","value":8}\n'
        )
        shown, said = following.communicate(timeout=30)
    assert (following.returncode, said) == (0, "")
    assert sorted(line.split(',"timestamp"')[0] for line in shown.splitlines()) == [
        '{"key":"a","value":null',
        '{"key":"b","value":7',
        '{"key":"c","value":8',
    ]


@pytest.mark.parametrize("command", ["produce", "consume"])
@pytest.mark.parametrize("form", ["CSV", "XML", "DEBEZIUM_JSON"])
def test_formats_that_need_a_declaration_are_not_offered(headrace: Headrace, command: str, form: str) -> None:
    assert form not in headrace(command, "--help").stdout.upper()
    done = headrace(command, headrace.topic, "--value-format", form)
    assert done.returncode == 2
    assert "is not one of" in done.stderr
