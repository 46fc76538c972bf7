"""Change records of Debezium as Avro. For reading only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace.errors import Diagnostic, ProgramError
from headrace.errors.codes.format import UNSUPPORTED_TYPE
from headrace.formats import avro
from headrace.formats.change_operations import wrong_operations
from headrace.formats.interface import Decoded
from headrace.types.change_records import OPERATION

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from headrace.formats.interface import Decoder, Encoder, Path, Registry, Side


def decoder(side: Side, paths: Sequence[Path], registry: Registry | None) -> Decoder:
    """As `make_decoder`."""
    return _ChangeDecoder(avro.decoder(side, [(OPERATION,), *paths], registry))


def encoder(side: Side, schema_id: int | None) -> Encoder:
    """As `make_encoder`: refused."""
    message = f"{side.format} is for reading only"
    help = "write to a topic of another format, such as JSON"
    raise ProgramError((Diagnostic(UNSUPPORTED_TYPE, message, help=help),))


class _ChangeDecoder:
    """Looks at the operation of each record, beside what is asked for."""

    def __init__(self, values: Decoder) -> None:
        self._values = values

    def decode(self, data: pa.BinaryArray) -> Decoded:
        """Decode n values."""
        found = self._values.decode(data)
        operations, *columns = found.columns
        return Decoded(tuple(columns), wrong_operations(operations, data.is_valid(), found.errors))
