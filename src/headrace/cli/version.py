"""`headrace version`."""

from __future__ import annotations

import platform
from importlib.metadata import version

import click

from headrace.cli.failures import reported
from headrace.cli.options import examples

PARTS = ("headrace", "confluent-kafka", "duckdb", "pyarrow", "sqlglot")


@click.command("version", epilog=examples("headrace version"))
@reported
def command() -> None:
    """Print the versions of Headrace and what it stands on."""
    for part in PARTS:
        click.echo(f"{part:<16}{version(part)}")
    click.echo(f"{'python':<16}{platform.python_version()} on {platform.system()} {platform.machine()}")
