"""`headrace query`."""

from __future__ import annotations

import sys

import click

from headrace.cli.answers import print_answer
from headrace.cli.failures import bad_call, reported, warn
from headrace.cli.options import examples, functions_option, log_options
from headrace.cli.results import RESULT_FORMATS
from headrace.cli.signals import stopped_by_signals
from headrace.cli.workspace import open_workspace
from headrace.engine.statements import Runner, parse_statements
from headrace.sql.nodes import DuckdbQuery, Query


@click.command(
    "query",
    epilog=examples(
        'headrace query "SELECT * FROM orders LIMIT 10"',
        'headrace query "SELECT country, count(*) FROM orders GROUP BY country" --format csv',
        'headrace query "SELECT * FROM orders WHERE amount > 100" --follow --format json',
        'headrace query "CREATE VIEW big AS SELECT * FROM orders WHERE amount > 100"',
        "headrace query \"SELECT * FROM STATE('by_card', 'by_card-aggregate')\"",
    ),
)
@click.argument("sql")
@click.option("--format", "form", type=click.Choice(RESULT_FORMATS), default="table", show_default=True)
@click.option("--follow", is_flag=True, help="Keep going: show what arrives, until stopped.")
@click.option(
    "--state-dir",
    metavar="FOLDER",
    help="Folder of local state, for STATE; HEADRACE_STATE_DIR. Default: among the data of the user.",
)
@functions_option
@log_options
@reported
def command(
    sql: str,
    form: str,
    follow: bool,
    state_dir: str | None,
    functions: str | None,
    log: str | None,
    registry: str | None,
) -> None:
    """Answer SQL from what topics hold now: a SELECT, or statements that list, define, fill and empty topics.

    FROM STATE('application', 'store') reads the state of a processor that runs or ran on this machine.

    Conditions on _meta.partition, _meta.offset and _meta.timestamp are turned into seeks. Several statements are run one
    after the other, `;` between them. SQL of `-` is read from standard input.
    """
    text = sys.stdin.read() if sql == "-" else sql
    program = parse_statements(text, "query")
    with open_workspace(log, registry, state_dir, functions) as workspace:
        runner = Runner(workspace)
        for statement in program.statements:
            if (
                follow
                and isinstance(statement, Query | DuckdbQuery)
                and not runner.plan(statement, program).follows
            ):
                message = (
                    "this query cannot be followed: its result depends on more than one record at a time"
                )
                raise bad_call(
                    message,
                    help="leave --follow out, or select from one topic without groups, order and joins",
                )
            with stopped_by_signals(_interrupt):
                whole = print_answer(runner.run(statement, program, follow=follow), form)
            if not whole:
                return
            warn(runner.warnings, program.source)
            runner.warnings.clear()


def _interrupt() -> None:
    raise KeyboardInterrupt
