"""Codes of the catalog: CAT01xx."""

from __future__ import annotations

from headrace.errors.codes.code import Code

UNKNOWN_TOPIC = Code(
    "CAT0101",
    "unknown topic",
    "No topic of this name exists in the log.",
)
