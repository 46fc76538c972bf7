"""JSON as RFC 8259 has it.

Reading: an absent field is null; a field of type VARCHAR that holds something else than text gives its JSON; whole numbers
may be written as `1.0` or `1e3`; dates and times may be ISO 8601 text or numbers (days; milliseconds of the day; epoch
milliseconds), decimals text or numbers, bytes are base64. Of equal names in one object the last one counts.

Writing: null fields are written; timestamps as epoch milliseconds, as Kafka Connect does; dates and times as ISO 8601 text;
bytes as base64. NaN and the infinities cannot be written: such a row is an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace import _native
from headrace.formats.native import NativeDecoder, NativeEncoder, refusing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.formats.interface import Decoder, Encoder, Path, Registry, Side


def decoder(side: Side, paths: Sequence[Path], registry: Registry | None) -> Decoder:
    """As `make_decoder`."""
    with refusing(side.format):
        return NativeDecoder(_native.JsonDecoder(side.type, paths))


def encoder(side: Side, schema_id: int | None) -> Encoder:
    """As `make_encoder`."""
    with refusing(side.format):
        return NativeEncoder(_native.JsonEncoder(side.type))
