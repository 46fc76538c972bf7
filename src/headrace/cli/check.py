"""`headrace check`."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from headrace.check import check_program
from headrace.cli.failures import ExitCode, drawn, leave, report, reported
from headrace.cli.options import examples, functions_option, log_options
from headrace.cli.program import read_program, read_programs
from headrace.cli.session import open_session, setting_defaults
from headrace.config.environment import read_environment
from headrace.errors import HeadraceError, ProgramError
from headrace.errors.render import to_json
from headrace.sql import parse_program

if TYPE_CHECKING:
    from headrace.catalog import Catalog


@click.command(
    "check",
    epilog=examples(
        "headrace check programs/",
        "headrace check fast_vessels.sql --log kafka://localhost:9092",
        "headrace check programs/ --format json",
    ),
)
@click.argument("paths", nargs=-1, type=click.Path(exists=True, allow_dash=True))
@click.option("-e", "--execute", "text", metavar="SQL", help="The SQL itself, instead of files.")
@click.option("--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True)
@functions_option
@log_options
@reported
def command(
    paths: tuple[str, ...],
    text: str | None,
    form: str,
    functions: str | None,
    log: str | None,
    registry: str | None,
) -> None:
    """Find what can run and is seldom meant, in the programs in PATHS: files, or folders of *.sql files.

    With --log, or the variable HEADRACE_LOG, programs are planned too, and rules know the types of all topics; without, those
    that CREATE TABLE declares. A comment `-- headrace: ignore=CODE` silences a finding on its line or the next; above the
    first statement, in the whole text. The exit code is 1 if something is found, 2 if the SQL is wrong.
    """
    sources = [read_program(None, text)] if text is not None or not paths else read_programs(paths)
    found: list[HeadraceError] = []
    wrong = False
    with ExitStack() as stack:
        catalog: Catalog | None = None
        environment = read_environment()
        defaults = setting_defaults(functions, environment)
        if log is not None or environment.log is not None:
            catalog = stack.enter_context(open_session(log, registry)).catalog
        for source in sources:
            try:
                diagnostics = check_program(parse_program(source.text, source.name), catalog, defaults)
            except ProgramError as error:
                wrong = True
                found.append(error)
            else:
                if diagnostics:
                    found.append(HeadraceError(tuple(diagnostics), source))
    if form == "json":
        click.echo(json.dumps([to_json(item) for item in found], ensure_ascii=False, indent=2))
    else:
        for item in found:
            report(item) if isinstance(item, ProgramError) else click.echo(drawn(item))
        count = sum(len(item.diagnostics) for item in found)
        click.echo(f"{len(sources)} checked, {count} found", err=True)
    if wrong:
        leave(ExitCode.WRONG)
    if found:
        leave(ExitCode.FAILED)
