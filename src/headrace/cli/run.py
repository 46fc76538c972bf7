"""`headrace run`."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from headrace.cli.allocators import keep_little
from headrace.cli.failures import bad_call, reported, warn
from headrace.cli.leftovers import let_go_of_libraries, trimmed
from headrace.cli.options import examples, functions_option, log_options, program_options
from headrace.cli.program import application_name, read_program
from headrace.cli.progress import ProgressLine, log_stream
from headrace.cli.session import open_session, setting_defaults
from headrace.cli.signals import stopped_by_signals
from headrace.cli.state_folder import state_folder
from headrace.cli.times import TIME, parse_time
from headrace.engine import Processor, ProcessorOptions
from headrace.engine.replay import begin_at, bounded
from headrace.errors import Diagnostic, Severity
from headrace.errors.codes.run import BEGUN_BEFORE
from headrace.plan.topology import ALL_PROCESSES
from headrace.planner import plan_program
from headrace.sql import parse_program
from headrace.telemetry.logs import set_up_logging
from headrace.telemetry.progress import ProgressReporter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.plan.topology import Topology

_ALL: Final = "all"
"""Stands for every store."""


@click.command(
    "run",
    epilog=examples(
        "headrace run fast_vessels.sql",
        'headrace run -e "INSERT INTO fast SELECT STREAM * FROM iot_data WHERE Speed > 10" --until-end',
        "headrace run fast_vessels.sql --app-id replay-1 --from 2026-11-21 --until 2026-11-22",
        "SQL_BOOTSTRAP_SERVERS=broker:9092 headrace run fast_vessels.sql",
    ),
)
@program_options
@click.option(
    "--app-id",
    metavar="NAME",
    help="Application id, the consumer group; SQL_APP_ID. Default: from the program.",
)
@click.option(
    "--from",
    "begin",
    metavar=TIME,
    help="Where to begin in partitions that the application has never read: the first record that is not earlier.",
)
@click.option(
    "--until",
    metavar=TIME,
    help="Stop before the first record of each partition that is not earlier, when all before is committed.",
)
@click.option("--until-end", is_flag=True, help="Stop when the inputs' present end is reached and committed.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Serve /metrics, /health/live and /health/ready here; SQL_PORT.",
)
@click.option(
    "--state-dir",
    metavar="FOLDER",
    help="Folder of local state; HEADRACE_STATE_DIR. Default: among the data of the user.",
)
@click.option(
    "--discard-state",
    metavar="STORE",
    multiple=True,
    help="Give up the state of a store, or of `all`, here and in the log; may be repeated. Stop all other processes of the "
    "application first.",
)
@click.option(
    "--standby",
    is_flag=True,
    help="Keep copies of the state of all tasks that other processes run: a take-over reads the last records alone.",
)
@click.option(
    "--standby-replicas",
    metavar="N",
    type=click.IntRange(0),
    help="Only so many processes keep a copy of each task; HEADRACE_STANDBY_REPLICAS. Default: num.standby.replicas.",
)
@functions_option
@log_options
@reported
def command(
    file: str | None,
    text: str | None,
    app_id: str | None,
    begin: str | None,
    until: str | None,
    until_end: bool,
    port: int | None,
    state_dir: str | None,
    discard_state: tuple[str, ...],
    standby: bool,
    standby_replicas: int | None,
    functions: str | None,
    log: str | None,
    registry: str | None,
) -> None:
    """Run the program in FILE, or of -e, standard input, or the variable SQL, until it is stopped.

    Processes with the same application id share the partitions of the inputs. SIGTERM and Ctrl-C finish the batch,
    commit and leave.

    With --from and --until a stretch of the past is replayed, by an application id of its own: one that has read the inputs
    before goes on where it stopped. TIME is 2026-11-22T10:00:00Z (without a zone: UTC), milliseconds since the epoch, or -2h
    before now.
    """
    keep_little()
    source = read_program(file, text)
    now = datetime.now(UTC)
    first, last = (None if item is None else parse_time(item, now) for item in (begin, until))
    if last is not None and last > now.timestamp() * 1000:
        message = "the time of --until is not over yet"
        raise bad_call(message, help="give one in the past, or --until-end for what is there now")
    with open_session(log, registry) as session:
        environment = session.environment
        set_up_logging(environment.log_level, as_json=environment.log_json, stream=log_stream())
        program = parse_program(source.text, source.name)
        topology = plan_program(
            program, session.catalog, defaults=setting_defaults(functions, session.environment)
        )
        warn(topology.warnings, source)
        options = ProcessorOptions(
            application=app_id or environment.application or application_name(source),
            instance=environment.instance,
            until_end=until_end or last is not None,
            state_dir=state_folder(state_dir, environment.state_dir, session.log.name),
            discard_state=_discarded(discard_state, topology),
        )
        if standby:
            standby_replicas = ALL_PROCESSES
        elif standby_replicas is None:
            standby_replicas = environment.standby_replicas
        if standby_replicas is not None:
            settings = replace(topology.settings, standby_replicas=standby_replicas)
            topology = replace(topology, settings=settings)
        if first is not None and not begin_at(session.log, topology, options.application, first):
            warn((_goes_on(options.application),))
        replayed = session.log if last is None else bounded(session.log, topology, last)
        if last is not None:
            # The clock of a replay says nothing about how long an input was idle.
            topology = replace(topology, settings=replace(topology.settings, idle_timeout=0.0))
        processor = Processor(topology, replayed, session.registry, options)
        # What planning has loaded stays, too; the collector need not look at it whenever a few batches have gone.
        gc.freeze()
        let_go_of_libraries()
        with (
            trimmed(),
            stopped_by_signals(processor.stop),
            _served(processor, environment.port if port is None else port),
            ProgressLine(ProgressReporter(processor.metrics).look),
        ):
            processor.run()


def _goes_on(application: str) -> Diagnostic:
    message = (
        f"`{application}` has read all inputs before, and goes on where it stopped: --from has no effect"
    )
    way_out = "replay under another --app-id, or set its offsets by `headrace reset`"
    return Diagnostic(BEGUN_BEFORE, message, help=way_out, severity=Severity.WARNING)


def _discarded(wanted: tuple[str, ...], topology: Topology) -> frozenset[str]:
    """Give the stores whose state is given up."""
    stores = [operator.store.name for operator in topology.operators]
    unknown = [name for name in wanted if name not in (*stores, _ALL)]
    if unknown:
        has = f"it has {', '.join(f'`{name}`' for name in stores)}" if stores else "it keeps no state"
        message = f"the program has no store `{unknown[0]}` whose state could be given up"
        raise bad_call(message, help=has)
    return frozenset(stores if _ALL in wanted else wanted)


@contextmanager
def _served(processor: Processor, port: int | None) -> Iterator[None]:
    """Serve metrics and health while entered, if there is a port for them."""
    if port is None:
        yield
        return
    # Half of what it needs is needed for nothing else.
    from headrace.telemetry.http import StatusServer

    try:
        server = StatusServer(port, processor.metrics, live=processor.live, ready=processor.ready)
    except OSError as error:
        message = f"port {port} cannot be served: {(error.strerror or 'unknown reason').lower()}"
        raise bad_call(message, help="give another one with --port or SQL_PORT") from error
    with server:
        yield
