"""What a schema holds, as a list, and what differs between two."""

from __future__ import annotations

import json

import pytest

from headrace.formats.registry.fields import SchemaField, differences, schema_fields
from headrace.formats.registry.kinds import SchemaKind
from headrace.formats.registry.schema import SchemaSyntaxError

ORDER = json.dumps(
    {
        "type": "record",
        "name": "order",
        "fields": [
            {"name": "id", "type": "long", "doc": "of the order"},
            {"name": "note", "type": ["null", "string"], "default": None},
            {
                "name": "customer",
                "type": [
                    "null",
                    {"type": "record", "name": "customer", "fields": [{"name": "country", "type": "string"}]},
                ],
            },
            {"name": "prices", "type": {"type": "array", "items": "double"}},
        ],
    }
)


def test_fields_come_with_their_paths() -> None:
    assert schema_fields(ORDER) == [
        SchemaField("id", "long", False, None, "of the order"),
        SchemaField("note", "string", True, "null", None),
        SchemaField("customer", "record", True, None, None),
        SchemaField("customer.country", "string", False, None, None),
        SchemaField("prices", "double[]", False, None, None),
    ]


def test_a_value_that_is_no_record_is_one_field() -> None:
    assert schema_fields('"string"') == [SchemaField("_", "string", False, None, None)]
    assert schema_fields('["null", "int"]') == [SchemaField("_", "int", True, None, None)]


def test_differences_are_told_field_by_field() -> None:
    other = json.loads(ORDER)
    other["fields"][0]["doc"] = "number of the order"
    other["fields"][1:3] = [{"name": "paid", "type": "boolean", "default": False}]
    other["fields"][2]["type"]["items"] = "float"
    assert differences(ORDER, json.dumps(other)) == [
        ("note", "removed", "string DEFAULT null", ""),
        ("customer", "removed", "record", ""),
        ("customer.country", "removed", "string NOT NULL", ""),
        ("id", "documented", "of the order", "number of the order"),
        ("paid", "added", "", "boolean NOT NULL DEFAULT false"),
        ("prices", "changed", "double[] NOT NULL", "float[] NOT NULL"),
    ]
    assert differences(ORDER, ORDER) == []


def test_a_text_that_is_no_schema_is_refused() -> None:
    with pytest.raises(SchemaSyntaxError):
        schema_fields('{"type": "recrd"}')


def test_fields_of_a_message_say_their_numbers() -> None:
    item = "message Item { optional string name = 3; }"
    old = f'syntax = "proto3"; message Order {{\n// of the order\nint64 id = 1; repeated Item items = 2; {item} }}'
    new = old.replace("optional string name = 3;", "string name = 4;")
    assert schema_fields(old, SchemaKind.PROTOBUF) == [
        SchemaField("id", "int64 = 1", False, None, "of the order"),
        SchemaField("items", "repeated Order.Item = 2", False, None, None),
        SchemaField("items.name", "string = 3", True, None, None),
    ]
    assert differences(old, new, SchemaKind.PROTOBUF) == [
        ("items.name", "changed", "string = 3", "string = 4 NOT NULL")
    ]


def test_fields_of_a_json_schema_come_with_what_describes_them() -> None:
    customer = {"type": "object", "properties": {"country": {"type": "string", "description": "two letters"}}}
    schema = {
        "type": "object",
        "properties": {
            "id": {"type": "integer", "default": 0},
            "customer": {"oneOf": [{"type": "null"}, customer]},
        },
        "required": ["id"],
    }
    assert schema_fields(json.dumps(schema), SchemaKind.JSON) == [
        SchemaField("id", "long", False, "0", None),
        SchemaField("customer", "record", True, None, None),
        SchemaField("customer.country", "string", True, None, "two letters"),
    ]


@pytest.mark.parametrize("kind", SchemaKind)
def test_what_is_no_schema_is_said_to_be_none(kind: SchemaKind) -> None:
    with pytest.raises(SchemaSyntaxError):
        schema_fields("{", kind)
