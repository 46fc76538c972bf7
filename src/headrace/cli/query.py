"""`headrace query`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from headrace.cli.failures import bad_call, reported
from headrace.cli.options import examples, log_options
from headrace.cli.results import RESULT_FORMATS, open_printer
from headrace.cli.session import open_session
from headrace.cli.signals import stopped_by_signals
from headrace.cli.state_folder import state_folder
from headrace.engine.snapshot import LocalStates, SnapshotQuery
from headrace.planner.snapshot import plan_query
from headrace.sql import parse_query

if TYPE_CHECKING:
    from collections.abc import Generator

    import pyarrow as pa


@click.command(
    "query",
    epilog=examples(
        'headrace query "SELECT * FROM orders LIMIT 10"',
        'headrace query "SELECT country, count(*) FROM orders GROUP BY country" --format csv',
        'headrace query "SELECT * FROM orders WHERE amount > 100" --follow --format json',
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
@log_options
@reported
def command(
    sql: str, form: str, follow: bool, state_dir: str | None, log: str | None, registry: str | None
) -> None:
    """Answer SQL, a SELECT over topics, from what they hold now.

    FROM STATE('application', 'store') reads the state of a processor that runs or ran on this machine.

    Conditions on _meta.partition, _meta.offset and _meta.timestamp are turned into seeks. SQL of `-` is read from
    standard input.
    """
    text = sys.stdin.read() if sql == "-" else sql
    with open_session(log, registry) as session:
        folder = state_folder(state_dir, session.environment.state_dir, session.log.name)
        states = LocalStates(folder, session.log)
        plan = plan_query(parse_query(text, "query"), session.catalog, states)
        if follow and not plan.follows:
            message = "this query cannot be followed: its result depends on more than one record at a time"
            raise bad_call(
                message, help="leave --follow out, or select from one topic without groups, order and joins"
            )
        with SnapshotQuery(plan, session.log, session.registry, states=states) as query:
            batches = query.follow() if follow else query.batches()
            with stopped_by_signals(_interrupt):
                _print(query, batches, form)
            if query.failed:
                plural = "" if query.failed == 1 else "s"
                click.echo(f"{query.failed} record{plural} left out: could not be decoded", err=True)


def _print(query: SnapshotQuery, batches: Generator[pa.RecordBatch], form: str) -> None:
    with open_printer(form, query.schema) as printer:
        try:
            for batch in batches:
                printer.write(batch)
        except KeyboardInterrupt:
            # The user has seen enough; what is printed stays valid.
            pass
        finally:
            batches.close()


def _interrupt() -> None:
    raise KeyboardInterrupt
