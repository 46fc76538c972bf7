"""What a user sees of a fault that is ours."""

from __future__ import annotations

import click
import pyarrow as pa
import pytest
from click.testing import CliRunner

from headrace.cli.failures import ExitCode, reported
from headrace.formats import make_encoder
from headrace.formats.interface import Format, Side


@click.command()
@click.argument("kind")
@reported
def broken(kind: str) -> None:
    if kind == "ours":
        # No format takes numbers for records: a fault inside the package.
        make_encoder(Side(Format.STRING, pa.string())).encode(None)  # type: ignore[arg-type]
    if kind == "panic":
        raise BaseException("secret")
    if kind == "call":
        message = "no such thing"
        raise click.UsageError(message)
    raise KeyError("secret")


@pytest.mark.parametrize("kind", ["ours", "panic", "other"])
def test_a_fault_of_ours_is_a_diagnostic_without_traceback_or_data(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HEADRACE_LOG_LEVEL", raising=False)
    result = CliRunner().invoke(broken, [kind])
    assert result.exit_code == ExitCode.FAILED
    assert result.stderr.startswith("error[CLI0103]: internal error: ")
    assert "HEADRACE_LOG_LEVEL=debug" in result.stderr
    assert "Traceback" not in result.stderr
    assert "secret" not in result.stderr
    assert (" in headrace/formats/" in result.stderr) == (kind == "ours")


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_LOG_LEVEL", "debug")
    result = CliRunner().invoke(broken, ["other"])
    assert result.exit_code == ExitCode.FAILED
    assert "Traceback (most recent call last)" in result.stderr
    assert "KeyError: 'secret'" in result.stderr
    assert "error[CLI0103]" in result.stderr


def test_a_wrong_call_is_no_fault_of_ours() -> None:
    result = CliRunner().invoke(broken, ["call"])
    assert result.exit_code == ExitCode.WRONG
    assert "CLI0103" not in result.stderr
