"""Codes of the parser: SQL01xx."""

from __future__ import annotations

from headrace.errors.codes.code import Code

SYNTAX = Code(
    "SQL0101",
    "syntax error",
    "The text does not follow the grammar. The caret shows the first token that does not fit.",
)
