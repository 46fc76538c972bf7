"""ROWS, the format of our own topics between the parts of a program. Holds any type; never read or written by others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from headrace import _native
from headrace.formats.interface import Decoded, Decoder, Encoder, Format, Path, Registry, Side
from headrace.formats.native import NativeEncoder, decoded, refusing

if TYPE_CHECKING:
    from collections.abc import Sequence


class _RowsDecoder:
    def __init__(self, codec: _native.RowsCodec, paths: Sequence[Path]) -> None:
        self._codec = codec
        self._paths = tuple(paths)

    def decode(self, data: pa.BinaryArray) -> Decoded:
        return decoded(*self._codec.decode(data, self._paths))


def decoder(side: Side, paths: Sequence[Path], registry: Registry | None) -> Decoder:
    """As `make_decoder`."""
    with refusing(Format.ROWS):
        made = _RowsDecoder(_native.RowsCodec(side.type), paths)
        # A path that leads nowhere is refused now, not with the first batch.
        made.decode(pa.array([], pa.binary()))
        return made


def encoder(side: Side, schema_id: int | None) -> Encoder:
    """As `make_encoder`."""
    with refusing(Format.ROWS):
        return NativeEncoder(_native.RowsCodec(side.type))
