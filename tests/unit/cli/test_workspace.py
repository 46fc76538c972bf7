"""What a command keeps beside its log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click.testing import CliRunner

from headrace.cli.group import main

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_queries_of_another_folder_are_not_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEADRACE_LOG", raising=False)
    monkeypatch.setenv("HEADRACE_STATE_DIR", str(tmp_path / "state"))
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        done = CliRunner().invoke(main, ["query", f"SELECT 1 AS {name}; SHOW ALL QUERIES", "--format", "csv"])
        assert done.exit_code == 0, done.output
        assert [line.split(",")[-1] for line in done.output.splitlines() if "Completed" in line] == [
            f'"SELECT 1 AS {name}"'
        ]
