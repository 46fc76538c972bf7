"""CSV for reading: one record a value, columns by position, quotes as in RFC 4180.

An empty column without quotes is null, and so are columns that are missing at the end. The property `delimiter` is one ASCII
character, by default a comma.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace import _native
from headrace.errors import Diagnostic, ProgramError
from headrace.errors.codes.format import READ_ONLY_FORMAT
from headrace.formats.native import NativeDecoder, refusing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.formats.interface import Decoder, Encoder, Path, Registry, Side


def decoder(side: Side, paths: Sequence[Path], registry: Registry | None) -> Decoder:
    """As `make_decoder`."""
    with refusing(side.format):
        return NativeDecoder(_native.CsvDecoder(side.type, paths, side.properties.get("delimiter", ",")))


def encoder(side: Side, schema_id: int | None) -> Encoder:
    """Refuse: nothing is written as CSV."""
    raise ProgramError(
        (Diagnostic(READ_ONLY_FORMAT, "CSV is for reading only", help="write JSON or AVRO instead"),)
    )
