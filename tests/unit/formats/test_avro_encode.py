from __future__ import annotations

import datetime as dt
import io
import json
from decimal import Decimal
from typing import Any

import fastavro
import pyarrow as pa
import pytest

from headrace.errors import ProgramError
from headrace.formats import make_encoder
from headrace.formats.interface import Format, Side
from tests.unit.formats.decoding import encode


def record(schema: Any, **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": "R", "fields": [{"name": "x", "type": schema, **more}]}


def in_record(schema: Any, type: pa.DataType, *values: Any) -> tuple[list[Any], dict[int, str]]:
    """Write values in a record; what fastavro reads, and the reasons by row."""
    text = json.dumps(record(schema))
    side = Side(Format.AVRO, pa.struct([("x", type)]), text)
    found = encode(side, [{"x": value} for value in values], 258)
    read: list[Any] = []
    for data in found.data.to_pylist():
        if data is None:
            read.append(None)
            continue
        assert data[:5] == b"\0\0\0\1\2"
        stream = io.BytesIO(data[5:])
        value: Any = fastavro.schemaless_reader(stream, fastavro.parse_schema(json.loads(text)), None)
        read.append(value["x"])
        assert stream.read() == b""
    return read, {error.row: error.reason for error in found.errors}


UTC = dt.UTC
SECOND = dt.datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)
AT = dt.datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)


@pytest.mark.parametrize(
    ("schema", "type", "value", "expected"),
    [
        (["null", "string"], pa.string(), None, None),
        (["null", "string"], pa.string(), "é", "é"),
        (["string", "null"], pa.string(), None, None),
        (["string", "null"], pa.string(), "x", "x"),
        (["string"], pa.string(), "x", "x"),
        ("long", pa.int32(), -5, -5),
        ("long", pa.uint32(), 2**32 - 1, 2**32 - 1),
        ("int", pa.uint16(), 65535, 65535),
        ("int", pa.int8(), -128, -128),
        ("double", pa.float32(), 0.5, 0.5),
        ("bytes", pa.string(), "é", "é".encode()),
        (
            {"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 3},
            pa.decimal128(5, 2),
            Decimal("-1.50"),
            Decimal("-1.500"),
        ),
        (
            {"type": "fixed", "name": "D", "size": 3, "logicalType": "decimal", "precision": 6, "scale": 0},
            pa.decimal128(6, 0),
            Decimal(-129),
            Decimal(-129),
        ),
        ({"type": "long", "logicalType": "timestamp-millis"}, pa.timestamp("us", tz="UTC"), AT, AT.replace(microsecond=999000)),
        ({"type": "long", "logicalType": "timestamp-micros"}, pa.timestamp("s", tz="UTC"), SECOND, SECOND),
        ("long", pa.timestamp("ms", tz="UTC"), AT, -1),
        ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, pa.string(), "B", "B"),
        ({"type": "fixed", "name": "F", "size": 2}, pa.binary(), b"ab", b"ab"),
        (["null", "int", "string"], pa.struct([("int", pa.int32()), ("string", pa.string())]), {"string": "x"}, "x"),
        (["null", "int", "string"], pa.struct([("string", pa.string())]), {"string": "x"}, "x"),
        (["int", "null", "string"], pa.struct([("int", pa.int32()), ("string", pa.string())]), None, None),
        ({"type": "array", "items": ["null", "int"]}, pa.list_(pa.int32()), [1, None], [1, None]),
        ({"type": "array", "items": "int"}, pa.list_(pa.int32()), [], []),
        ({"type": "map", "values": "int"}, pa.map_(pa.string(), pa.int32()), [("k", 1)], {"k": 1}),
    ],
)  # fmt: skip
def test_values_are_written(schema: Any, type: pa.DataType, value: Any, expected: Any) -> None:
    assert in_record(schema, type, value) == ([expected], {})


@pytest.mark.parametrize(
    ("schema", "type", "good", "bad", "reason"),
    [
        ("string", pa.string(), "x", None, "null where the schema has no null"),
        ({"type": "array", "items": "int"}, pa.list_(pa.int32()), [1], [1, None], "null where the schema has no null"),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, pa.string(), "A", "Z", "text that is no symbol of the enum"),
        ({"type": "fixed", "name": "F", "size": 2}, pa.binary(), b"ab", b"abc", "3 bytes where the schema wants 2"),
        (
            {"type": "bytes", "logicalType": "decimal", "precision": 3, "scale": 1},
            pa.decimal128(10, 2), Decimal("1.50"), Decimal("1.55"), "number has more decimal places than its type",
        ),
        (
            {"type": "bytes", "logicalType": "decimal", "precision": 3, "scale": 1},
            pa.decimal128(10, 2), Decimal("1.50"), Decimal("100.00"), "number has more than 3 digits",
        ),
        (
            {"type": "fixed", "name": "U", "size": 16, "logicalType": "uuid"},
            pa.string(), None, "12345678", "text that is no UUID",
        ),
        (
            ["int", "string"], pa.struct([("int", pa.int32()), ("string", pa.string())]),
            {"int": 1}, {"int": 1, "string": "x"}, "more than one branch of the union is set",
        ),
        (
            ["int", "string"], pa.struct([("int", pa.int32()), ("string", pa.string())]),
            {"int": 1}, {}, "no branch of the union is set",
        ),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_an_error_of_its_row(
    schema: Any, type: pa.DataType, good: Any, bad: Any, reason: str
) -> None:
    if good is None:
        good = "12345678-1234-5678-1234-567812345678"
    read, errors = in_record(schema, type, good, bad, good)
    assert read[1] is None
    assert None not in (read[0], read[2])
    assert errors == {1: f"field `x`: {reason}"}


def test_a_null_row_is_a_tombstone_even_where_the_schema_has_a_null() -> None:
    found = encode(Side(Format.AVRO, pa.int32(), '["null","int"]'), [None, 1], 1)
    assert found.data.to_pylist() == [None, b"\0\0\0\0\1\2\2"]


def test_fields_are_found_by_name_and_defaults_fill_in() -> None:
    schema = {
        "type": "record",
        "name": "R",
        "fields": [
            {"name": "a", "type": "int"},
            {"name": "d", "type": "string", "default": "hi"},
            {"name": "b", "type": "string"},
        ],
    }
    side = Side(Format.AVRO, pa.struct([("b", pa.string()), ("a", pa.int32())]), json.dumps(schema))
    assert encode(side, [{"a": 1, "b": "x"}], 1).data.to_pylist() == [b"\0\0\0\0\1\2\4hi\2x"]


@pytest.mark.parametrize(
    ("type", "schema"),
    [
        (pa.int64(), "int"),
        (pa.float64(), "float"),
        (pa.int64(), "string"),
        (pa.binary(), "string"),
        (pa.decimal128(5, 2), "bytes"),
        (pa.string(), ["int", "string"]),
        (pa.struct([("boolean", pa.bool_())]), ["int", "string"]),
        (pa.map_(pa.int32(), pa.int32()), {"type": "map", "values": "int"}),
        (pa.struct([("y", pa.int32())]), record("int")),
        (pa.struct([]), record("int")),
        (pa.struct([("x", pa.int64())]), record("int")),
    ],
)
def test_a_schema_that_does_not_fit_the_type_is_refused(type: pa.DataType, schema: Any) -> None:
    with pytest.raises(ProgramError, match="FMT0102"):
        make_encoder(Side(Format.AVRO, type, json.dumps(schema)), 1)


def test_an_id_is_needed() -> None:
    with pytest.raises(ProgramError, match="FMT0105"):
        make_encoder(Side(Format.AVRO, pa.int64(), '"long"'))


def test_slices_are_written() -> None:
    type = pa.struct([("x", pa.list_(pa.string()))])
    array = pa.array([{"x": [str(n)] * n} for n in range(5)], type).slice(2, 1)
    side = Side(Format.AVRO, type, json.dumps(record({"type": "array", "items": "string"})))
    assert encode(side, array, 1).data.to_pylist() == [b"\0\0\0\0\1\4\x022\x022\0"]


def test_a_decimal_that_its_fixed_cannot_hold_is_an_error_of_its_row() -> None:
    schema = {"type": "fixed", "name": "D", "size": 1, "logicalType": "decimal", "precision": 3, "scale": 0}
    side = Side(Format.AVRO, pa.decimal128(3, 0), json.dumps(schema))
    found = encode(side, [Decimal(-128), Decimal(128)], 1)
    assert found.data.to_pylist() == [b"\0\0\0\0\1\x80", None]
    assert [(error.row, error.reason) for error in found.errors] == [
        (1, "a decimal does not fit into 1 bytes")
    ]
