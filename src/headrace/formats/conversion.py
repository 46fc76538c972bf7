"""Which format may become which when STORE or a target topic asks for another one than the source has.

The planner asks; a format that stays as it is needs no entry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa

from headrace.formats.interface import Format

if TYPE_CHECKING:
    from collections.abc import Mapping

_ANY: Final = "any"
_PRIMITIVE: Final = "primitive"
_RECORD: Final = "record"

_RECORDS: Final = (Format.JSON, Format.AVRO, Format.JSON_SR, Format.PROTOBUF)
"""Formats that hold records, and, but for PROTOBUF, one value as well."""

_SCHEMAS: Final = dict.fromkeys((Format.AVRO, Format.JSON_SR), _ANY)

_ALLOWED: Final[Mapping[Format, Mapping[Format, str]]] = {
    Format.INT: {Format.LONG: _ANY, Format.STRING: _ANY, **_SCHEMAS},
    Format.LONG: {Format.STRING: _ANY, **_SCHEMAS},
    Format.STRING: _SCHEMAS,
    **{
        source: {
            Format.INT: _PRIMITIVE,
            Format.LONG: _PRIMITIVE,
            Format.STRING: _ANY,
            **dict.fromkeys((*_RECORDS, Format.CSV), _ANY),
            Format.PROTOBUF: _RECORD,
        }
        for source in _RECORDS
    },
    Format.CSV: {**dict.fromkeys(_RECORDS, _ANY), Format.PROTOBUF: _RECORD},
    Format.DEBEZIUM_JSON: {
        Format.JSON: _ANY,
        Format.JSON_SR: _ANY,
        Format.AVRO: _ANY,
        Format.PROTOBUF: _RECORD,
    },
    Format.DEBEZIUM_AVRO: {
        Format.JSON: _ANY,
        Format.JSON_SR: _ANY,
        Format.AVRO: _ANY,
        Format.PROTOBUF: _RECORD,
    },
    Format.XML: {Format.JSON: _ANY, Format.JSON_SR: _ANY, Format.AVRO: _ANY, Format.PROTOBUF: _RECORD},
    Format.BYTES: {},
}
"""By source and target: whether any type may be converted, only one without fields, or only a record."""


def why_not(source: Format, target: Format, type: pa.DataType) -> str | None:
    """Say why values of a type may not go from one format to another; None if they may.

    Args:
        source: the format that is read.
        target: the format that is to be written.
        type: of the key or value that is written.
    """
    if source is target:
        return None
    allowed = _ALLOWED[source].get(target)
    if allowed is None:
        return f"{source} cannot be stored as {target}"
    if allowed is _PRIMITIVE and pa.types.is_nested(type):
        return f"{source} can be stored as {target} only if it is a single value without fields"
    if allowed is _RECORD and not pa.types.is_struct(type):
        return f"{source} can be stored as {target} only if it is a record"
    return None
