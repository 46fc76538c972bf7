"""Reads statements from a terminal and runs them, until the user leaves."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click
from prompt_toolkit import PromptSession
from prompt_toolkit.filters import is_done
from prompt_toolkit.history import FileHistory, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings

from headrace.cli.answers import print_answer
from headrace.cli.failures import report, report_fault, warn
from headrace.cli.shell.commands import COMMANDS, Options, obey
from headrace.cli.shell.completion import SqlCompleter
from headrace.cli.shell.paging import paged
from headrace.engine.statements import Done, parse_statements
from headrace.errors import HeadraceError
from headrace.sql.nodes import Set

if TYPE_CHECKING:
    from pathlib import Path

    from prompt_toolkit.key_binding import KeyPressEvent

    from headrace.engine.statements import Runner, Workspace


class Shell:
    """An interactive session on one log."""

    def __init__(self, runner: Runner, workspace: Workspace, history: Path | None) -> None:
        """Begin; nothing is read yet.

        Args:
            runner: runs the statements.
            workspace: for completion.
            history: file of earlier statements; None keeps them for this session alone.
        """
        self._runner = runner
        self._options = Options()
        self._completer = SqlCompleter(workspace, COMMANDS)
        if history is not None:
            history.parent.mkdir(parents=True, exist_ok=True)
            history.touch(mode=0o600)
        self._prompt: PromptSession[str] = PromptSession(
            "headrace> ",
            multiline=True,
            prompt_continuation=_continuation,
            completer=self._completer,
            complete_while_typing=False,
            history=InMemoryHistory() if history is None else FileHistory(str(history)),
            key_bindings=_keys(),
            enable_open_in_editor=True,
        )

    def loop(self) -> None:
        """Read and run until the user leaves."""
        while not self._options.done:
            try:
                self._take(self._prompt.prompt().strip())
            except KeyboardInterrupt:
                # Of the line, or of a statement.
                continue
            except EOFError:
                return

    def _take(self, text: str) -> None:
        if text.startswith("\\"):
            said = obey(text, self._options)
            if said:
                click.echo(said)
        elif text.strip(";").strip():
            self._run(text)

    def _run(self, text: str) -> None:
        try:
            program = parse_statements(text, "sql")
            for statement in program.statements:
                began = time.monotonic()
                answer = self._runner.run(statement, program)
                with paged(wanted=self._options.pager and not isinstance(answer, Done)):
                    whole = print_answer(answer, self._options.form)
                if not whole:
                    # Ctrl-C ends the statements behind it too.
                    return
                warn(self._runner.warnings, program.source)
                self._runner.warnings.clear()
                if self._options.timing and not isinstance(statement, Set):
                    click.echo(f"{time.monotonic() - began:.3f} s")
                if isinstance(answer, Done):
                    self._completer.forget()
        except HeadraceError as error:
            report(error)
        except (KeyboardInterrupt, SystemExit, GeneratorExit, BrokenPipeError):
            raise
        except BaseException as error:  # a panic of the native module is no Exception
            # The session outlives it, and what it has set with it.
            report_fault(error)


def _continuation(width: int, line: int, wrapped: int) -> str:
    return "...> ".rjust(width)


def _keys() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("enter", filter=~is_done)
    def _enter(event: KeyPressEvent) -> None:
        """End the statement, or only the line where it goes on."""
        buffer: Any = event.current_buffer
        text = buffer.text.strip()
        if not text or text.startswith("\\") or text.endswith(";"):
            buffer.validate_and_handle()
        else:
            buffer.insert_text("\n")

    return keys
