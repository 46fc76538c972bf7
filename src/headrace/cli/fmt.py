"""`headrace fmt`."""

from __future__ import annotations

import difflib
from pathlib import Path

import click

from headrace.cli.failures import ExitCode, leave, report, reported
from headrace.cli.options import examples
from headrace.cli.program import STDIN, read_programs
from headrace.errors import ProgramError, Source
from headrace.sql.style import format_program


@click.command(
    "fmt",
    epilog=examples(
        "headrace fmt programs/", "headrace fmt --check --diff fast_vessels.sql", "headrace fmt - < old.sql"
    ),
)
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, allow_dash=True))
@click.option("--check", is_flag=True, help="Change nothing; the exit code is 1 if a file would change.")
@click.option("--diff", is_flag=True, help="Change nothing; print what would change.")
@reported
def command(paths: tuple[str, ...], check: bool, diff: bool) -> None:
    """Lay out the programs in PATHS, files or folders of *.sql files, in one style; `-` reads standard input.

    Only blanks, line ends and the case of keywords change, and a missing `;` at the end is added. Comments stay. The new text
    is parsed again and must mean the same, or the file is left alone. A file that cannot be read as SQL is told of, the others
    are laid out all the same.
    """
    changed = unreadable = 0
    for source in read_programs(paths):
        try:
            formatted = format_program(source.text, source.name)
        except ProgramError as error:
            report(error)
            unreadable += 1
            continue
        differs = formatted != source.text
        changed += differs
        if diff and differs:
            click.echo(_difference(source, formatted), nl=False)
        if check and differs:
            click.echo(f"would change {source.name}", err=True)
        if check or diff:
            continue
        if source.name == STDIN:
            click.echo(formatted, nl=False)
        elif differs:
            Path(source.name).write_text(formatted, encoding="utf-8")
            click.echo(f"changed {source.name}", err=True)
    if unreadable:
        leave(ExitCode.WRONG)
    if check and changed:
        leave(ExitCode.FAILED)


def _difference(source: Source, formatted: str) -> str:
    lines = difflib.unified_diff(
        source.text.splitlines(keepends=True),
        formatted.splitlines(keepends=True),
        source.name,
        f"{source.name} (formatted)",
    )
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)
