"""Schemas that refer to others become one text."""

from __future__ import annotations

import json

import pyarrow as pa

from headrace.formats.registered import registered_side
from headrace.formats.registry.kinds import SchemaKind
from headrace.formats.registry.references import whole
from headrace.types.avro import avro_to_arrow


def test_an_avro_type_is_defined_where_it_is_used_first() -> None:
    text = json.dumps(
        {
            "type": "record",
            "name": "Order",
            "namespace": "shop",
            "fields": [
                {"name": "first", "type": "Item"},
                {"name": "rest", "type": {"type": "array", "items": "shop.Item"}},
                {"name": "plain", "type": ["null", "Plain"]},
            ],
        }
    )
    item = {"type": "record", "name": "shop.Item", "fields": [{"name": "unit", "type": "Unit"}]}
    unit = {"type": "enum", "name": "Unit", "namespace": "shop", "symbols": ["KG"]}
    plain = {"type": "fixed", "name": "Plain", "size": 4}
    others = {"a": json.dumps(plain), "b": json.dumps(item), "c": json.dumps(unit)}
    record = pa.struct([("unit", pa.field("unit", pa.string(), nullable=False).type)])
    found = avro_to_arrow(whole(SchemaKind.AVRO, text, others))
    assert found.field(0).type.field(0).type == pa.string()
    assert found.field(1).type.value_type.field(0).name == record.field(0).name
    assert found.field(2).type == pa.binary()


def test_a_part_of_a_referenced_avro_type_can_be_named_alone() -> None:
    outer = {
        "type": "record",
        "name": "Outer",
        "fields": [{"name": "x", "type": {"type": "enum", "name": "E", "symbols": ["A"]}}],
    }
    text = {
        "type": "record",
        "name": "Main",
        "fields": [{"name": "e", "type": "E"}, {"name": "o", "type": "Outer"}],
    }
    found = avro_to_arrow(whole(SchemaKind.AVRO, json.dumps(text), {"outer": json.dumps(outer)}))
    assert found.field(0).type == pa.string()
    assert found.field(1).type.field(0).type == pa.string()


def test_json_documents_stand_under_definitions() -> None:
    text = {
        "$id": "http://shop/order.json",
        "type": "object",
        "properties": {
            "item": {"$ref": "item.json"},
            "unit": {"$ref": "http://shop/unit.json#/definitions/unit"},
            "own": {"$ref": "#/definitions/own"},
        },
        "definitions": {"own": {"type": "boolean"}},
    }
    item = {
        "type": "object",
        "properties": {"amount": {"$ref": "#/definitions/n"}},
        "definitions": {"n": {"type": "number"}},
    }
    unit = {"definitions": {"unit": {"type": "string"}}}
    others = {"http://shop/item.json": json.dumps(item), "http://shop/unit.json": json.dumps(unit)}
    found = registered_side(SchemaKind.JSON, whole(SchemaKind.JSON, json.dumps(text), others)).type
    assert found == pa.struct(
        [("item", pa.struct([("amount", pa.float64())])), ("unit", pa.string()), ("own", pa.bool_())]
    )


def test_protobuf_files_are_imported_from_the_text() -> None:
    text = 'syntax = "proto3"; import "a.proto"; message M { A a = 1; }'
    others = {
        "a.proto": 'syntax = "proto3"; import "b.proto"; message A { B b = 1; }',
        "b.proto": 'syntax = "proto3"; message B { int32 x = 1; }',
    }
    found = registered_side(SchemaKind.PROTOBUF, whole(SchemaKind.PROTOBUF, text, others)).type
    assert found.field(0).type.field(0).type.field(0).type == pa.int32()


def test_a_schema_without_references_stays_as_it_is() -> None:
    assert whole(SchemaKind.AVRO, ' "string" ', {}) == ' "string" '
