"""Prints what a statement gives: its rows in a format, and on standard error what else there is to say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from headrace.cli.results import open_printer
from headrace.engine.snapshot import Ending
from headrace.engine.statements import Done

if TYPE_CHECKING:
    from headrace.engine.snapshot import SnapshotQuery
    from headrace.engine.statements import Answer, Rows


def print_answer(answer: Answer, form: str) -> bool:
    """Print an answer. KeyboardInterrupt ends the rows; what is printed stays valid.

    Args:
        answer: of one statement.
        form: see `RESULT_FORMATS`.

    Returns:
        False if the user has interrupted it.
    """
    if isinstance(answer, Done):
        if answer.message:
            click.echo(answer.message, err=True)
        return True
    with answer.while_read:
        whole = _print_rows(answer, form)
        if answer.query is not None:
            _remarks(answer.query)
    return whole


def _print_rows(answer: Rows, form: str) -> bool:
    with open_printer(form, answer.schema) as printer:
        try:
            for batch in answer.batches:
                printer.write(batch)
        except KeyboardInterrupt:
            # The user has seen enough.
            return False
        finally:
            answer.batches.close()
    return True


def _remarks(query: SnapshotQuery) -> None:
    if query.failed:
        plural = "" if query.failed == 1 else "s"
        click.echo(f"{query.failed} record{plural} left out: could not be decoded", err=True)
    if query.ending is not Ending.END:
        columns = "" if query.cut_columns is Ending.END else ", and columns may be missing"
        click.echo(f"ended by {query.ending}: there may be more{columns}", err=True)
