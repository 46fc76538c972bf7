"""Avro in the framing of a schema registry: a zero byte, the id of the writer's schema, the value.

Each record is read with the schema of its writer, fetched from the registry by id, and resolved to the schema of the side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace import _native
from headrace.errors import Diagnostic, ProgramError
from headrace.errors.codes.format import NO_REGISTRY
from headrace.formats.native import NativeEncoder, refusing
from headrace.formats.writers import WritersDecoder
from headrace.types.avro import arrow_to_avro

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.formats.interface import Decoder, Encoder, Path, Registry, Side


def decoder(side: Side, paths: Sequence[Path], registry: Registry | None) -> Decoder:
    """As `make_decoder`."""
    if registry is None:
        message = "AVRO needs a schema registry"
        help = "name one with `--registry` or HEADRACE_SCHEMA_REGISTRY"
        raise ProgramError((Diagnostic(NO_REGISTRY, message, help=help),))
    with refusing(side.format):
        return WritersDecoder(_native.AvroDecoder(_schema(side), side.type, paths), registry)


def encoder(side: Side, schema_id: int | None) -> Encoder:
    """As `make_encoder`."""
    if schema_id is None:
        message = "AVRO is written with the id under which its schema is registered"
        raise ProgramError((Diagnostic(NO_REGISTRY, message),))
    with refusing(side.format):
        return NativeEncoder(_native.AvroEncoder(_schema(side), schema_id, side.type))


def _schema(side: Side) -> str:
    """Give the schema of a side; one is made from the type if it was declared by its type alone."""
    return side.schema or arrow_to_avro(side.type, "record")
