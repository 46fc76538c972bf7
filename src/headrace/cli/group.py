"""The command `headrace`: finds the command that was called and loads its module, and no other.

Commands import Arrow, DuckDB and the Kafka client. `headrace --help` needs none of them, so their names and one-line
descriptions stand here; a test holds them against the commands.
"""

from __future__ import annotations

import gc
import importlib
from typing import Final

import click

COMMANDS: Final = {
    "run": "Run a program until it is stopped.",
    "query": "Query topics once, or follow them.",
    "sql": "Work on topics in an interactive shell.",
    "plan": "Check a program and show how it would run.",
    "test": "Run test cases; no broker is needed.",
    "check": "Find what can run and is seldom meant.",
    "fmt": "Lay out programs in one style.",
    "reset": "Set where an application goes on.",
    "dlq": "List, show and replay dead letters.",
    "topics": "List, describe, create and delete topics.",
    "schemas": "List, show, compare and check schemas.",
    "produce": "Write JSON lines to a topic.",
    "consume": "Print the records of a topic as JSON lines.",
    "demo": "Show a running processor on generated data.",
    "version": "Print the versions of Headrace and what it stands on.",
}


class LazyGroup(click.Group):
    """A group whose commands are modules of `headrace.cli`, each with a click command named `command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Give the names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one command; None if there is none of this name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"headrace.cli.{cmd_name}")
        if not gc.isenabled():
            # What is loaded by now stays: the collector never looks at it.
            gc.freeze()
            gc.enable()
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExample:\n  headrace demo\n\nExit codes: 0 done, 1 failed while running, 2 the SQL or the call is wrong.",
)
def main() -> None:
    """Run SQL on Apache Kafka, or on a log in one local file."""
