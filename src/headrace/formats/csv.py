"""CSV: one record a value, columns by position, quotes as in RFC 4180.

Reading: an empty column without quotes is null, and so are columns that are missing at the end. Writing: null is nothing, text is
put in quotes where it must be, or is empty; numbers, times and bytes are as in JSON. The property `delimiter` is one ASCII
character, by default a comma.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as compute

from headrace import _native
from headrace.errors import Diagnostic, ProgramError
from headrace.errors.codes.format import UNSUPPORTED_TYPE
from headrace.formats import json
from headrace.formats.interface import Encoded, Format, RowError, Side
from headrace.formats.native import NativeDecoder, refusing
from headrace.types.shape import fields
from headrace.types.sql import is_text, type_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.formats.interface import Decoder, Encoder, Path, Registry

pc: Any = compute
"""Its functions; the stubs have them for some types of arrays only."""

_COMMA: Final = ","


def decoder(side: Side, paths: Sequence[Path], registry: Registry | None) -> Decoder:
    """As `make_decoder`."""
    with refusing(side.format):
        return NativeDecoder(_native.CsvDecoder(side.type, paths, _delimiter(side)))


def encoder(side: Side, schema_id: int | None) -> Encoder:
    """As `make_encoder`."""
    reason = unwritable(side.type)
    if reason is not None:
        raise ProgramError((Diagnostic(UNSUPPORTED_TYPE, reason),))
    return _CsvEncoder(side)


def unwritable(kind: pa.DataType) -> str | None:
    """Say why values of a type cannot be written as CSV; None if they can."""
    if not pa.types.is_struct(kind):
        return "CSV holds records, not single values"
    nested = next((field for field in fields(kind) if pa.types.is_nested(field.type)), None)
    return None if nested is None else f"field `{nested.name}`: CSV has no type {type_name(nested.type)}"


class _CsvEncoder:
    """Writes records column by column."""

    def __init__(self, side: Side) -> None:
        self._delimiter = _delimiter(side)
        # What is no text looks as in JSON.
        self._scalars = {
            index: json.encoder(Side(Format.JSON, field.type), None)
            for index, field in enumerate(fields(side.type))
            if not is_text(field.type)
        }
        self._names = [field.name for field in fields(side.type)]

    def encode(self, values: pa.Array[Any]) -> Encoded:
        """Encode n rows; a null row gives null."""
        assert isinstance(values, pa.StructArray)
        errors: list[RowError] = []
        columns = []
        for index, column in enumerate(values.flatten()):
            scalar = self._scalars.get(index)
            if scalar is None:
                columns.append(self._text(column))
                continue
            encoded = scalar.encode(column)
            errors += [
                RowError(item.row, f"field `{self._names[index]}`: {item.reason}") for item in encoded.errors
            ]
            columns.append(_bare(encoded.data))
        line = pc.binary_join_element_wise(*columns, self._delimiter)
        bad = {item.row for item in errors}
        valid = values.is_valid()
        if bad:
            valid = pc.and_(valid, pa.array([row not in bad for row in range(len(values))]))
        data: pa.BinaryArray = pc.if_else(valid, line, pa.scalar(None, pa.string())).cast(pa.binary())
        return Encoded(data, tuple(sorted(errors, key=lambda item: item.row)))

    def _text(self, column: pa.Array[Any]) -> pa.Array[Any]:
        text = column.cast(pa.string())
        special = pc.match_substring_regex(text, rf'^$|["\r\n\x{{{ord(self._delimiter):x}}}]')
        doubled = pc.binary_join_element_wise('"', pc.replace_substring(text, '"', '""'), '"', "")
        found: pa.Array[Any] = pc.fill_null(pc.if_else(special, doubled, text), "")
        return found


def _bare(texts: pa.BinaryArray) -> pa.Array[Any]:
    """Take the quotes of JSON from values that need none in CSV; what is empty keeps them, for nothing at all is null."""
    text = pc.fill_null(texts.cast(pa.string()), "")
    found: pa.Array[Any] = pc.if_else(pc.equal(text, '""'), text, pc.replace_substring(text, '"', ""))
    return found


def _delimiter(side: Side) -> str:
    return side.properties.get("delimiter", _COMMA)
