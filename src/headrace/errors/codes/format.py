"""Codes of formats and the schema registry: FMT01xx."""

from __future__ import annotations

from headrace.errors.codes.code import Code

UNDECODABLE = Code(
    "FMT0101",
    "record cannot be decoded",
    "The bytes of a record do not follow the format or the schema of its topic.",
)
