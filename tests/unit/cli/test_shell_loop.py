"""The interactive shell outlives a fault of ours."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from headrace.cli.shell.loop import Shell

if TYPE_CHECKING:
    import pytest


class BrokenRunner:
    """Fails at the first statement, as a panic of the native module does, and counts the others."""

    def __init__(self) -> None:
        self.warnings: list[Any] = []
        self.calls = 0

    def run(self, statement: object, program: object) -> Any:
        self.calls += 1
        if self.calls == 1:
            raise BaseException("secret")
        raise KeyError("secret")


def test_a_fault_of_ours_does_not_end_the_session(capsys: pytest.CaptureFixture[str]) -> None:
    runner: Any = BrokenRunner()
    workspace: Any = SimpleNamespace()
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        keys.send_text("SELECT 1;\nSELECT 2;\n\\q\n")
        Shell(runner, workspace, None).loop()
    assert runner.calls == 2
    said = capsys.readouterr().err
    assert said.count("error[CLI0103]: internal error") == 2
    assert "report it" in said
    assert "secret" not in said
