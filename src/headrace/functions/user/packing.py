"""Arguments of a user aggregate as bytes, and back: for values that are kept until they are folded into a state.

JSON, as states are, with other spellings for what JSON has no word for. Equal values have equal bytes.
"""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.functions.user.annotations import UserType

_Convert = Callable[[Any], Any]


class UnpackableError(Exception):
    """Values of a type cannot be written down. The message is for the user."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Spelling:
    """How values of a type, as Arrow gives them, become values of JSON and come back; None: they are such values."""

    write: _Convert | None = None
    read: _Convert | None = None


class Packing:
    """Writes the arguments of one record down.

    Args:
        parameters: their types.
    """

    def __init__(self, parameters: Sequence[UserType]) -> None:
        self.plain = [dataclasses.replace(kind, load=None, dump=None) for kind in parameters]
        """The types of the arguments as they are packed: before they are made into what the function wants."""
        self._spellings = [_spelling(kind.type) for kind in parameters]
        self._loads = [kind.load for kind in parameters]

    def pack(self, values: Sequence[Any]) -> bytes:
        """Give the bytes of arguments as Arrow gives them."""
        written = [
            _converted(spelling.write, value) for spelling, value in zip(self._spellings, values, strict=True)
        ]
        return json.dumps(written, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")

    def unpack(self, packed: bytes) -> list[Any]:
        """Give the arguments as the function wants them."""
        read = json.loads(packed)
        return self.load(
            [_converted(spelling.read, value) for spelling, value in zip(self._spellings, read, strict=True)]
        )

    def load(self, values: Sequence[Any]) -> list[Any]:
        """Make arguments as Arrow gives them into what the function wants."""
        return [_converted(load, value) for load, value in zip(self._loads, values, strict=True)]


def _converted(convert: _Convert | None, value: Any) -> Any:
    return value if convert is None or value is None else convert(value)


_ISO: Final = {date: date.fromisoformat, datetime: datetime.fromisoformat, time: time.fromisoformat}


def _spelling(kind: pa.DataType) -> _Spelling:
    types = pa.types
    if types.is_boolean(kind) or types.is_integer(kind) or types.is_floating(kind) or types.is_string(kind):
        return _Spelling()
    if types.is_decimal(kind):
        return _Spelling(str, Decimal)
    if types.is_binary(kind):
        return _Spelling(lambda value: base64.b64encode(value).decode(), base64.b64decode)
    if types.is_date(kind):
        return _Spelling(date.isoformat, _ISO[date])
    if types.is_time(kind) and kind.unit != "ns":
        return _Spelling(time.isoformat, _ISO[time])
    if types.is_timestamp(kind) and kind.unit != "ns":
        return _Spelling(datetime.isoformat, _ISO[datetime])
    if types.is_list(kind):
        item = _spelling(kind.value_type)
        return item if item.write is None else _Spelling(_each(item.write), _each(item.read))
    if types.is_map(kind):
        return _map(kind)
    if types.is_struct(kind):
        return _record(kind)
    message = f"values of the type {kind} cannot be kept to be taken back"
    raise UnpackableError(message)


def _each(convert: _Convert | None) -> _Convert:
    return lambda values: [_converted(convert, value) for value in values]


def _map(kind: pa.DataType) -> _Spelling:
    assert isinstance(kind, pa.MapType)
    key, item = _spelling(kind.key_type), _spelling(kind.item_type)

    def write(entries: dict[Any, Any]) -> list[Any]:
        return [
            [_converted(key.write, name), _converted(item.write, value)] for name, value in entries.items()
        ]

    def read(entries: list[Any]) -> dict[Any, Any]:
        return {_converted(key.read, name): _converted(item.read, value) for name, value in entries}

    return _Spelling(write, read)


def _record(kind: pa.DataType) -> _Spelling:
    fields = {kind.field(index).name: _spelling(kind.field(index).type) for index in range(kind.num_fields)}

    def write(record: dict[str, Any]) -> list[Any]:
        return [_converted(spelling.write, record[name]) for name, spelling in fields.items()]

    def read(values: list[Any]) -> dict[str, Any]:
        return {
            name: _converted(spelling.read, value)
            for (name, spelling), value in zip(fields.items(), values, strict=True)
        }

    return _Spelling(write, read)
