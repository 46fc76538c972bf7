"""The fields of an Avro schema as a list: for people, and for comparing two versions."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headrace.formats.registry.schema import ParsedSchema
from headrace.types.avro import avro_to_arrow
from headrace.types.shape import field_named
from headrace.types.sql import type_name

if TYPE_CHECKING:
    import pyarrow as pa

    from headrace.formats.registry.schema import Schema


@dataclass(frozen=True, slots=True)
class SchemaField:
    """A field of a schema. `name` is its path from the top; the whole value, where it is no record, is called `_`."""

    name: str
    type: str
    nullable: bool
    default: str | None
    doc: str | None


def schema_fields(text: str) -> list[SchemaField]:
    """Give the fields of a schema in order, those of records inside records after them, with their paths.

    Raises:
        SchemaSyntaxError: the text is no Avro schema.
    """
    parsed = ParsedSchema(text)
    kind = avro_to_arrow(text)
    root = parsed.follow(parsed.root)
    if not isinstance(root, dict) or "fields" not in root:
        doc = root.get("doc") if isinstance(root, dict) else None
        return [SchemaField("_", type_name(kind), isinstance(root, list), None, doc)]
    found: list[SchemaField] = []
    _walk(parsed, root, kind, "", found)
    return found


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


def differences(old: str, new: str) -> list[tuple[str, str, str, str]]:
    """Give what differs: field, what happened, what it was, what it is.

    Raises:
        SchemaSyntaxError: one of them is no Avro schema.
    """
    before = {field.name: field for field in schema_fields(old)}
    after = {field.name: field for field in schema_fields(new)}
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
