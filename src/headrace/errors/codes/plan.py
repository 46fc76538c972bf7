"""Codes of the planner: SQL02xx (names), SQL03xx (types and rules)."""

from __future__ import annotations

from headrace.errors.codes.code import Code

UNKNOWN_COLUMN = Code(
    "SQL0201",
    "unknown column",
    "The column is not in the schema of the source that the name refers to.",
)
