"""Formats whose schemas are in a registry: from the text of a schema to a type, and back."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from headrace.errors import Diagnostic, ProgramError
from headrace.errors.codes.format import BAD_SCHEMA
from headrace.formats.interface import CHANGE_RECORDS, Format, Side
from headrace.formats.protobuf import MESSAGE
from headrace.formats.registry.kinds import SchemaKind
from headrace.formats.registry.protobuf import ProtobufSchema, parse_protobuf
from headrace.formats.registry.schema import SchemaSyntaxError
from headrace.types.avro import arrow_to_avro, avro_to_arrow
from headrace.types.change_records import row_of
from headrace.types.json_schema import arrow_to_json_schema, json_schema_to_arrow
from headrace.types.protobuf import arrow_to_protobuf

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pyarrow as pa

KINDS: Final = {
    Format.AVRO: SchemaKind.AVRO,
    Format.JSON_SR: SchemaKind.JSON,
    Format.PROTOBUF: SchemaKind.PROTOBUF,
    Format.DEBEZIUM_AVRO: SchemaKind.AVRO,
}
"""The language of the schemas of a format."""

FORMATS: Final = {kind: form for form, kind in KINDS.items() if form not in CHANGE_RECORDS}
"""The format of the values under a schema of each language; that they are change records only the program can say."""

_HEADER: Final = 5
"""Bytes of the framing: zero, and the id of the schema."""
_MAX_INDEXES: Final = 64


def registered_side(kind: SchemaKind, text: str, records: Iterable[bytes] = ()) -> Side:
    """Give the side of a topic whose latest schema is this.

    Args:
        kind: the language of the schema.
        text: of the schema.
        records: some of the topic; they tell which of several messages of a Protobuf schema it holds.

    Raises:
        ProgramError: the schema cannot be used, or its language is not known.
    """
    form = FORMATS[kind]
    if form is not Format.PROTOBUF:
        return Side(form, schema_type(form, text), text)
    schema = _protobuf(text)
    root = _root(schema)
    message = next((name for name in (schema.at(_indexes(item)) for item in records) if name), root)
    properties = {} if message == root else {MESSAGE: message}
    return Side(form, schema.type(message), text, properties)


def asked_for(side: Side, form: Format | None) -> Side | None:
    """Give a side under the format that the program says; None if it is another."""
    if form in (None, side.format):
        return side
    if form is Format.DEBEZIUM_AVRO and side.format is Format.AVRO:
        if row_of(side.type) is None:
            message = (
                "the registered schema is not one of change records: it has no record `after`, or no `op`"
            )
            raise ProgramError((Diagnostic(BAD_SCHEMA, message),))
        return replace(side, format=form)
    return None


def has_choice(kind: SchemaKind, text: str) -> bool:
    """Say whether records have to be looked at to know what they hold: a Protobuf schema may have several messages."""
    return (
        kind is SchemaKind.PROTOBUF
        and sum(bool(item.indexes) for item in _protobuf(text).messages.values()) > 1
    )


def schema_type(form: Format, text: str) -> pa.DataType:
    """Give the type of a schema. Raises ProgramError if it cannot be used."""
    if form is Format.PROTOBUF:
        schema = _protobuf(text)
        return schema.type(_root(schema))
    return json_schema_to_arrow(text) if form is Format.JSON_SR else avro_to_arrow(text)


def schema_text(form: Format, kind: pa.DataType, name: str, namespace: str, before: str | None = None) -> str:
    """Give the schema under which values of a type are written. Raises ProgramError if the format cannot hold it.

    Args:
        form: one of `KINDS`.
        kind: the type.
        name: of the record.
        namespace: of the record.
        before: the latest schema of the same form, which the new one is to follow.
    """
    if form in (Format.AVRO, Format.DEBEZIUM_AVRO):
        return arrow_to_avro(kind, name, namespace)
    if form is Format.JSON_SR:
        return arrow_to_json_schema(kind, f"{namespace}.{name}")
    if before is None:
        return arrow_to_protobuf(kind, name, namespace)
    schema = _protobuf(before)
    return arrow_to_protobuf(kind, name, namespace, schema.numbering(_root(schema)))


def schema_name(form: Format, text: str) -> tuple[str | None, str | None]:
    """Give name and namespace of the record of a schema, as far as it has them."""
    if form is Format.PROTOBUF:
        schema = _protobuf(text)
        return _root(schema).removeprefix(f"{schema.package}."), schema.package
    tree = json.loads(text)
    if not isinstance(tree, dict):
        return None, None
    return tree.get("name"), tree.get("namespace")


def _protobuf(text: str) -> ProtobufSchema:
    try:
        return parse_protobuf(text)
    except SchemaSyntaxError as error:
        raise ProgramError((Diagnostic(BAD_SCHEMA, f"the schema cannot be used: {error}"),)) from None


def _root(schema: ProtobufSchema) -> str:
    try:
        return schema.root()
    except SchemaSyntaxError as error:
        raise ProgramError((Diagnostic(BAD_SCHEMA, str(error)),)) from None


def _indexes(record: bytes) -> tuple[int, ...]:
    """Give the indexes of the message that a record is; a first message has none but 0."""
    numbers = _zigzags(record[_HEADER:])
    count = next(numbers, 0)
    if not 0 < count <= _MAX_INDEXES:
        return (0,) if count == 0 else ()
    return tuple(number for number, _ in zip(numbers, range(count), strict=False))


def _zigzags(data: bytes) -> Iterator[int]:
    value = shift = 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            yield (value >> 1) ^ -(value & 1)
            value = shift = 0
