"""`headrace reset`."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from headrace.cli.failures import bad_call, reported, warn
from headrace.cli.options import examples, functions_option, log_options
from headrace.cli.program import read_program
from headrace.cli.session import open_session, setting_defaults
from headrace.cli.state_folder import state_folder
from headrace.cli.times import HELP, parse_time
from headrace.engine.reset import Reset, Target
from headrace.planner import plan_program
from headrace.sql import parse_program


@click.command(
    "reset",
    epilog=examples(
        "headrace reset fast_vessels --to earliest",
        "headrace reset payments by_card.sql --to 2026-11-22T10:00:00Z --discard-state",
        "headrace reset fast_vessels --to -2h --topic iot_data --dry-run",
    ),
)
@click.argument("application", metavar="APP")
@click.argument("file", required=False, type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--to", metavar="WHERE", required=True, help="earliest, latest, a TIME, or offset:N.")
@click.option(
    "--topic",
    "topics",
    metavar="TOPIC",
    multiple=True,
    help="Only this input; may be repeated. Default: all.",
)
@click.option(
    "--discard-state/--keep-state",
    "state",
    default=None,
    help="Give all state of the program up, here and in the log, or keep it as it is.",
)
@click.option(
    "--state-dir",
    metavar="FOLDER",
    help="Folder of local state; HEADRACE_STATE_DIR. Default: among the data of the user.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@functions_option
@log_options
@reported
def command(
    application: str,
    file: str | None,
    to: str,
    topics: tuple[str, ...],
    state: bool | None,
    state_dir: str | None,
    dry_run: bool,
    functions: str | None,
    log: str | None,
    registry: str | None,
) -> None:
    """Set where the application APP goes on when it is started again; refused while one of its processes runs.

    FILE is its program; it must be named if it keeps state, which goes with the offsets: --discard-state gives it up, so that
    results are computed anew, --keep-state leaves it as it is, so that records that come again count again. State on other
    machines is given up by a first start with `headrace run --discard-state=all`.

    TIME is 2026-11-22T10:00:00Z (without a zone: UTC), milliseconds since the epoch, or -2h before now: the next record is
    the first in each partition that is not earlier.
    """
    target = _target(to)
    if state and topics:
        message = "--discard-state gives up what came of all inputs, and --topic sets some of them back"
        raise bad_call(message, help="leave --topic out, or keep the state with --keep-state")
    with open_session(log, registry) as session:
        topology = None
        if file is not None:
            source = read_program(file, None)
            defaults = setting_defaults(functions, session.environment)
            topology = plan_program(
                parse_program(source.text, source.name), session.catalog, defaults=defaults
            )
            warn(topology.warnings, source)
        elif state is not None:
            message = "--discard-state and --keep-state are about the state of a program, which is not named"
            raise bad_call(message, help="headrace reset APP FILE.sql --to … --discard-state")
        reset = Reset(session.log, application, topology)
        reset.plan(target, topics, state=state)
        for move in reset.moves:
            before = "-" if move.before is None else str(move.before)
            click.echo(f"{move.place.topic}[{move.place.partition}]: {before} -> {move.after}")
        if state:
            for store in reset.stores:
                click.echo(f"store {store}: {'would be ' if dry_run else ''}given up")
        if not dry_run:
            reset.carry_out(state_folder(state_dir, session.environment.state_dir, session.log.name))


def _target(text: str) -> Target:
    if text == "earliest":
        return Target(earliest=True)
    if text == "latest":
        return Target()
    if text.startswith("offset:"):
        number = text.removeprefix("offset:")
        if not number.isdecimal():
            message = f"`{text}` names no offset"
            raise bad_call(message, help="write `offset:42`")
        return Target(offset=int(number))
    if not text[:1].isdigit() and not text.startswith("-"):
        message = f"`{text}` is no place to go on at"
        raise bad_call(message, help=f"write earliest, latest, offset:42 or a time. {HELP}")
    return Target(time=parse_time(text, datetime.now(UTC)))
