"""`headrace plan`."""

from __future__ import annotations

import click

from headrace.cli.deployment import shown
from headrace.cli.failures import ExitCode, bad_call, leave, reported, warn
from headrace.cli.options import examples, functions_option, log_options, program_options
from headrace.cli.program import read_program
from headrace.cli.session import open_session, setting_defaults
from headrace.cli.state_folder import state_folder
from headrace.engine.deployment import compare
from headrace.plan.explain import EXPLAIN_FORMATS, explain
from headrace.planner import plan_program
from headrace.sql import parse_program


@click.command(
    "plan",
    epilog=examples(
        "headrace plan fast_vessels.sql",
        "headrace plan fast_vessels.sql --format mermaid",
        "headrace plan by_card.sql --app-id payments",
    ),
)
@program_options
@click.option("--format", "form", type=click.Choice(EXPLAIN_FORMATS), default="text", show_default=True)
@click.option(
    "--app-id",
    metavar="NAME",
    help="Compare with what this application has: topics, schemas, stores (NEW, KEEP, MIGRATE, REBUILD or REFUSE), its group.",
)
@click.option(
    "--state-dir",
    metavar="FOLDER",
    help="Folder of local state, with --app-id; HEADRACE_STATE_DIR. Default: among the data of the user.",
)
@functions_option
@log_options
@reported
def command(
    file: str | None,
    text: str | None,
    form: str,
    app_id: str | None,
    state_dir: str | None,
    functions: str | None,
    log: str | None,
    registry: str | None,
) -> None:
    """Check a program and show how it would run: topics, types, queries. Nothing is created or changed.

    With --app-id, the program is compared with what that application has: topics that a start would create, schemas that it
    would register, what would become of each store, how far the group has read, and internal topics without use. If
    something would be refused, the exit code is 1.
    """
    source = read_program(file, text)
    with open_session(log, registry) as session:
        program = parse_program(source.text, source.name)
        topology = plan_program(
            program, session.catalog, defaults=setting_defaults(functions, session.environment)
        )
        if app_id is None:
            if state_dir is not None:
                message = "--state-dir says where the state of --app-id is, which is not given"
                raise bad_call(message)
            found = None
        else:
            folder = state_folder(state_dir, session.environment.state_dir, session.log.name)
            found = compare(topology, session.log, session.registry, app_id, folder)
    warn(topology.warnings, source)
    if found is None:
        click.echo(explain(topology, form))
        return
    click.echo(shown(found, form))
    if found.refused:
        leave(ExitCode.FAILED)
