from __future__ import annotations

import datetime as dt
import io
import json
from decimal import Decimal
from typing import Any

import fastavro
import pyarrow as pa
import pytest

from headrace import _native
from headrace.errors import Diagnostic, ProgramError
from headrace.errors.codes.format import REGISTRY_AWAY
from headrace.formats import make_decoder
from headrace.formats.errors import RegistryUnavailableError
from headrace.formats.interface import Format, Side
from headrace.formats.writers import REFUSAL_SECONDS, WritersDecoder
from headrace.types.avro import avro_to_arrow
from tests.unit.formats.decoding import Schemas, binary, decode

WRITER = 7
TEXT_UUID = "12345678-1234-5678-1234-567812345678"


def record(*fields: Any, name: str = "R") -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": list(fields)}


def field(name: str, type: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": type, **more}


def framed(body: bytes, schema_id: int = WRITER) -> bytes:
    return b"\0" + schema_id.to_bytes(4, "big") + body


def written(schema: Any, value: Any, schema_id: int = WRITER) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(json.loads(json.dumps(schema))), value)
    return framed(out.getvalue(), schema_id)


def resolved(writer: Any, reader: Any, *data: bytes) -> tuple[list[Any], dict[int, str]]:
    text = json.dumps(reader)
    side = Side(Format.AVRO, avro_to_arrow(text), text)
    found = decode(side, data, registry=Schemas({WRITER: json.dumps(writer)}))
    found.columns[0].validate(full=True)
    return found.columns[0].to_pylist(), {error.row: error.reason for error in found.errors}


def one(writer: Any, reader: Any, value: Any) -> Any:
    values, errors = resolved(writer, reader, written(writer, value))
    assert errors == {}
    return values[0]


def in_record(writer: Any, reader: Any, value: Any) -> Any:
    return one(record(field("x", writer)), record(field("x", reader)), {"x": value})["x"]


@pytest.mark.parametrize(
    ("writer", "reader", "value", "expected"),
    [
        ("int", "long", 5, 5),
        ("int", "float", 5, 5.0),
        ("int", "double", 5, 5.0),
        ("long", "float", 5, 5.0),
        ("long", "double", 2**40, 2.0**40),
        ("float", "double", 0.5, 0.5),
        ("string", "bytes", "é", "é".encode()),
        ("bytes", "string", "é".encode(), "é"),
        ("int", ["null", "long"], 5, 5),
        (["null", "int"], "long", 5, 5),
        (["null", "int"], ["long", "null"], None, None),
        (["null", "int"], ["long", "null"], 6, 6),
        (["int", "string"], "string", "x", "x"),
        ("int", ["string", "double"], 5, {"string": None, "double": 5.0}),
        (["null", "string"], ["null", "int", "string"], "x", {"int": None, "string": "x"}),
        (["null", "string"], ["null", "int", "string"], None, None),
        ({"type": "array", "items": "int"}, {"type": "array", "items": ["null", "long"]}, [1, 2], [1, 2]),
        ({"type": "map", "values": "int"}, {"type": "map", "values": "double"}, {"a": 1}, [("a", 1.0)]),
        ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, "string", "B", "B"),
        (
            {"type": "enum", "name": "E", "symbols": ["A", "B"]},
            {"type": "enum", "name": "E", "symbols": ["A", "Z"], "default": "Z"},
            "B",
            "Z",
        ),
        ({"type": "fixed", "name": "F", "size": 2}, "bytes", b"ab", b"ab"),
        (
            {"type": "long", "logicalType": "timestamp-millis"},
            {"type": "long", "logicalType": "timestamp-micros"},
            dt.datetime(2018, 5, 10, tzinfo=dt.UTC),
            dt.datetime(2018, 5, 10, tzinfo=dt.UTC),
        ),
        (
            {"type": "long", "logicalType": "timestamp-micros"},
            {"type": "long", "logicalType": "timestamp-millis"},
            dt.datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=dt.UTC),
            dt.datetime(1969, 12, 31, 23, 59, 59, 999000, tzinfo=dt.UTC),
        ),
        (
            "long",
            {"type": "long", "logicalType": "timestamp-millis"},
            1000,
            dt.datetime(1970, 1, 1, 0, 0, 1, tzinfo=dt.UTC),
        ),
        (
            {"type": "int", "logicalType": "time-millis"},
            {"type": "long", "logicalType": "time-micros"},
            dt.time(23, 59, 59, 999000),
            dt.time(23, 59, 59, 999000),
        ),
        ({"type": "long", "logicalType": "timestamp-millis"}, "long", dt.datetime(1970, 1, 1, 0, 0, 1, tzinfo=dt.UTC), 1000),
        (
            {"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 2},
            {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 3},
            Decimal("-12.34"),
            Decimal("-12.340"),
        ),
        (
            {"type": "fixed", "name": "D", "size": 4, "logicalType": "decimal", "precision": 6, "scale": 2},
            {"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 2},
            Decimal("-0.01"),
            Decimal("-0.01"),
        ),
        ({"type": "string", "logicalType": "uuid"}, "string", TEXT_UUID, TEXT_UUID),
    ],
)  # fmt: skip
def test_a_writer_is_resolved_to_the_reader(writer: Any, reader: Any, value: Any, expected: Any) -> None:
    assert in_record(writer, reader, value) == expected


@pytest.mark.parametrize(
    ("writer", "reader"),
    [
        ("long", "int"),
        ("double", "float"),
        ("string", "int"),
        ("int", "boolean"),
        (["null", "string"], "int"),
        ("null", "int"),
        ({"type": "array", "items": "string"}, {"type": "array", "items": "int"}),
        ({"type": "fixed", "name": "F", "size": 2}, {"type": "fixed", "name": "F", "size": 3}),
        (
            {"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 3},
            {"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 2},
        ),
    ],
)
def test_a_writer_that_does_not_fit_makes_its_records_errors(writer: Any, reader: Any) -> None:
    values, errors = resolved(record(field("x", writer)), record(field("x", reader)), framed(b"\0\0\0\0"))
    assert values == [None]
    assert errors[0].startswith("schema 7: field `x`: ")


def test_only_the_branch_that_does_not_fit_is_an_error() -> None:
    writer = ["null", "int", "string"]
    values, errors = resolved(writer, "int", *(written(writer, value) for value in [None, 1, "x", 2]))
    assert values == [None, 1, None, 2]
    assert errors == {
        0: "null where the reader's schema has no null",
        2: "a branch of a union that the reader's schema does not have",
    }


def test_fields_are_found_by_name_alias_and_default() -> None:
    writer = record(
        field("c", "int"),
        field("old", "string"),
        field("gone", {"type": "array", "items": "int"}),
        field("a", "int"),
    )
    reader = record(
        field("a", "long"),
        field("new", "string", aliases=["other", "old"]),
        field("n", ["null", "int"], default=None),
        field("s", "string", default="é"),
        field("b", "bytes", default="\u00ff"),
        field("l", {"type": "array", "items": "int"}, default=[1, 2]),
        field("m", {"type": "map", "values": "double"}, default={"k": 1}),
        field(
            "r",
            record(field("x", "int", default=3), field("y", ["int", "null"], default=4), name="N"),
            default={},
        ),
        field("e", {"type": "enum", "name": "E", "symbols": ["A", "B"]}, default="B"),
        field(
            "d",
            {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2},
            default="\u0001\u0000",
        ),
    )
    data = {"c": 9, "old": "o", "gone": [1, 2, 3], "a": 8}
    expected = {
        "a": 8, "new": "o", "n": None, "s": "é", "b": b"\xff", "l": [1, 2], "m": [("k", 1.0)], "r": {"x": 3, "y": 4}, "e": "B",
        "d": Decimal("2.56"),
    }  # fmt: skip
    assert one(writer, reader, data) == expected


def test_a_field_without_default_that_the_writer_lacks_is_refused() -> None:
    _, errors = resolved(record(field("a", "int")), record(field("b", "int")), framed(b"\x02"))
    assert errors == {0: "schema 7: field `b` is missing in the writer's schema and has no default"}


def test_a_default_that_nobody_reads_need_not_be_there() -> None:
    reader = json.dumps(record(field("a", "int"), field("b", "int")))
    registry = Schemas({WRITER: json.dumps(record(field("a", "int")))})
    found = decode(Side(Format.AVRO, avro_to_arrow(reader), reader), [framed(b"\x02")], [("a",)], registry)
    assert found.columns[0].to_pylist() == [1]


def test_records_of_a_union_are_told_apart_by_name() -> None:
    a = record(field("x", "int"), name="space.A")
    b = record(field("x", "int"), name="space.B")
    assert in_record([a, b], [b, a], ("space.B", {"x": 1})) == {"A": None, "B": {"x": 1}}


def test_types_of_the_same_short_name_keep_their_full_one() -> None:
    a = record(field("x", "int"), name="one.T")
    b = record(field("x", "int"), name="two.T")
    schema = record(field("u", [a, b]))
    values, errors = resolved(schema, schema, framed(b"\x02\x04"))
    assert errors == {}
    assert values == [{"u": {"one.T": None, "two.T": {"x": 2}}}]


def test_blocks_may_say_their_size() -> None:
    schema = record(
        field("a", {"type": "array", "items": "int"}), field("m", {"type": "map", "values": "int"})
    )
    body = b"\x03\x04\x02\x04" + b"\x02\x06" + b"\x00" + b"\x01\x06\x02k\x02" + b"\x00"
    assert resolved(schema, schema, framed(body)) == ([{"a": [1, 2, 3], "m": [("k", 1)]}], {})
    text = json.dumps(schema)
    found = decode(
        Side(Format.AVRO, avro_to_arrow(text), text), [framed(body)], [("m",)], Schemas({WRITER: text})
    )
    assert found.columns[0].to_pylist() == [[("k", 1)]]


UUID = {"type": "fixed", "name": "U", "size": 16, "logicalType": "uuid"}


def test_a_fixed_uuid_is_text() -> None:
    values, _ = resolved(UUID, UUID, framed(bytes(range(16))))
    assert values == ["00010203-0405-0607-0809-0a0b0c0d0e0f"]


ARRAYS = record(
    field("n", {"type": "array", "items": "null"}),
    field("l", {"type": "array", "items": "long"}),
    name="Arrays",
)
MAX_LONG = b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"
MIN_LONG = b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"


@pytest.mark.parametrize(
    ("schema", "body"),
    [
        (ARRAYS, MAX_LONG + b"\x00\x00"),
        (ARRAYS, MIN_LONG + b"\x00\x00\x00"),
        (ARRAYS, b"\xff\xff\xff\xff\x0f\x00\x00\x00"),
        (ARRAYS, b"\x00" + MAX_LONG),
        (ARRAYS, b"\x00\x02"),
        (ARRAYS, b"\x00\x01\x7f\x02\x00"),
        (ARRAYS, b"\x00\x01\x01\x02\x00"),
        (ARRAYS, b"\x00\x00\x00"),
        ("string", MAX_LONG),
        ("string", b"\x01"),
        ("string", b"\x04a"),
        ("string", b"\x02\xff"),
        ("bytes", MIN_LONG),
        ("long", b"\xff" * 10),
        ("long", b"\x80" * 12),
        ("long", b"\x80"),
        ("int", b"\x80\x80\x80\x80\x10"),
        ("boolean", b"\x02"),
        ("double", b"\0" * 7),
        (["null", "int"], b"\x04"),
        (["null", "int"], b"\x01"),
        (["null", "int", "string"], b"\x06"),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, b"\x02"),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, b"\x01"),
        ({"type": "map", "values": "int"}, b"\x04\x02k\x02\x02k\x04\x00"),
        ({"type": "map", "values": "int"}, b"\x02\x02\xff\x02\x00"),
        ({"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}, b"\x06\x7f\xff\xff"),
        ({"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 2}, b"\x24" + b"\x7f" * 18),
        ({"type": "int", "logicalType": "time-millis"}, b"\x01"),
        ({"type": "long", "logicalType": "time-micros"}, b"\x80\x80\x80\xc0\xb8\x83\x05"),
        ("int", b"\x02\x02"),
    ],
)
def test_hostile_bytes_are_an_error_of_their_row(schema: Any, body: bytes) -> None:
    values, errors = resolved(record(field("x", schema)), record(field("x", schema)), framed(body))
    assert values == [None]
    assert list(errors) == [0]


@pytest.mark.parametrize(
    "body", [MAX_LONG, MIN_LONG + b"\x00", MIN_LONG + MAX_LONG, b"\xff\xff\xff\xff\x0f\x00", b"\x02\x80"]
)
def test_hostile_blocks_are_not_passed_over_either(body: bytes) -> None:
    text = json.dumps(record(field("x", ARRAYS), field("y", "int")))
    found = decode(
        Side(Format.AVRO, avro_to_arrow(text), text), [framed(body)], [("y",)], Schemas({WRITER: text})
    )
    assert found.columns[0].to_pylist() == [None]
    assert [error.row for error in found.errors] == [0]


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\0\0\0", b"\x01\0\0\0\x07\x02", b'{"a":1}'])
def test_other_framing_is_refused(data: bytes) -> None:
    values, errors = resolved("int", "int", framed(b"\x02"), data)
    assert values == [1, None]
    assert "framing" in errors[1]


def test_ten_megabytes_are_read() -> None:
    schema = record(field("a", "bytes"), field("b", "string"))
    data = {"a": bytes(10_000_000), "b": "x" * 10_000_000}
    values, errors = resolved(schema, schema, written(schema, data), framed(MAX_LONG))
    assert values == [data, None]
    assert list(errors) == [1]


def test_a_million_items_are_read() -> None:
    schema = record(field("l", {"type": "array", "items": "int"}))
    values, errors = resolved(schema, schema, written(schema, {"l": [1] * 1_000_000}))
    assert errors == {}
    assert len(values[0]["l"]) == 1_000_000


def test_a_side_without_schema_is_read_by_its_type() -> None:
    writer = json.dumps(
        record(field("kind", {"type": "enum", "name": "E", "symbols": ["A"]}), field("n", "int"))
    )
    side = Side(Format.AVRO, pa.struct([("n", pa.int64()), ("kind", pa.string()), ("more", pa.date32())]))
    found = decode(side, [framed(b"\x00\x04")], registry=Schemas({WRITER: writer}))
    assert found.columns[0].to_pylist() == [{"n": 2, "kind": "A", "more": None}]


def test_each_writer_is_asked_for_once() -> None:
    registry = Schemas({1: '"int"', 2: '"long"'})
    decoder = make_decoder(Side(Format.AVRO, pa.int64(), '"long"'), [()], registry)
    data = binary([framed(b"\x02", 1), framed(b"\x04", 2), framed(b"\x06", 1)])
    for _ in range(3):
        assert decoder.decode(data).columns[0].to_pylist() == [1, 2, 3]
    assert registry.asked == [1, 2]


def test_an_unknown_writer_is_asked_for_again_after_a_while() -> None:
    now = [0.0]
    registry = Schemas({1: '"int"'})
    native = _native.AvroDecoder('"long"', pa.int64(), [()])
    decoder = WritersDecoder(native, registry, lambda: now[0])
    data = binary([framed(b"\x02", 1), framed(b"\x04", 9)])
    for _ in range(2):
        found = decoder.decode(data)
        assert found.columns[0].to_pylist() == [1, None]
        assert [(e.row, e.reason) for e in found.errors] == [(1, "schema 9: the registry does not know it")]
    assert registry.asked == [1, 9]
    registry.schemas[9] = '"long"'
    now[0] = REFUSAL_SECONDS
    assert decoder.decode(data).columns[0].to_pylist() == [1, 2]
    assert registry.asked == [1, 9, 9]


class Away(Schemas):
    """A registry that does not answer yet."""

    away = True

    def schema(self, schema_id: int) -> str:
        if self.away:
            raise RegistryUnavailableError((Diagnostic(REGISTRY_AWAY, "no answer"),))
        return super().schema(schema_id)


def test_no_record_is_bad_because_the_registry_is_away() -> None:
    registry = Away({1: '"int"'})
    decoder = make_decoder(Side(Format.AVRO, pa.int64(), '"long"'), [()], registry)
    data = binary([framed(b"\x02", 1)])
    with pytest.raises(RegistryUnavailableError):
        decoder.decode(data)
    registry.away = False
    assert decoder.decode(data).columns[0].to_pylist() == [1]


def test_a_registry_is_needed() -> None:
    with pytest.raises(ProgramError, match="FMT0105"):
        make_decoder(Side(Format.AVRO, pa.int64(), '"long"'), [()])


@pytest.mark.parametrize(
    ("type", "schema"),
    [
        (pa.int64(), '"string"'),
        (pa.struct([("b", pa.int64())]), json.dumps(record(field("a", "long")))),
        (pa.int64(), "{"),
        (pa.int64(), '"nothing"'),
        (pa.struct([("u", pa.int64())]), json.dumps(record(field("u", ["int", "string"])))),
    ],
)
def test_a_schema_that_does_not_fit_the_type_is_refused(type: pa.DataType, schema: str) -> None:
    with pytest.raises(ProgramError, match="FMT0102"):
        make_decoder(Side(Format.AVRO, type, schema), [()], Schemas({}))


def immense() -> dict[str, Any]:
    """Four hundred records that each hold the same four hundred."""
    first = [field(f"g{m}", record(name=f"X{m}")) for m in range(400)]
    again = [field(f"g{m}", f"X{m}") for m in range(400)]
    return record(*(field(f"f{n}", record(*(again if n else first), name=f"Y{n}")) for n in range(400)))


@pytest.mark.parametrize(
    "schema",
    [
        "[" * 200 + "]" * 200,
        json.dumps(record(field("next", ["null", "R"]))),
        json.dumps(immense()),
    ],
)  # fmt: skip
def test_schemas_without_end_are_refused(schema: str) -> None:
    found = decode(
        Side(Format.AVRO, pa.int64(), '"long"'), [framed(b"\x02")], registry=Schemas({WRITER: schema})
    )
    values, errors = found.columns[0].to_pylist(), {error.row: error.reason for error in found.errors}
    assert values == [None]
    assert errors[0].startswith("schema 7: ")
