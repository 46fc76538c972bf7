"""Errors and warnings: one model for all stages, and the list of every code."""

from headrace.errors.codes import Code, all_codes
from headrace.errors.diagnostic import (
    Diagnostic,
    HeadraceError,
    Label,
    ProgramError,
    RunError,
    Severity,
    Source,
    Span,
)

__all__ = [
    "Code",
    "Diagnostic",
    "HeadraceError",
    "Label",
    "ProgramError",
    "RunError",
    "Severity",
    "Source",
    "Span",
    "all_codes",
]
