"""`headrace sql`."""

from __future__ import annotations

import signal
import sys

import click

from headrace.cli.answers import print_answer
from headrace.cli.failures import reported, warn
from headrace.cli.options import examples, functions_option, log_options
from headrace.cli.results import RESULT_FORMATS
from headrace.cli.workspace import open_workspace
from headrace.engine.statements import Runner, parse_statements

ROWS = 10_000
"""Most rows of a query in the shell, where the query itself says nothing."""


@click.command(
    "sql",
    epilog=examples(
        "headrace sql",
        "headrace sql --log kafka://localhost:9092",
        "headrace sql --format csv < statements.sql",
    ),
)
@click.option("--format", "form", type=click.Choice(RESULT_FORMATS), default="table", show_default=True)
@click.option(
    "--state-dir",
    metavar="FOLDER",
    help="Folder of local state, for STATE; HEADRACE_STATE_DIR. Default: among the data of the user.",
)
@functions_option
@log_options
@reported
def command(
    form: str, state_dir: str | None, functions: str | None, log: str | None, registry: str | None
) -> None:
    r"""Work on topics in an interactive shell.

    A statement ends with `;` and may have many lines. Tab completes topics, columns, functions and keywords; \help lists the
    commands of the shell. Ctrl-C ends a query, Ctrl-D the shell. Queries give 10,000 rows at most, unless they have a LIMIT.
    Without a terminal the statements of standard input are run, and the first that fails ends it.
    """
    with open_workspace(log, registry, state_dir, functions) as workspace:
        if sys.stdin.isatty():
            # The prompt is loaded only where somebody sits before it.
            from headrace.cli.shell import Shell

            history = workspace.states.root / "history.sql" if workspace.states.root else None
            # A shell that was started in the background of a script is one nevertheless.
            signal.signal(signal.SIGINT, signal.default_int_handler)
            shell = Shell(Runner(workspace, rows=ROWS), workspace, history)
            click.echo(f"{workspace.log.name} - \\help for help, \\q to leave")
            shell.loop()
            return
        program = parse_statements(sys.stdin.read(), "standard input")
        runner = Runner(workspace)
        for statement in program.statements:
            if not print_answer(runner.run(statement, program), form):
                return
            warn(runner.warnings, program.source)
            runner.warnings.clear()
