"""The fields of a schema as a list: for people, and for comparing two versions."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headrace.errors import ProgramError
from headrace.formats.registry.kinds import SchemaKind
from headrace.formats.registry.protobuf import parse_protobuf
from headrace.formats.registry.schema import ParsedSchema, SchemaSyntaxError
from headrace.types.avro import avro_to_arrow
from headrace.types.json_schema import json_schema_to_arrow
from headrace.types.shape import field_named, fields
from headrace.types.sql import type_name

if TYPE_CHECKING:
    import pyarrow as pa

    from headrace.formats.registry.protobuf import ProtobufSchema
    from headrace.formats.registry.schema import Schema


@dataclass(frozen=True, slots=True)
class SchemaField:
    """A field of a schema. `name` is its path from the top; the whole value, where it is no record, is called `_`."""

    name: str
    type: str
    nullable: bool
    default: str | None
    doc: str | None


def schema_fields(text: str, kind: SchemaKind = SchemaKind.AVRO) -> list[SchemaField]:
    """Give the fields of a schema in order, those of records inside records after them, with their paths.

    Raises:
        SchemaSyntaxError: the text is no schema of this language.
    """
    try:
        if kind is SchemaKind.PROTOBUF:
            return _message_fields(parse_protobuf(text))
        return _json_fields(text) if kind is SchemaKind.JSON else _avro_fields(text)
    except ProgramError as error:
        raise SchemaSyntaxError(error.diagnostics[0].message) from error


def _avro_fields(text: str) -> list[SchemaField]:
    parsed = ParsedSchema(text)
    kind = avro_to_arrow(text)
    root = parsed.follow(parsed.root)
    if not isinstance(root, dict) or "fields" not in root:
        doc = root.get("doc") if isinstance(root, dict) else None
        return [SchemaField("_", type_name(kind), isinstance(root, list), None, doc)]
    found: list[SchemaField] = []
    _walk(parsed, root, kind, "", found)
    return found


def _json_fields(text: str) -> list[SchemaField]:
    kind = json_schema_to_arrow(text)
    tree = json.loads(text)
    if not fields(kind):
        doc = tree.get("description") if isinstance(tree, dict) else None
        return [SchemaField("_", type_name(kind), nullable=False, default=None, doc=doc)]
    found: list[SchemaField] = []
    _walk_json(tree, kind, "", found)
    return found


def _walk_json(tree: object, kind: pa.DataType, before: str, found: list[SchemaField]) -> None:
    for field in fields(kind):
        place = _member(tree, "properties", field.name)
        default = json.dumps(place["default"], ensure_ascii=False) if "default" in place else None
        record = bool(fields(field.type))
        shown = "record" if record else type_name(field.type)
        name = f"{before}{field.name}"
        found.append(SchemaField(name, shown, field.nullable, default, place.get("description")))
        if record:
            branches = [place, *place.get("oneOf", ()), *place.get("anyOf", ())]
            inner = next((one for one in branches if isinstance(one, dict) and "properties" in one), place)
            _walk_json(inner, field.type, f"{name}.", found)


def _member(tree: object, *names: str) -> dict[str, Any]:
    for name in names:
        tree = tree.get(name) if isinstance(tree, dict) else None
    return tree if isinstance(tree, dict) else {}


def _message_fields(schema: ProtobufSchema) -> list[SchemaField]:
    found: list[SchemaField] = []
    _walk_message(schema, schema.root(), "", (), found)
    return found


def _walk_message(
    schema: ProtobufSchema, message: str, before: str, open: tuple[str, ...], found: list[SchemaField]
) -> None:
    for field in schema.messages[message].fields:
        word = f"map<{field.key}, {field.kind}>" if field.label == "map" else field.kind
        word = f"repeated {word}" if field.label == "repeated" else word
        nullable = field.label == "optional"
        name = f"{before}{field.name}"
        # The number is what a field is known by.
        found.append(SchemaField(name, f"{word} = {field.number}", nullable, field.default, field.doc))
        if field.is_message and field.kind not in open and field.kind in schema.messages:
            _walk_message(schema, field.kind, f"{name}.", (*open, message), found)


def _walk(
    parsed: ParsedSchema, record: Schema, kind: pa.DataType, before: str, found: list[SchemaField]
) -> None:
    assert isinstance(record, dict)
    for field in record["fields"]:
        name = f"{before}{field['name']}"
        below = field_named(kind, field["name"])
        assert below is not None
        default = json.dumps(field["default"], ensure_ascii=False) if "default" in field else None
        inner = _record_in(parsed, field["type"])
        shown = "record" if inner is not None else type_name(below.type)
        found.append(SchemaField(name, shown, below.nullable, default, field.get("doc")))
        if inner is not None:
            _walk(parsed, inner, below.type, f"{name}.", found)


def _record_in(parsed: ParsedSchema, schema: Schema) -> Schema | None:
    """Give the record that a field holds, through a union with null; None if it holds something else."""
    schema = parsed.follow(schema)
    if isinstance(schema, list):
        others = [branch for branch in schema if parsed.follow(branch) != {"type": "null"}]
        return _record_in(parsed, others[0]) if len(others) == 1 else None
    return schema if schema["type"] in ("record", "error") else None


def differences(old: str, new: str, kind: SchemaKind = SchemaKind.AVRO) -> list[tuple[str, str, str, str]]:
    """Give what differs: field, what happened, what it was, what it is.

    Raises:
        SchemaSyntaxError: one of them is no schema of this language.
    """
    before = {field.name: field for field in schema_fields(old, kind)}
    after = {field.name: field for field in schema_fields(new, kind)}
    found = [(name, "removed", _words(field), "") for name, field in before.items() if name not in after]
    for name, field in after.items():
        was = before.get(name)
        if was is None:
            found.append((name, "added", "", _words(field)))
        elif _words(was) != _words(field):
            found.append((name, "changed", _words(was), _words(field)))
        elif was.doc != field.doc:
            found.append((name, "documented", was.doc or "", field.doc or ""))
    return found


def _words(field: SchemaField) -> str:
    text = field.type if field.nullable else f"{field.type} NOT NULL"
    return text if field.default is None else f"{text} DEFAULT {field.default}"
