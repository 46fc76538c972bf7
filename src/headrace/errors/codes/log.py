"""Codes of the logs: LOG01xx."""

from __future__ import annotations

from headrace.errors.codes.code import Code

UNREACHABLE = Code(
    "LOG0101",
    "log cannot be reached",
    "No broker answered at the addresses given.",
)
