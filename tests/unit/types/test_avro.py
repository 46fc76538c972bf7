from __future__ import annotations

import json
from typing import Any

import fastavro
import pyarrow as pa
import pytest

from headrace.errors import ProgramError
from headrace.types.avro import arrow_to_avro, avro_to_arrow


def field(name: str, type: Any) -> dict[str, Any]:
    return {"name": name, "type": type}


def record(*fields: Any, name: str = "R") -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": list(fields)}


@pytest.mark.parametrize(
    ("schema", "type"),
    [
        ("null", pa.null()),
        ("boolean", pa.bool_()),
        ("int", pa.int32()),
        ("long", pa.int64()),
        ("float", pa.float32()),
        ("double", pa.float64()),
        ("bytes", pa.binary()),
        ("string", pa.string()),
        ({"type": "string", "avro.java.string": "String"}, pa.string()),
        ({"type": {"type": "int"}}, pa.int32()),
        (["null", "int"], pa.int32()),
        (["int", {"type": "null"}], pa.int32()),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, pa.string()),
        ({"type": "fixed", "name": "F", "size": 3}, pa.binary()),
        ({"type": "fixed", "name": "F", "size": 12, "logicalType": "duration"}, pa.binary()),
        ({"type": "fixed", "name": "F", "size": 16, "logicalType": "uuid"}, pa.string()),
        ({"type": "string", "logicalType": "uuid"}, pa.string()),
        ({"type": "fixed", "name": "F", "size": 9, "logicalType": "decimal", "precision": 20, "scale": 4}, pa.decimal128(20, 4)),
        ({"type": "bytes", "logicalType": "decimal", "precision": 4}, pa.decimal128(4, 0)),
        ({"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 5}, pa.binary()),
        ({"type": "bytes", "logicalType": "decimal"}, pa.binary()),
        ({"type": "string", "logicalType": "date"}, pa.string()),
        ({"type": "int", "logicalType": "unheard-of"}, pa.int32()),
        ({"type": "int", "logicalType": "date"}, pa.date32()),
        ({"type": "int", "logicalType": "time-millis"}, pa.time32("ms")),
        ({"type": "long", "logicalType": "time-micros"}, pa.time64("us")),
        ({"type": "long", "logicalType": "timestamp-millis"}, pa.timestamp("ms", tz="UTC")),
        ({"type": "long", "logicalType": "timestamp-micros"}, pa.timestamp("us", tz="UTC")),
        ({"type": "long", "logicalType": "timestamp-nanos"}, pa.timestamp("ns", tz="UTC")),
        ({"type": "long", "logicalType": "local-timestamp-millis"}, pa.timestamp("ms")),
        ({"type": "array", "items": "int"}, pa.list_(pa.field("item", pa.int32(), nullable=False))),
        ({"type": "array", "items": ["null", "int"]}, pa.list_(pa.int32())),
        ({"type": "map", "values": ["null", "int"]}, pa.map_(pa.string(), pa.int32())),
        (
            record(field("a", "int"), field("b", ["null", record(field("c", "string"), name="N")]), field("d", ["null", "N"])),
            pa.struct(
                [
                    pa.field("a", pa.int32(), nullable=False),
                    pa.field("b", pa.struct([pa.field("c", pa.string(), nullable=False)])),
                    pa.field("d", pa.struct([pa.field("c", pa.string(), nullable=False)])),
                ]
            ),
        ),
        (
            record(field("u", ["int", "string"])),
            pa.struct([pa.field("u", pa.struct([("int", pa.int32()), ("string", pa.string())]), nullable=False)]),
        ),
        (
            [record(name="one.T"), record(name="two.T"), {"type": "array", "items": "int"}],
            pa.struct([("one.T", pa.struct([])), ("two.T", pa.struct([])), ("array",
             pa.list_(pa.field("item", pa.int32(), nullable=False)))]),
        ),
        (
            {"type": "record", "name": "R", "namespace": "s",
             "fields": [field("a", record(name="N")), field("b", "N"), field("c", "s.N")]},
            pa.struct([pa.field(name, pa.struct([]), nullable=False) for name in "abc"]),
        ),
    ],
)  # fmt: skip
def test_a_schema_has_a_type(schema: Any, type: pa.DataType) -> None:
    assert avro_to_arrow(json.dumps(schema)) == type


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (record(field("next", ["null", "R"])), "the schema is recursive: `R` contains itself"),
        (record(field("x", {"type": "array", "items": "R"})), "recursive"),
        (record(field("a", "Unknown")), "the schema has no type `Unknown`"),
        (record(field("a", "int"), field("a", "int")), "field `a` twice"),
        ([], "without branches"),
        (["null", ["int"]], "union directly in a union"),
        (5, "no type"),
        ({"name": "x"}, "no type"),
        ({"type": "record", "name": "R"}, "without fields"),
        ({"type": "enum", "symbols": []}, "without a name"),
        ({"type": "bytes", "logicalType": "decimal", "precision": 39}, "at most 38"),
    ],
)
def test_a_schema_that_cannot_be_is_refused(schema: Any, message: str) -> None:
    with pytest.raises(ProgramError, match="FMT0104") as error:
        avro_to_arrow(json.dumps(schema))
    assert message in str(error.value)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ProgramError, match="not JSON"):
        avro_to_arrow(text)


def test_a_schema_that_is_immense_when_names_are_followed_is_refused() -> None:
    fields = [field("a0", record(field("x", "int"), name="T0"))]
    for level in range(1, 30):
        inner = [field("l", f"T{level - 1}"), field("r", f"T{level - 1}")]
        fields.append(field(f"a{level}", record(*inner, name=f"T{level}")))
    with pytest.raises(ProgramError, match="too large"):
        avro_to_arrow(json.dumps(record(*fields)))


def test_a_type_has_a_schema() -> None:
    type = pa.struct(
        [
            pa.field("id", pa.int64(), nullable=False),
            pa.field("tags", pa.list_(pa.string())),
            pa.field("at", pa.timestamp("ms", tz="UTC"), nullable=False),
            pa.field("price", pa.decimal128(10, 2), nullable=False),
            pa.field("where", pa.struct([pa.field("lat", pa.float64(), nullable=False)]), nullable=False),
        ]
    )
    assert json.loads(arrow_to_avro(type, "fast-vessels.v1", "io.head-race")) == {
        "type": "record",
        "name": "fast_vessels_v1",
        "namespace": "io.head_race",
        "fields": [
            {"name": "id", "type": "long"},
            {
                "name": "tags",
                "type": ["null", {"type": "array", "items": ["null", "string"]}],
                "default": None,
            },
            {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
            {
                "name": "price",
                "type": {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2},
            },
            {
                "name": "where",
                "type": {
                    "type": "record",
                    "name": "fast_vessels_v1_where",
                    "fields": [{"name": "lat", "type": "double"}],
                },
            },
        ],
    }


def test_nested_records_have_names_of_their_own() -> None:
    inner = pa.struct([("x", pa.int32())])
    type = pa.struct(
        [
            ("a_b", inner),
            ("a", pa.struct([("b", inner)])),
            ("l", pa.list_(inner)),
            ("m", pa.map_(pa.string(), inner)),
        ]
    )
    text = arrow_to_avro(type, "R")
    fastavro.parse_schema(json.loads(text))
    assert avro_to_arrow(text) == type


@pytest.mark.parametrize(
    ("type", "back"),
    [
        (pa.int8(), pa.int32()),
        (pa.uint16(), pa.int32()),
        (pa.uint32(), pa.int64()),
        (pa.timestamp("s"), pa.timestamp("ms")),
        (pa.null(), pa.null()),
    ],
)
def test_narrow_types_become_wider(type: pa.DataType, back: pa.DataType) -> None:
    assert avro_to_arrow(arrow_to_avro(type, "R")) == back


@pytest.mark.parametrize(
    ("type", "message"),
    [
        (pa.uint64(), "Avro has no type uint64"),
        (pa.struct([("a", pa.struct([("b", pa.uint64())]))]), "field `a.b`: Avro has no type uint64"),
        (pa.map_(pa.int32(), pa.int32()), "text as keys"),
        (pa.decimal128(5, -1), "-1 places"),
        (pa.struct([("a + b", pa.int32())]), "does not allow the field name `a + b`"),
        (pa.struct([("1a", pa.int32())]), "does not allow the field name `1a`"),
    ],
)
def test_what_avro_does_not_have_is_refused(type: pa.DataType, message: str) -> None:
    with pytest.raises(ProgramError, match="FMT0102") as error:
        arrow_to_avro(type, "R")
    assert message in str(error.value)
