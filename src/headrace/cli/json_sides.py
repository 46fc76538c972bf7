"""Turns JSON text into the bytes of one side of a topic: the way of `produce`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as compute

from headrace.formats import make_decoder, make_encoder
from headrace.formats.interface import Format, Path, RowError, Side

pc: Any = compute
"""Its functions; the stubs have them for some types of arrays only."""


@dataclass(frozen=True, slots=True)
class Written:
    """The bytes of n rows; null where the JSON text is `null` or absent, or where there is an error."""

    data: pa.BinaryArray
    errors: tuple[RowError, ...]


class SideWriter:
    """Reads the JSON text of a key or value, or one field of it, and writes it in the format of a side."""

    def __init__(self, side: Side, schema_id: int | None = None, path: Path = ()) -> None:
        """Make a writer.

        Args:
            side: format and type to write. JSON with type string stands for any JSON, passed on as it is written.
            schema_id: id of the side's schema, for Avro.
            path: the field of the text that is written; () is all of it.
        """
        self._whole = side.format is Format.JSON and pa.types.is_string(side.type) and path == ()
        seen: pa.DataType = side.type
        for name in reversed(path):
            seen = pa.struct([(name, seen)])
        self._decoder = make_decoder(Side(Format.JSON, seen), [path], None)
        self._encoder = None if self._whole else make_encoder(side, schema_id)

    def write(self, texts: pa.BinaryArray) -> Written:
        """Write n rows."""
        decoded = self._decoder.decode(texts)
        column = decoded.columns[0]
        if self._encoder is None:
            # Decoded only to see that it is JSON, and whether it is null.
            return Written(
                pc.if_else(pc.is_valid(column), texts, pa.scalar(None, texts.type)), decoded.errors
            )
        encoded = self._encoder.encode(column)
        return Written(encoded.data, decoded.errors + encoded.errors)
