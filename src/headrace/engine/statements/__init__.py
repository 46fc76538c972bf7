"""Runs the statements of `headrace query` and `headrace sql`, one at a time: queries, INSERT, and those that change the log."""

from headrace.engine.statements.answers import Answer, Done, Rows
from headrace.engine.statements.runner import Runner, parse_statements
from headrace.engine.statements.workspace import Workspace

__all__ = ["Answer", "Done", "Rows", "Runner", "Workspace", "parse_statements"]
