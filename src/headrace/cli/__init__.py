"""The command line: one module per command, each loaded when it is called."""

from headrace.cli.group import main

__all__ = ["main"]
