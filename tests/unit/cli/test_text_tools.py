"""`headrace fmt` and `headrace check` as they are called: files, exit codes, what is printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from headrace.cli.group import main

UGLY = "insert into fast select stream * from iot_data where speed>10"
NEAT = "INSERT INTO fast\nSELECT STREAM *\nFROM iot_data\nWHERE speed > 10;\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HEADRACE_LOG", raising=False)
    Path("ugly.sql").write_text(UGLY)
    Path("neat.sql").write_text(NEAT)
    return tmp_path


def call(*arguments: str, stdin: str = "") -> Result:
    return CliRunner().invoke(main, arguments, input=stdin)


def test_fmt_writes_what_changes(folder: Path) -> None:
    done = call("fmt", ".")
    assert done.exit_code == 0
    assert done.stderr == "changed ugly.sql\n"
    assert Path("ugly.sql").read_text() == NEAT


def test_fmt_check_and_diff_change_nothing(folder: Path) -> None:
    done = call("fmt", "--check", "--diff", "ugly.sql", "neat.sql")
    assert done.exit_code == 1
    assert done.stderr == "would change ugly.sql\n"
    assert f"-{UGLY}\n+INSERT INTO fast\n" in done.stdout
    assert Path("ugly.sql").read_text() == UGLY
    assert call("fmt", "--check", "neat.sql").exit_code == 0


def test_fmt_reads_standard_input(folder: Path) -> None:
    assert call("fmt", "-", stdin=UGLY).stdout == NEAT


def test_fmt_tells_of_what_it_cannot_read_and_goes_on(folder: Path) -> None:
    Path("a.sql").write_text("SELECT FROM")
    done = call("fmt", ".")
    assert done.exit_code == 2
    assert "a.sql:1" in done.stderr
    assert Path("ugly.sql").read_text() == NEAT


def test_check_draws_what_it_finds(folder: Path) -> None:
    Path("n.sql").write_text("INSERT INTO n SELECT STREAM a, COUNT(*) AS n FROM t GROUP BY a")
    done = call("check", ".")
    assert done.exit_code == 1
    assert "warning[LINT0104]" in done.stdout
    assert "n.sql:1:62" in done.stdout
    assert done.stderr == "3 checked, 1 found\n"


def test_check_gives_json(folder: Path) -> None:
    done = call("check", "--format", "json", "-e", "SELECT a FROM t WHERE a = NULL; SELECT FROM")
    assert done.exit_code == 2
    (found,) = json.loads(done.stdout)
    assert found["diagnostics"][0]["code"].startswith("SQL")
    (found,) = json.loads(call("check", "--format", "json", "-e", "SELECT a FROM t WHERE a = NULL").stdout)
    assert [item["code"] for item in found["diagnostics"]] == ["LINT0107"]


def test_check_with_a_log_plans_too(folder: Path) -> None:
    done = call("check", "neat.sql", "--log", "sqlite::memory:")
    assert done.exit_code == 2
    assert "iot_data" in done.stderr
    assert call("check", "neat.sql").exit_code == 0
