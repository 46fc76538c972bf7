"""Change records of Debezium as JSON, with the schema beside them or without.

Where Kafka Connect writes the schema into each record, the change record stands in `payload`; both forms give the same columns,
and may stand in one topic. For reading only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as compute

from headrace import _native
from headrace.errors import Diagnostic, ProgramError
from headrace.errors.codes.format import UNSUPPORTED_TYPE
from headrace.formats.change_operations import wrong_operations
from headrace.formats.interface import Decoded
from headrace.formats.native import NativeDecoder, refusing
from headrace.types.change_records import OPERATION, PAYLOAD
from headrace.types.shape import fields

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.formats.interface import Decoder, Encoder, Path, Registry, Side

pc: Any = compute
"""Its functions; the stubs have them for some types of arrays only."""


def decoder(side: Side, paths: Sequence[Path], registry: Registry | None) -> Decoder:
    """As `make_decoder`."""
    with refusing(side.format):
        return _ChangeDecoder(side.type, paths)


def encoder(side: Side, schema_id: int | None) -> Encoder:
    """As `make_encoder`: refused."""
    message = f"{side.format} is for reading only"
    help = "write to a topic of another format, such as JSON"
    raise ProgramError((Diagnostic(UNSUPPORTED_TYPE, message, help=help),))


class _ChangeDecoder:
    """Decodes each path in both places, and takes the one that the record has."""

    def __init__(self, kind: pa.DataType, paths: Sequence[Path]) -> None:
        self._paths = tuple(paths)
        self._fields = fields(kind)
        wanted: list[Path] = [(OPERATION,)]
        for path in paths:
            wanted += [path] if path else [(field.name,) for field in self._fields]
        self._wanted = list(dict.fromkeys(wanted))
        both = pa.struct([*self._fields, pa.field(PAYLOAD, kind)])
        places = [*self._wanted, *((PAYLOAD, *path) for path in self._wanted)]
        self._json = NativeDecoder(_native.JsonDecoder(both, places))

    def decode(self, data: pa.BinaryArray) -> Decoded:
        """Decode n values."""
        found = self._json.decode(data)
        count = len(self._wanted)
        bare, wrapped = found.columns[:count], found.columns[count:]
        inside = wrapped[0].is_valid()
        columns = dict(zip(self._wanted, _either(inside, wrapped, bare), strict=True))
        operations = columns[OPERATION,]
        there = pc.and_(data.is_valid(), operations.is_valid())
        return Decoded(
            tuple(self._column(path, columns, there) for path in self._paths),
            wrong_operations(operations, data.is_valid(), found.errors),
        )

    def _column(self, path: Path, columns: dict[Path, pa.Array[Any]], there: pa.Array[Any]) -> pa.Array[Any]:
        if path:
            return columns[path]
        parts = [columns[field.name,] for field in self._fields]
        whole: pa.Array[Any] = pa.StructArray.from_arrays(parts, fields=self._fields, mask=pc.invert(there))
        return whole


def _either(
    inside: pa.BooleanArray, wrapped: Sequence[pa.Array[Any]], bare: Sequence[pa.Array[Any]]
) -> Sequence[pa.Array[Any]]:
    if inside.true_count == 0:
        return bare
    if inside.true_count == len(inside):
        return wrapped
    return [pc.if_else(inside, one, other) for one, other in zip(wrapped, bare, strict=True)]
