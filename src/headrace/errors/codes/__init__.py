"""Every kind of fault, once: its code, its title and what to do about it.

A family is one module here; a test fails if a code has no page in the reference or no case that produces it.
"""

from __future__ import annotations

from headrace.errors.codes.code import Code
from headrace.errors.codes.families import FAMILIES

__all__ = ["FAMILIES", "Code", "all_codes"]


def all_codes() -> tuple[Code, ...]:
    """Give all codes in the order of their identifiers."""
    return tuple(
        sorted(value for family in FAMILIES for value in vars(family).values() if isinstance(value, Code))
    )
