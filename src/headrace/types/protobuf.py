"""Arrow types as Protobuf schemas, in the text of a `.proto` file.

Values that may be null become `optional` fields, records become messages inside the message. Decimals, dates and times use the
messages that Confluent's converters for Kafka Connect use. A field keeps the number that it has had before; numbers of fields
that are gone are reserved.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NoReturn

import pyarrow as pa

from headrace.errors import Diagnostic, ProgramError
from headrace.errors.codes.format import UNSUPPORTED_TYPE
from headrace.types.shape import fields
from headrace.types.sql import type_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headrace.types.shape import Field

Path = tuple[str, ...]

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_SCALARS: Final[Mapping[pa.DataType, str]] = {
    pa.bool_(): "bool",
    pa.int8(): "int32",
    pa.int16(): "int32",
    pa.int32(): "int32",
    pa.int64(): "int64",
    pa.uint8(): "uint32",
    pa.uint16(): "uint32",
    pa.uint32(): "uint32",
    pa.float32(): "float",
    pa.float64(): "double",
    pa.string(): "string",
    pa.binary(): "bytes",
}

_KEYS: Final = frozenset({"bool", "int32", "int64", "uint32", "string"})
"""What the keys of a map may be."""

_TIMESTAMP: Final = "google.protobuf.Timestamp"
_DATE: Final = "google.type.Date"
_TIME: Final = "google.type.TimeOfDay"
_DECIMAL: Final = "confluent.type.Decimal"
_META: Final = "confluent/meta.proto"
_FILES: Final = {
    _TIMESTAMP: "google/protobuf/timestamp.proto",
    _DATE: "google/type/date.proto",
    _TIME: "google/type/timeofday.proto",
    _DECIMAL: "confluent/type/decimal.proto",
}

_OWN_RESERVED: Final = range(19_000, 20_000)
"""Numbers that Protobuf keeps for itself."""


@dataclass(frozen=True, slots=True)
class Numbering:
    """What the numbers of a message's fields were in an earlier version."""

    numbers: Mapping[str, int] = field(default_factory=dict)
    reserved: tuple[tuple[int, int], ...] = ()
    """From the first to before the second."""
    reserved_names: tuple[str, ...] = ()


def arrow_to_protobuf(
    kind: pa.DataType, name: str, package: str, before: Mapping[Path, Numbering] | None = None
) -> str:
    """Give the Protobuf schema under which values of a type are written.

    Args:
        kind: a record; Protobuf holds nothing else.
        name: of the message.
        package: of the file.
        before: the numbers of an earlier version: of the message itself under (), of those inside it under their fields.

    Raises:
        ProgramError: the type, or the name of a field, has no form in Protobuf.
    """
    if not pa.types.is_struct(kind):
        _cannot((), "Protobuf holds records, not single values")
    writer = _Writer(before or {})
    lines = writer.message(kind, _clean(name), (), 0)
    head = ['syntax = "proto3";']
    spaces = [_clean(part) for part in package.split(".") if part]
    if spaces:
        head.append(f"package {'.'.join(spaces)};")
    head += [f'import "{file}";' for file in sorted(writer.imports)]
    return "\n".join([*head, "", *lines])


class _Writer:
    """Writes messages line by line, and knows what they import."""

    def __init__(self, before: Mapping[Path, Numbering]) -> None:
        self._before = before
        self.imports: set[str] = set()

    def message(self, kind: pa.DataType, name: str, path: Path, depth: int) -> list[str]:
        if not fields(kind):
            _cannot(path, "Protobuf has no record without fields")
        numbering = self._before.get(path, Numbering())
        numbers = _assigned([item.name for item in fields(kind)], numbering)
        inner: list[str] = []
        names: set[str] = {name}
        own: list[str] = []
        for item in fields(kind):
            below = (*path, item.name)
            if _NAME.fullmatch(item.name) is None:
                message = f"Protobuf does not allow the field name `{item.name}`"
                help = "give it a name of letters, digits and `_` with `AS`"
                raise ProgramError((Diagnostic(UNSUPPORTED_TYPE, message, help=help),))
            word = self._member(item, below, names, inner, depth)
            own.append(f"{word} {item.name} = {numbers[item.name]}{self._options(item.type)};")
        indent = "  " * depth
        reserved = [f"  {line}" for line in _reserved(numbers, numbering)]
        body = [f"  {line}" for line in own]
        return [
            f"{indent}message {name} {{",
            *(indent + line for line in (*reserved, *body)),
            *inner,
            f"{indent}}}",
        ]

    def _member(self, item: Field, path: Path, names: set[str], inner: list[str], depth: int) -> str:
        """Give what stands before the name of a field."""
        kind = item.type
        if isinstance(kind, pa.ListType):
            return f"repeated {self._one(kind.value_type, path, names, inner, depth)}"
        if isinstance(kind, pa.MapType):
            key = _SCALARS.get(kind.key_type)
            if key not in _KEYS:
                _cannot(path, f"a map of Protobuf has no keys of type {type_name(kind.key_type)}")
            return f"map<{key}, {self._one(kind.item_type, path, names, inner, depth)}>"
        word = self._one(kind, path, names, inner, depth)
        return f"optional {word}" if item.nullable and kind in _SCALARS else word

    def _one(self, kind: pa.DataType, path: Path, names: set[str], inner: list[str], depth: int) -> str:
        """Give the name of the type of a single value; a message for a record goes to `inner`."""
        if kind in _SCALARS:
            return _SCALARS[kind]
        if pa.types.is_struct(kind):
            name = _unique(path[-1], names)
            inner += self.message(kind, name, path, depth + 1)
            return name
        if pa.types.is_list(kind) or pa.types.is_map(kind):
            _cannot(path, f"Protobuf has no {type_name(kind)} inside of an array or map")
        for test, known in (
            (pa.types.is_timestamp, _TIMESTAMP),
            (pa.types.is_date, _DATE),
            (pa.types.is_time, _TIME),
            (pa.types.is_decimal, _DECIMAL),
        ):
            if test(kind):
                self.imports.add(_FILES[known])
                return known
        _cannot(path, f"Protobuf has no type {type_name(kind)}")

    def _options(self, kind: pa.DataType) -> str:
        if isinstance(kind, pa.ListType):
            kind = kind.value_type
        if not isinstance(kind, pa.Decimal128Type):
            return ""
        self.imports.add(_META)
        sizes = f'{{key: "precision", value: "{kind.precision}"}}, {{key: "scale", value: "{kind.scale}"}}'
        return f" [(confluent.field_meta) = {{params: [{sizes}]}}]"


def _assigned(names: list[str], numbering: Numbering) -> dict[str, int]:
    """Give each field its number: the one it has, or one that nobody has had."""
    taken = {number for start, end in numbering.reserved for number in range(start, min(end, start + 10_000))}
    taken |= set(numbering.numbers.values())
    highest = max(taken, default=0)
    found = {}
    for name in names:
        number = numbering.numbers.get(name)
        if number is None:
            highest += 1
            if highest in _OWN_RESERVED:
                highest = _OWN_RESERVED.stop
            number = highest
        found[name] = number
    return found


def _reserved(numbers: Mapping[str, int], numbering: Numbering) -> list[str]:
    gone = {name: number for name, number in numbering.numbers.items() if name not in numbers}
    ranges = sorted([*numbering.reserved, *((number, number + 1) for number in gone.values())])
    lines = []
    if ranges:
        texts = [str(start) if end == start + 1 else f"{start} to {end - 1}" for start, end in ranges]
        lines.append(f"reserved {', '.join(texts)};")
    names = sorted({*numbering.reserved_names, *gone} - numbers.keys())
    if names:
        quoted = ", ".join(f'"{name}"' for name in names)
        lines.append(f"reserved {quoted};")
    return lines


def _unique(field_name: str, names: set[str]) -> str:
    """Give the message of a field a name that no other has here."""
    plain = "".join(part[:1].upper() + part[1:] for part in field_name.split("_")) or "Record"
    plain = plain if _NAME.fullmatch(plain) else f"R{plain}"
    name, number = plain, 2
    while name in names:
        name = f"{plain}_{number}"
        number += 1
    names.add(name)
    return name


def _clean(name: str) -> str:
    clean = re.sub(r"[^A-Za-z0-9_]", "_", name)
    return clean if _NAME.fullmatch(clean) else f"_{clean}"


def _cannot(path: Path, message: str) -> NoReturn:
    where = f"field `{'.'.join(path)}`: " if path else ""
    raise ProgramError((Diagnostic(UNSUPPORTED_TYPE, where + message),))
