"""JSON in the framing of a schema registry: a zero byte, the id of the writer's JSON Schema, the JSON text.

The text is read as JSON with the type of the side, whatever the writer's schema was: JSON tells its own names. A record without
the framing is an error, as it is to Confluent's deserializer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as compute

from headrace.errors import Diagnostic, ProgramError
from headrace.errors.codes.format import NO_REGISTRY
from headrace.formats import json
from headrace.formats.interface import Decoded, Encoded, RowError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.formats.interface import Decoder, Encoder, Path, Registry, Side

pc: Any = compute
"""Its functions; the stubs have them for some types of arrays only."""

_HEADER: Final = 5
_MAGIC: Final = b"\0"
_END: Final = (1 << 31) - 1
"""Beyond every value: without an end, `binary_slice` of Arrow 26 fails for values shorter than its start."""


def decoder(side: Side, paths: Sequence[Path], registry: Registry | None) -> Decoder:
    """As `make_decoder`."""
    return _Framed(json.decoder(side, paths, registry), len(paths))


def encoder(side: Side, schema_id: int | None) -> Encoder:
    """As `make_encoder`."""
    if schema_id is None:
        message = "JSON_SR is written with the id under which its schema is registered"
        raise ProgramError((Diagnostic(NO_REGISTRY, message),))
    return _Framing(json.encoder(side, schema_id), schema_id)


class _Framed:
    """Takes the framing away before the JSON decoder works."""

    def __init__(self, inner: Decoder, columns: int) -> None:
        self._inner = inner
        self._columns = columns

    def decode(self, data: pa.BinaryArray) -> Decoded:
        """Decode n values."""
        framed = pc.and_(
            pc.greater(pc.binary_length(data), _HEADER),
            pc.equal(pc.binary_slice(data, 0, 1), pa.scalar(_MAGIC)),
        )
        bare = pc.invert(framed)
        texts: pa.BinaryArray = pc.binary_slice(
            pc.if_else(framed, data, pa.scalar(None, pa.binary())), _HEADER, _END
        )
        found = self._inner.decode(texts)
        if not pc.any(bare).as_py():
            return found
        rows = pc.indices_nonzero(pc.fill_null(bare, fill_value=False)).to_pylist()
        reason = "the value does not begin with a zero byte and the id of a schema"
        errors = [*found.errors, *(RowError(row, reason) for row in rows)]
        return Decoded(found.columns, tuple(sorted(errors, key=lambda error: error.row)))


class _Framing:
    """Puts the framing before what the JSON encoder gives."""

    def __init__(self, inner: Encoder, schema_id: int) -> None:
        self._inner = inner
        self._header = pa.scalar(_MAGIC + schema_id.to_bytes(4, "big"), pa.binary())

    def encode(self, values: pa.Array[Any]) -> Encoded:
        """Encode n rows."""
        found = self._inner.encode(values)
        joined: pa.BinaryArray = pc.binary_join_element_wise(
            self._header, found.data, pa.scalar(b"", pa.binary())
        )
        return Encoded(joined, found.errors)
