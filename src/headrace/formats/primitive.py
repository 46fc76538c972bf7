"""STRING, INT, LONG and BYTES, as Kafka's own serializers write them.

STRING is UTF-8, INT four and LONG eight bytes, big endian.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa

from headrace import _native
from headrace.errors import Diagnostic, ProgramError
from headrace.errors.codes.format import UNSUPPORTED_TYPE
from headrace.formats.interface import Decoded, Decoder, Encoder, Format, Path, Registry, Side
from headrace.formats.native import NativeEncoder, decoded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TYPES: Final[Mapping[Format, pa.DataType]] = {
    Format.STRING: pa.string(),
    Format.INT: pa.int32(),
    Format.LONG: pa.int64(),
    Format.BYTES: pa.binary(),
}
"""The one type that each primitive format holds."""


class _PrimitiveDecoder:
    def __init__(self, format: Format, columns: int) -> None:
        self._codec = _native.PrimitiveCodec(format.value)
        self._paths: list[Path] = [()] * columns

    def decode(self, data: pa.BinaryArray) -> Decoded:
        return decoded(*self._codec.decode(data, self._paths))


def decoder(side: Side, paths: Sequence[Path], registry: Registry | None) -> Decoder:
    """As `make_decoder`."""
    _check(side)
    for path in paths:
        if path:
            message = f"{side.format} has no fields, so there is no `{'.'.join(path)}`"
            raise ProgramError((Diagnostic(UNSUPPORTED_TYPE, message),))
    return _PrimitiveDecoder(side.format, len(paths))


def encoder(side: Side, schema_id: int | None) -> Encoder:
    """As `make_encoder`."""
    _check(side)
    return NativeEncoder(_native.PrimitiveCodec(side.format.value))


def _check(side: Side) -> None:
    if side.type != TYPES[side.format]:
        message = f"{side.format} holds {TYPES[side.format]}, not {side.type}"
        raise ProgramError((Diagnostic(UNSUPPORTED_TYPE, message),))
