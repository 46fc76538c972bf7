"""Formats whose schemas are in a registry: from the text of a schema to a type, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from headrace.formats.interface import Format, Side
from headrace.formats.registry.kinds import SchemaKind
from headrace.types.avro import arrow_to_avro, avro_to_arrow
from headrace.types.json_schema import arrow_to_json_schema, json_schema_to_arrow

if TYPE_CHECKING:
    import pyarrow as pa

KINDS: Final = {Format.AVRO: SchemaKind.AVRO, Format.JSON_SR: SchemaKind.JSON}
"""The language of the schemas of a format."""

FORMATS: Final = {kind: form for form, kind in KINDS.items()}


def registered_side(kind: SchemaKind, text: str) -> Side:
    """Give the side of a topic whose latest schema is this.

    Raises:
        ProgramError: the schema cannot be used, or its language is not known.
    """
    form = FORMATS[kind]
    return Side(form, schema_type(form, text), text)


def schema_type(form: Format, text: str) -> pa.DataType:
    """Give the type of a schema. Raises ProgramError if it cannot be used."""
    return avro_to_arrow(text) if form is Format.AVRO else json_schema_to_arrow(text)


def schema_text(form: Format, kind: pa.DataType, name: str, namespace: str) -> str:
    """Give the schema under which values of a type are written. Raises ProgramError if the format cannot hold it."""
    if form is Format.AVRO:
        return arrow_to_avro(kind, name, namespace)
    return arrow_to_json_schema(kind, f"{namespace}.{name}")
