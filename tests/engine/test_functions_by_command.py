"""Every command that plans programs knows the user functions that --functions and HEADRACE_FUNCTIONS name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from headrace.cli.group import main
from headrace.log.embedded import EmbeddedLog
from tests.engine.test_resets_and_letters import create
from tests.logs.members import produce

if TYPE_CHECKING:
    from pathlib import Path

FUNCTIONS = """
from headrace.udf import scalar

@scalar
def twice(x: int) -> int:
    return 2 * x
"""
PROGRAM = "INSERT INTO out STORE VALUE AS JSON SELECT STREAM TWICE(CAST(n AS BIGINT)) AS n FROM numbers"
CASE = f"""=== sql
SET autocreate=true; {PROGRAM}
=== topic numbers
format: STRING, JSON
{{"key": "a", "value": {{"n": 4}}, "timestamp": 1000}}
=== output out
format: STRING, JSON
{{"key": "a", "value": {{"n":8}}, "timestamp": 1000}}
"""


@pytest.fixture(params=["flag", "variable"])
def named(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A log and a program; gives the flag that names the functions, where no variable does."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "log.db"
    monkeypatch.setenv("HEADRACE_LOG", f"sqlite:{path}")
    with EmbeddedLog(str(path)) as opened:
        create(opened, "numbers", "out")
        produce(opened, "numbers", key=[b"a"], value=[b'{"n": 4}'], timestamp=[1000], headers=[None])
    (tmp_path / "f.py").write_text(FUNCTIONS)
    (tmp_path / "p.sql").write_text(PROGRAM)
    (tmp_path / "c.case").write_text(CASE)
    if request.param == "flag":
        return ["--functions", "f.py"]
    monkeypatch.setenv("HEADRACE_FUNCTIONS", str(tmp_path / "f.py"))
    return []


def call(*arguments: str, stdin: str = "") -> Result:
    return CliRunner().invoke(main, arguments, input=stdin)


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "p.sql"),
        ("plan", "p.sql"),
        ("reset", "app", "p.sql", "--to", "earliest", "--dry-run"),
        ("test", "c.case"),
        ("query", "SELECT TWICE(4) AS n"),
    ],
    ids=lambda item: item[0],
)
def test_a_command_knows_them(named: list[str], arguments: tuple[str, ...]) -> None:
    done = call(*arguments, *named)
    assert done.exit_code == 0, done.output
    if not named:
        return
    without = call(*arguments)
    assert without.exit_code != 0
    assert "there is no function `TWICE`" in without.output


def test_the_shell_knows_them(named: list[str]) -> None:
    done = call("sql", "--format", "csv", *named, stdin="SELECT TWICE(21) AS n;")
    assert (done.exit_code, done.stdout) == (0, '"n"\n42\n')


def test_a_case_is_written_with_them(named: list[str], tmp_path: Path) -> None:
    (tmp_path / "c.case").write_text(CASE.replace('"n":8', '"n":9'))
    assert call("test", "c.case", *named).exit_code == 1
    assert call("test", "c.case", "--update", *named).stdout == "updated c.case\n"
    assert (tmp_path / "c.case").read_text() == CASE
