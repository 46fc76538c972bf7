"""The interactive shell of `headrace sql`."""

from headrace.cli.shell.loop import Shell

__all__ = ["Shell"]
