"""Where the text of a program is taken from."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from headrace.cli.program import application_name, read_program
from headrace.errors import ProgramError, Source

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "INSERT INTO a SELECT STREAM * FROM b"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_text_of_e_is_taken_as_it_is() -> None:
    assert read_program(None, TEXT) == Source("-e", TEXT)


def test_a_file_is_read_under_its_own_name(tmp_path: Path) -> None:
    file = tmp_path / "fast.sql"
    file.write_text(TEXT, encoding="utf-8")
    assert read_program(str(file), None) == Source(str(file), TEXT)


def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(TEXT))
    assert read_program("-", None) == Source("<stdin>", TEXT)


def test_the_variable_goes_before_what_is_piped_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SQL", TEXT)
    monkeypatch.setattr("sys.stdin", io.StringIO("something else"))
    assert read_program(None, None) == Source("SQL", TEXT)


def test_a_pipe_is_read_when_nothing_else_gives_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SQL", raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO(TEXT))
    assert read_program(None, None) == Source("<stdin>", TEXT)


def test_without_a_program_the_call_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SQL", raising=False)
    monkeypatch.setattr("sys.stdin", Terminal())
    with pytest.raises(ProgramError, match="no program is given"):
        read_program(None, None)


def test_two_programs_are_refused() -> None:
    with pytest.raises(ProgramError, match=r"both -e and the file `a\.sql`"):
        read_program("a.sql", TEXT)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match="cannot be read: no such file or directory"):
        read_program(str(tmp_path / "none.sql"), None)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.sql"
    file.write_bytes(b"SELECT '\xff'")
    with pytest.raises(ProgramError, match=r"is not UTF-8 text \(byte 8\)"):
        read_program(str(file), None)


def test_the_application_is_called_after_the_file() -> None:
    assert application_name(Source("/tmp/fast vessels.sql", TEXT)) == "fast-vessels"


def test_the_same_text_gives_the_same_application() -> None:
    name = application_name(Source("-e", TEXT))
    assert name == application_name(Source("SQL", TEXT))
    assert name != application_name(Source("-e", TEXT + " WHERE c = 1"))
    assert name.startswith("headrace-")
