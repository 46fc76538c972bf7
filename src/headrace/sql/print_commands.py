"""Commands to text, in canonical form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace.sql.commands import (
    Command,
    CreateSynonym,
    CreateView,
    Delete,
    Describe,
    Drop,
    KillQuery,
    Show,
    Truncate,
    Use,
)
from headrace.sql.print_expressions import expression

if TYPE_CHECKING:
    from collections.abc import Callable


def command_text(command: Command, name: Callable[[str], str], query: Callable[[CreateView], str]) -> str:
    """Print a command.

    Args:
        command: what to print.
        name: prints a name, between back-ticks where it needs them.
        query: prints the query of a view, its WITH in front.
    """
    match command:
        case Use():
            return f"USE {name(command.name)}"
        case Show():
            text = f"SHOW {command.what}"
            text += f" {name(command.name)}" if command.name is not None else ""
            quoted = "" if command.like is None else command.like.replace("'", "''")
            return f"{text} LIKE '{quoted}'" if command.like is not None else text
        case Describe():
            return f"DESCRIBE {command.what} {name(command.name)}"
        case Drop():
            return f"DROP {command.what} {'IF EXISTS ' if command.if_exists else ''}{name(command.name)}"
        case Truncate():
            return f"TRUNCATE TABLE {name(command.name)}"
        case Delete():
            return f"DELETE FROM {name(command.name)}\nWHERE {expression(command.condition)}"
        case CreateView():
            create = "CREATE OR REPLACE VIEW" if command.replaces else "CREATE VIEW"
            return f"{create} {name(command.name)} AS\n{query(command)}"
        case CreateSynonym():
            return f"CREATE SYNONYM {name(command.name)} FOR {name(command.topic)}"
        case KillQuery():
            return f"KILL QUERY {command.query}"
