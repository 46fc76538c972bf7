"""What every command does with an error: draw it on standard error and exit with the code that belongs to it."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import traceback
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, ParamSpec

import click

from headrace.config.environment import read_environment
from headrace.errors import Code, Diagnostic, HeadraceError, ProgramError, Source
from headrace.errors.codes import cli
from headrace.errors.render import render

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Parameters = ParamSpec("Parameters")


class ExitCode(IntEnum):
    """How a command ended."""

    DONE = 0
    FAILED = 1
    WRONG = 2


def bad_call(message: str, *, help: str | None = None, code: Code = cli.BAD_CALL) -> ProgramError:
    """Make the error of a call that cannot be carried out as it stands."""
    return ProgramError((Diagnostic(code, message, help=help),))


def warn(diagnostics: Sequence[Diagnostic], source: Source | None = None) -> None:
    """Draw warnings on standard error."""
    if diagnostics:
        click.echo(drawn(HeadraceError(tuple(diagnostics), source)), err=True)


def report(error: HeadraceError) -> ExitCode:
    """Draw an error on standard error and give the exit code."""
    click.echo(drawn(error), err=True)
    return ExitCode.WRONG if isinstance(error, ProgramError) else ExitCode.FAILED


def report_fault(error: BaseException) -> ExitCode:
    """Say that Headrace is to blame: what kind of error and where, without its text, which may hold data of records."""
    return report(fault_of(error))


def fault_of(error: BaseException) -> HeadraceError:
    """Make the diagnostic of a fault that is ours; the traceback goes to standard error where it is asked for."""
    if isinstance(error, HeadraceError):
        return error
    if _debugging():
        click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
    frames = traceback.extract_tb(error.__traceback__)
    package = Path(__file__).parents[1]
    places = [
        frame
        for frame in frames
        if package in Path(frame.filename).parents and Path(frame.filename) != Path(__file__)
    ]
    place = (
        f" in {Path(places[-1].filename).relative_to(package.parent)}:{places[-1].lineno}" if places else ""
    )
    diagnostic = Diagnostic(
        cli.INTERNAL,
        f"internal error: {type(error).__name__}{place}; this is a bug of Headrace",
        help="run the command with HEADRACE_LOG_LEVEL=debug for the traceback, and report it",
    )
    return HeadraceError((diagnostic,))


def _debugging() -> bool:
    with contextlib.suppress(HeadraceError):
        return read_environment().log_level == "DEBUG"
    return False


def drawn(error: HeadraceError) -> str:
    """Draw an error, in colour on a terminal."""
    return render(error, color=sys.stderr.isatty() and "NO_COLOR" not in os.environ)


def reported(function: Callable[Parameters, None]) -> Callable[Parameters, None]:
    """Wrap the body of a command: errors of ours are drawn; a closed pipe and Ctrl-C end it without a trace."""

    @functools.wraps(function)
    def body(*args: Parameters.args, **kwargs: Parameters.kwargs) -> None:
        try:
            function(*args, **kwargs)
            sys.stdout.flush()
        except HeadraceError as error:
            leave(report(error))
        except BrokenPipeError:
            # `headrace consume t | head`: the reader has seen enough. Python would complain once more at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            leave(ExitCode.DONE)
        except KeyboardInterrupt:
            leave(ExitCode.FAILED)
        except (click.ClickException, click.exceptions.Exit, click.Abort, SystemExit):
            raise
        except BaseException as error:  # a panic of the native module is no Exception
            leave(report_fault(error))

    return body


def leave(code: ExitCode) -> NoReturn:
    """End the command with this exit code."""
    raise click.exceptions.Exit(int(code))
