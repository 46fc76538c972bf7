"""The rules of compatibility, for each language of schemas."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from headrace.errors import ProgramError
from headrace.formats.registry.compatibility import Compatibility, obstacles
from headrace.formats.registry.kinds import SchemaKind, kind_of
from headrace.formats.registry.messages import unread_messages
from headrace.formats.registry.protobuf import parse_protobuf
from headrace.formats.registry.schema import SchemaSyntaxError, canonical
from headrace.types.coercion import fits
from headrace.types.json_schema import DRAFT, json_schema_to_arrow
from headrace.types.shape import field_named, fields
from headrace.types.sql import type_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa


def canonical_of(kind: SchemaKind, text: str) -> str:
    """Give the text in the form under which it is kept: schemas that differ in white space alone have one id.

    Raises:
        SchemaSyntaxError: it is no schema of this language.
    """
    if kind is SchemaKind.AVRO:
        return canonical(text)
    if kind is SchemaKind.PROTOBUF:
        parse_protobuf(text).root()
        return text.strip()
    try:
        tree = json.loads(text)
        json_schema_to_arrow(text)
    except (ValueError, RecursionError) as error:
        message = "the schema is no JSON text"
        raise SchemaSyntaxError(message) from error
    except ProgramError as error:
        raise SchemaSyntaxError(error.diagnostics[0].message) from error
    if isinstance(tree, dict):
        tree = {"$schema": DRAFT, **tree}
    return json.dumps(tree, separators=(",", ":"), ensure_ascii=False)


def reasons_against(
    kind: SchemaKind, level: Compatibility, schema: str, versions: Sequence[str]
) -> list[str]:
    """Give the reasons why a schema cannot follow others (oldest first); empty if it can.

    Raises:
        SchemaSyntaxError: one of them is no schema of this language.
    """
    if kind is SchemaKind.AVRO:
        return obstacles(level, schema, versions)
    unread = _unread_messages if kind is SchemaKind.PROTOBUF else _unread_values
    # What is no schema is found even where nothing is compared.
    unread(schema, schema, "")
    if level is Compatibility.NONE:
        return []
    way, _, transitive = level.partition("_")
    reasons: list[str] = []
    for text in reversed(versions) if transitive else versions[-1:]:
        if kind_of(text) is not kind:
            reasons.append(f"the registered schema is no {kind.spoken} schema")
            continue
        if way in ("BACKWARD", "FULL"):
            reasons += unread(schema, text, "the new schema cannot read the registered one")
        if way in ("FORWARD", "FULL"):
            reasons += unread(text, schema, "the registered schema cannot read the new one")
    return list(dict.fromkeys(reasons))


def _unread_messages(reader: str, writer: str, who: str) -> list[str]:
    found = unread_messages(parse_protobuf(reader), parse_protobuf(writer))
    return [f"{who}: {reason}" for reason in found]


def _unread_values(reader: str, writer: str, who: str) -> list[str]:
    return _unread(_type(reader), _type(writer), who, "")


def _type(text: str) -> pa.DataType:
    try:
        return json_schema_to_arrow(text)
    except ProgramError as error:
        raise SchemaSyntaxError(error.diagnostics[0].message) from error


def _unread(reader: pa.DataType, writer: pa.DataType, who: str, path: str) -> list[str]:
    """Give what stands in the way of reading JSON of one type as another."""
    place = f"at `{path}`" if path else "at the top"
    if not fields(reader) or not fields(writer):
        if fits(writer, reader):
            return []
        return [f"{who}: {place} {type_name(writer)} cannot be read as {type_name(reader)}"]
    reasons: list[str] = []
    for field in fields(reader):
        below = f"{path}.{field.name}" if path else field.name
        written = field_named(writer, field.name)
        if written is not None:
            reasons += _unread(field.type, written.type, who, below)
            if written.nullable and not field.nullable:
                reasons.append(f"{who}: at `{below}` the field may be absent from the data, and is required")
        elif not field.nullable:
            reasons.append(f"{who}: at `{below}` the field is absent from the data, and is required")
    return reasons
