"""The type of JSON values, from some of them.

Types are merged over the records: int widens to long, whole numbers and fractions to double, records field by field, arrays by
element. What has no common type becomes a string, which holds the raw JSON text. Everything may be null, since other records may
lack it. Fields keep the order in which they are first seen.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable

_INT: Final = 2**31
_LONG: Final = 2**63
_DEPTH: Final = 32
"""Records nested deeper are taken as text."""

_WIDTHS: Final = ("int", "long", "decimal", "double")


@dataclass(slots=True)
class Shape:
    """What has been seen at one place: `kind` None for nothing but null."""

    kind: str | None = None
    fields: dict[str, Shape] = field(default_factory=dict)
    item: Shape | None = None

    def add(self, value: Any, depth: int = 0) -> None:
        """Take one more value into account."""
        seen = _kind(value, depth)
        if seen is None:
            return
        self.kind = seen if self.kind is None else _joined(self.kind, seen)
        if self.kind == "record":
            for name, inner in value.items():
                self.fields.setdefault(name, Shape()).add(inner, depth + 1)
        elif self.kind == "array":
            self.item = self.item or Shape()
            for inner in value:
                self.item.add(inner, depth + 1)

    def type(self) -> pa.DataType:
        """Give the Arrow type of all values so far."""
        if self.kind == "record" and self.fields:
            return pa.struct([pa.field(name, inner.type()) for name, inner in self.fields.items()])
        if self.kind == "array" and self.item is not None and self.item.kind is not None:
            return pa.list_(self.item.type())
        return _TYPES.get(self.kind or "", pa.string())


_TYPES: Final[dict[str, pa.DataType]] = {
    "boolean": pa.bool_(),
    "int": pa.int64(),
    "long": pa.int64(),
    "decimal": pa.decimal128(38, 0),
    "double": pa.float64(),
}
"""Whole numbers are long: a sample cannot tell that a counter will stay below two billion."""


@dataclass(frozen=True, slots=True)
class JsonSample:
    """What some records hold, read as JSON."""

    shape: Shape
    unreadable: int
    """How many of them are no JSON."""
    records: int


def look_at_json(values: Iterable[bytes]) -> JsonSample:
    """Read values as JSON."""
    shape = Shape()
    bad = count = 0
    for value in values:
        count += 1
        try:
            # As text, since of bytes Python would take UTF-16 too, and a byte order mark.
            parsed = json.loads(value.decode(), parse_constant=_refuse)
        except (ValueError, RecursionError):
            bad += 1
            continue
        shape.add(parsed)
    return JsonSample(shape, bad, count)


def _refuse(constant: str) -> None:
    """Take no `NaN` and no `Infinity`, which JSON does not have: the record will not be read."""
    message = f"{constant} is no JSON"
    raise ValueError(message)


def infer_json(values: Iterable[bytes]) -> tuple[pa.DataType | None, int]:
    """Give the type of JSON values, and how many of them are no JSON.

    Returns:
        None for the type if no value says anything.
    """
    seen = look_at_json(values)
    return (seen.shape.type() if seen.shape.kind is not None else None), seen.unreadable


def _kind(value: Any, depth: int) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "int" if -_INT <= value < _INT else "long" if -_LONG <= value < _LONG else _big(value)
    if isinstance(value, float):
        return "double"
    if isinstance(value, dict):
        return "record" if depth < _DEPTH else "text"
    if isinstance(value, list):
        return "array" if depth < _DEPTH else "text"
    return "string"


def _big(value: int) -> str:
    return "decimal" if abs(value) < 10**38 else "double"


def _joined(left: str, right: str) -> str:
    if left == right:
        return left
    if left in _WIDTHS and right in _WIDTHS:
        return max(left, right, key=_WIDTHS.index)
    return "text"
