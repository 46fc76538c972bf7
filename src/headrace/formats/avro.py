"""Avro in the framing of a schema registry: a zero byte, the id of the writer's schema, the value.

Each record is read with the schema of its writer, fetched from the registry by id, and resolved to the schema of the side.
A schema that the registry does not know, or that cannot be read with the side's, makes the records of that writer errors and
leaves all others alone; it is asked for again after a while, for it may have been registered by then.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from headrace import _native
from headrace.errors import Diagnostic, ProgramError
from headrace.errors.codes.format import NO_REGISTRY
from headrace.formats.errors import UnknownSchemaError
from headrace.formats.native import NativeEncoder, decoded, refusing
from headrace.types.avro import arrow_to_avro

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

    from headrace.formats.interface import Decoded, Decoder, Encoder, Path, Registry, Side

REFUSAL_SECONDS: Final = 30.0
"""How long a schema that could not be had is not asked for again: bad records must not become a flood of requests."""


def decoder(side: Side, paths: Sequence[Path], registry: Registry | None) -> Decoder:
    """As `make_decoder`."""
    if registry is None:
        message = "AVRO needs a schema registry"
        help = "name one with `--registry` or HEADRACE_SCHEMA_REGISTRY"
        raise ProgramError((Diagnostic(NO_REGISTRY, message, help=help),))
    with refusing(side.format):
        return AvroDecoder(_native.AvroDecoder(_schema(side), side.type, paths), registry)


def encoder(side: Side, schema_id: int | None) -> Encoder:
    """As `make_encoder`."""
    if schema_id is None:
        message = "AVRO is written with the id under which its schema is registered"
        raise ProgramError((Diagnostic(NO_REGISTRY, message),))
    with refusing(side.format):
        return NativeEncoder(_native.AvroEncoder(_schema(side), schema_id, side.type))


class AvroDecoder:
    """Decodes with the schemas of the writers, which it fetches as it meets them."""

    def __init__(
        self,
        native: _native.AvroDecoder,
        registry: Registry,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._native = native
        self._registry = registry
        self._clock = clock
        self._refused: dict[int, tuple[str, float]] = {}

    def decode(self, data: pa.BinaryArray) -> Decoded:
        """Decode n values; raises RegistryUnavailableError if a schema cannot be fetched now."""
        refused = {id: self._add(id) for id in self._native.unknown(data)}
        reasons = {id: reason for id, reason in refused.items() if reason is not None}
        return decoded(*self._native.decode(data, reasons))

    def _add(self, id: int) -> str | None:
        """Fetch the schema of a writer, or say why it cannot be used."""
        now = self._clock()
        reason, until = self._refused.get(id, ("", now))
        if now < until:
            return reason
        self._refused.pop(id, None)
        try:
            self._native.add_writer(id, self._registry.schema(id))
        except UnknownSchemaError:
            reason = "the registry does not know it"
        except ValueError as error:
            reason = str(error)
        else:
            return None
        if len(self._refused) >= _MOST_REFUSALS:
            self._refused.clear()
        self._refused[id] = (reason, now + REFUSAL_SECONDS)
        return reason


_MOST_REFUSALS: Final = 10_000


def _schema(side: Side) -> str:
    """Give the schema of a side; one is made from the type if it was declared by its type alone."""
    return side.schema or arrow_to_avro(side.type, "record")
