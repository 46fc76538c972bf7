"""`headrace plan`."""

from __future__ import annotations

import json

import click

from headrace.cli.failures import ExitCode, bad_call, leave, reported, warn
from headrace.cli.options import examples, functions_option, log_options, program_options
from headrace.cli.program import read_program
from headrace.cli.session import open_session, setting_defaults
from headrace.cli.state_folder import state_folder
from headrace.engine.state.verdicts import StoreVerdict, Verdict, judge
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
    help="Say what would become of the state of this application: NEW, KEEP, MIGRATE, REBUILD or REFUSE for each store.",
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

    With --app-id, what would become of the state of that application is shown instead; if a store would be refused, the exit
    code is 1.
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
            verdicts = None
        else:
            folder = state_folder(state_dir, session.environment.state_dir, session.log.name)
            verdicts = judge(topology, session.log, app_id, folder)
    warn(topology.warnings, source)
    if verdicts is None:
        click.echo(explain(topology, form))
        return
    click.echo(_shown(verdicts, form))
    if any(item.verdict is Verdict.REFUSE for item in verdicts):
        leave(ExitCode.FAILED)


def _shown(verdicts: list[StoreVerdict], form: str) -> str:
    """Show verdicts as JSON, else as text."""
    if form == "json":
        data = [
            {
                "store": item.store,
                "verdict": item.verdict.value,
                "reason": item.reason,
                "details": list(item.details),
            }
            for item in verdicts
        ]
        return json.dumps(data, ensure_ascii=False)
    if form != "text":
        message = f"verdicts on state cannot be shown as {form}"
        raise bad_call(message, help="use --format text or json")
    if not verdicts:
        return "the program keeps no state"
    lines = []
    for item in verdicts:
        lines.append(f"store {item.store}: {item.verdict.value}, {item.reason}")
        lines += [f"  {line}" for line in item.details]
        if item.verdict is Verdict.REFUSE:
            lines.append(f"  run it under a new --app-id, or give the state up: --discard-state={item.store}")
    return "\n".join(lines)
