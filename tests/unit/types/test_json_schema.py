"""JSON Schemas as types, and types as JSON Schemas."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest

from headrace.errors import ProgramError
from headrace.types.json_schema import arrow_to_json_schema, json_schema_to_arrow

TIMESTAMP = pa.timestamp("ms", tz="UTC")


@pytest.mark.parametrize(
    ("tree", "kind"),
    [
        ({"type": "integer"}, pa.int64()),
        ({"type": "integer", "connect.type": "int32"}, pa.int32()),
        ({"type": "number"}, pa.float64()),
        ({"type": "number", "connect.type": "float32"}, pa.float32()),
        ({"type": "string"}, pa.string()),
        ({"type": "string", "connect.type": "bytes"}, pa.binary()),
        ({"type": "number", "headrace.type": "decimal(12,2)"}, pa.decimal128(12, 2)),
        ({"type": ["null", "integer"], "headrace.type": "decimal(20,0)"}, pa.decimal128(20, 0)),
        ({"type": "number", "headrace.type": "decimal(39,2)"}, pa.float64()),
        ({"type": "number", "headrace.type": "decimal(2,3)"}, pa.float64()),
        ({"type": "integer", "headrace.type": 5}, pa.int64()),
        ({"type": "string", "headrace.type": "decimal(12,2)"}, pa.string()),
        ({"type": "boolean"}, pa.bool_()),
        ({"type": "integer", "title": "org.apache.kafka.connect.data.Timestamp"}, TIMESTAMP),
        ({"enum": ["a", "b", None]}, pa.string()),
        ({"enum": [1, 2]}, pa.int64()),
        ({"enum": [1, "a"]}, pa.string()),
        ({"type": ["null", "integer"]}, pa.int64()),
        ({"anyOf": [{"type": "integer"}, {"type": "number"}]}, pa.float64()),
        ({"oneOf": [{"type": "string"}, {"type": "integer"}]}, pa.string()),
        ({"allOf": [{"type": "integer"}]}, pa.int64()),
        ({"type": "array", "items": {"type": "string"}}, pa.list_(pa.string())),
        ({"type": "array"}, pa.list_(pa.string())),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, pa.map_(pa.string(), pa.int64())),
        ({"type": "object"}, pa.string()),
        ({}, pa.string()),
        (True, pa.string()),
        (
            {
                "type": "object",
                "properties": {"a": {"type": "integer"}, "b": {"type": "string"}},
                "required": ["a"],
            },
            pa.struct([pa.field("a", pa.int64(), nullable=False), pa.field("b", pa.string())]),
        ),
        (
            {
                "properties": {"x": {"$ref": "#/$defs/p~1q"}, "y": {"$ref": "#/$defs/p~1q"}},
                "required": ["x"],
                "$defs": {"p/q": {"type": "boolean"}},
            },
            pa.struct([pa.field("x", pa.bool_(), nullable=False), pa.field("y", pa.bool_())]),
        ),
        (
            {"type": "object", "properties": {"a": {"type": ["null", "integer"]}}, "required": ["a"]},
            pa.struct([pa.field("a", pa.int64())]),
        ),
    ],
)
def test_a_schema_has_a_type(tree: Any, kind: pa.DataType) -> None:
    assert json_schema_to_arrow(json.dumps(tree)) == kind


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "[]",
        '{"$ref": "#"}',
        '{"$ref": "#/definitions/none"}',
        '{"$ref": "http://elsewhere/schema"}',
        '{"properties": {"next": {"$ref": "#"}}}',
    ],
)
def test_what_cannot_be_used_is_refused(text: str) -> None:
    with pytest.raises(ProgramError):
        json_schema_to_arrow(text)


@pytest.mark.parametrize(
    "kind",
    [
        pa.int32(),
        pa.int64(),
        pa.float32(),
        pa.float64(),
        pa.bool_(),
        pa.string(),
        pa.binary(),
        TIMESTAMP,
        pa.date32(),
        pa.time32("ms"),
        pa.list_(pa.struct([pa.field("x", pa.int32())])),
        pa.map_(pa.string(), pa.float64()),
        pa.decimal128(20, 0),
        pa.list_(pa.decimal128(38, 18)),
        pa.struct(
            [pa.field("price", pa.decimal128(12, 2)), pa.field("n", pa.decimal128(5, 5), nullable=False)]
        ),
        pa.struct([pa.field("a", pa.int64(), nullable=False), pa.field("b", pa.list_(pa.string()))]),
    ],
    ids=str,
)
def test_what_is_written_is_read_as_the_same_type(kind: pa.DataType) -> None:
    assert json_schema_to_arrow(arrow_to_json_schema(kind, "name")) == kind


def test_a_type_without_a_form_in_json_is_refused() -> None:
    with pytest.raises(ProgramError, match="has no form in a JSON Schema"):
        arrow_to_json_schema(pa.duration("s"), "name")
