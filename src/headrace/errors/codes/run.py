"""Codes of a running processor: RUN01xx."""

from __future__ import annotations

from headrace.errors.codes.code import Code

RECORD_FAILED = Code(
    "RUN0101",
    "record failed",
    "A record could not be processed and the error policy is `fail`.",
)
