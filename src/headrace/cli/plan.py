"""`headrace plan`."""

from __future__ import annotations

import click

from headrace.cli.failures import reported, warn
from headrace.cli.options import examples, log_options, program_options
from headrace.cli.program import read_program
from headrace.cli.session import open_session
from headrace.plan.explain import EXPLAIN_FORMATS, explain
from headrace.planner import plan_program
from headrace.sql import parse_program


@click.command(
    "plan",
    epilog=examples("headrace plan fast_vessels.sql", "headrace plan fast_vessels.sql --format mermaid"),
)
@program_options
@click.option("--format", "form", type=click.Choice(EXPLAIN_FORMATS), default="text", show_default=True)
@log_options
@reported
def command(file: str | None, text: str | None, form: str, log: str | None, registry: str | None) -> None:
    """Check a program and show how it would run: topics, types, queries. Nothing is created or changed."""
    source = read_program(file, text)
    with open_session(log, registry) as session:
        program = parse_program(source.text, source.name)
        topology = plan_program(program, session.catalog)
    warn(topology.warnings, source)
    click.echo(explain(topology, form))
