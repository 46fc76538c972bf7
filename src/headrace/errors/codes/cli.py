"""Codes of the command line: CLI01xx."""

from __future__ import annotations

from headrace.errors.codes.code import Code

BAD_CALL = Code(
    "CLI0101",
    "bad call",
    "The command was called with options that do not go together.",
)
