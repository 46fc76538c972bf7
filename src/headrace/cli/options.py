"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from headrace.formats.interface import READ_ONLY, WRITTEN_BY_USERS, Format

Function = TypeVar("Function", bound=Callable[..., Any])

# What these hold only a declaration says; a name alone does not tell how to read or write them.
_DECLARED = (Format.CSV, Format.XML, Format.DEBEZIUM_JSON)
_NAMED = tuple(item for item in WRITTEN_BY_USERS if item not in _DECLARED)

FORMATS = click.Choice([item.value for item in _NAMED], case_sensitive=False)
WRITTEN_FORMATS = click.Choice([item.value for item in _NAMED if item not in READ_ONLY], case_sensitive=False)
KEY_FORMATS = click.Choice(
    [f"{window}{item}" for window in ("", "TW", "SW") for item in _NAMED], case_sensitive=False
)
"""With windows of time (TW) or sessions (SW) behind the keys."""


def examples(*calls: str) -> str:
    """Give the last part of a command's help: calls that can be copied."""
    return "\b\n" + "\n".join(
        ["Example:" if len(calls) == 1 else "Examples:", *(f"  {call}" for call in calls)]
    )


def log_options(function: Function) -> Function:
    """Add --log and --registry."""
    registry = click.option(
        "--registry",
        metavar="URL",
        help="Schema registry (Confluent's API); HEADRACE_SCHEMA_REGISTRY. The embedded log brings its own.",
    )
    log = click.option(
        "--log",
        metavar="URL",
        help="Where topics live: kafka://host:port,… or sqlite:path; HEADRACE_LOG. Default sqlite:headrace.db.",
    )
    return log(registry(function))


def functions_option(function: Function) -> Function:
    """Add --functions: where user functions are."""
    option = click.option(
        "--functions",
        metavar="FILE",
        help="Python file with user functions, unless the program names one by functions.file; HEADRACE_FUNCTIONS.",
    )
    return option(function)


def program_options(function: Function) -> Function:
    """Add the argument FILE and -e: where the SQL text comes from."""
    text = click.option("-e", "--execute", "text", metavar="SQL", help="The SQL itself, instead of a file.")
    file = click.argument("file", required=False, type=click.Path(dir_okay=False, allow_dash=True))
    return file(text(function))
