"""Programs without their places, to compare what two texts mean."""

from __future__ import annotations

from dataclasses import fields, is_dataclass

from sqlglot import exp

from headrace.errors import Span


def without_places(value: object) -> object:
    """Give a program as nested tuples of what it says; expressions as their full text form, which leaves places out."""
    if isinstance(value, exp.Expression):
        return repr(value)
    if isinstance(value, tuple):
        return tuple(without_places(item) for item in value)
    if is_dataclass(value):
        parts = (getattr(value, field.name) for field in fields(value) if field.name != "source")
        return (type(value).__name__, *(without_places(part) for part in parts if not isinstance(part, Span)))
    return (type(value).__name__, value)
