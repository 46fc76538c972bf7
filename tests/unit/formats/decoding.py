"""Short ways to run a codec in a test."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from headrace.formats import make_decoder, make_encoder
from headrace.formats.interface import Format, Side
from headrace.formats.registry.kinds import SchemaKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headrace.formats.interface import Decoded, Encoded, Path, Registry
    from headrace.formats.registry.compatibility import Compatibility

EXAMPLES = int(os.environ.get("HEADRACE_FUZZ_EXAMPLES", "0"))
"""More examples for the property tests than the few hundred of an ordinary run; 0 keeps their own number."""


def examples(ordinary: int) -> int:
    """How many examples a property test tries."""
    return EXAMPLES or ordinary


class Schemas:
    """A registry with fixed schemas that counts what it is asked."""

    def __init__(self, schemas: Mapping[int, str]) -> None:
        self.schemas = dict(schemas)
        self.asked: list[int] = []

    def schema(self, schema_id: int) -> str:
        from headrace.errors import Diagnostic
        from headrace.errors.codes.format import UNKNOWN_SCHEMA
        from headrace.formats.errors import UnknownSchemaError

        self.asked.append(schema_id)
        if schema_id not in self.schemas:
            raise UnknownSchemaError((Diagnostic(UNKNOWN_SCHEMA, "no such schema"),))
        return self.schemas[schema_id]

    def latest(self, subject: str) -> tuple[int, str] | None:
        raise NotImplementedError(subject)

    def kind(self, schema_id: int) -> SchemaKind:
        raise NotImplementedError(schema_id)

    def versions(self, subject: str) -> Sequence[tuple[int, str]]:
        raise NotImplementedError(subject)

    def level(self, subject: str) -> Compatibility:
        raise NotImplementedError(subject)

    def check(self, subject: str, schema: str, kind: SchemaKind = SchemaKind.AVRO) -> Sequence[str]:
        raise NotImplementedError(subject, schema, kind)

    def register(self, subject: str, schema: str, kind: SchemaKind = SchemaKind.AVRO) -> int:
        raise NotImplementedError(subject, schema, kind)

    def subjects(self) -> list[str]:
        raise NotImplementedError

    def close(self) -> None:
        """Hold nothing."""


def binary(values: Sequence[bytes | str | None]) -> pa.BinaryArray:
    return pa.array([v.encode() if isinstance(v, str) else v for v in values], pa.binary())


def decode(
    side: Side,
    values: Sequence[bytes | str | None],
    paths: Sequence[Path] = ((),),
    registry: Registry | None = None,
) -> Decoded:
    return make_decoder(side, paths, registry).decode(binary(values))


def decode_json(type: pa.DataType, *values: bytes | str | None) -> tuple[list[Any], dict[int, str]]:
    """Decode whole JSON values: what came out, and the reasons by row."""
    found = decode(Side(Format.JSON, type), values)
    found.columns[0].validate(full=True)
    return found.columns[0].to_pylist(), {error.row: error.reason for error in found.errors}


def encode(side: Side, values: Sequence[Any] | pa.Array[Any], schema_id: int | None = None) -> Encoded:
    array = values if isinstance(values, pa.Array) else pa.array(values, side.type)
    return make_encoder(side, schema_id).encode(array)
