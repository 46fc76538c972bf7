"""Protobuf in the framing of a schema registry: a zero byte, the id of the writer's schema, which of its messages, the message.

Fields are known by their numbers: all writers are read with the schema of the side, and the writer's schema is asked only which
message it is. Which one is read stands in the property `message`, by its full name; without it, it is the first message of the
schema that no other one has a field of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from headrace import _native
from headrace.errors import Diagnostic, ProgramError
from headrace.errors.codes.format import NO_REGISTRY, UNSUPPORTED_TYPE
from headrace.formats.native import NativeEncoder, refusing
from headrace.formats.registry.protobuf import parse_protobuf
from headrace.formats.registry.schema import SchemaSyntaxError
from headrace.formats.writers import WritersDecoder
from headrace.types.protobuf import arrow_to_protobuf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.formats.interface import Decoder, Encoder, Path, Registry, Side

MESSAGE: Final = "message"
"""Property of a side: the full name of its message."""


def decoder(side: Side, paths: Sequence[Path], registry: Registry | None) -> Decoder:
    """As `make_decoder`."""
    if registry is None:
        message = "PROTOBUF needs a schema registry"
        help = "name one with `--registry` or HEADRACE_SCHEMA_REGISTRY"
        raise ProgramError((Diagnostic(NO_REGISTRY, message, help=help),))
    schema, name = _message(side)
    with refusing(side.format):
        return WritersDecoder(_native.ProtobufDecoder(schema, name, side.type, paths), registry)


def encoder(side: Side, schema_id: int | None) -> Encoder:
    """As `make_encoder`."""
    if schema_id is None:
        message = "PROTOBUF is written with the id under which its schema is registered"
        raise ProgramError((Diagnostic(NO_REGISTRY, message),))
    schema, name = _message(side)
    with refusing(side.format):
        return NativeEncoder(_native.ProtobufEncoder(schema, name, schema_id, side.type))


def _message(side: Side) -> tuple[str, str]:
    """Give schema and message of a side; a schema is made from the type if it was declared by its type alone."""
    text = side.schema or arrow_to_protobuf(side.type, "record", "")
    named = side.properties.get(MESSAGE)
    if named is not None:
        return text, named
    try:
        return text, parse_protobuf(text).root()
    except SchemaSyntaxError as error:
        message = f"format {side.format} cannot be used here: {error}"
        raise ProgramError((Diagnostic(UNSUPPORTED_TYPE, message),)) from None
