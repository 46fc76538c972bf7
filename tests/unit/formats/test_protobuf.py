"""Protobuf: types, numbers that stay, messages of a file, compatibility, bad bytes. Rust tests compare with another codec."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pytest

from headrace.errors import ProgramError
from headrace.formats import make_decoder, make_encoder
from headrace.formats.interface import Format, Side
from headrace.formats.registered import registered_side, schema_name, schema_text
from headrace.formats.registry.compatibility import Compatibility
from headrace.formats.registry.kinds import SchemaKind
from headrace.formats.registry.protobuf import parse_protobuf, with_imports
from headrace.formats.registry.rules import reasons_against
from headrace.formats.registry.schema import SchemaSyntaxError

PROTO = SchemaKind.PROTOBUF


@dataclass
class OneSchema:
    """A registry that has one schema under every id."""

    text: str

    def schema(self, schema_id: int) -> str:
        return self.text


def proto(body: str, head: str = "") -> str:
    return f'syntax = "proto3"; package p; {head} {body}'


def type_of(body: str, head: str = "") -> pa.DataType:
    return registered_side(PROTO, proto(body, head)).type


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("int32 f = 1;", pa.field("f", pa.int32(), nullable=False)),
        ("optional int64 f = 1;", pa.field("f", pa.int64())),
        ("uint32 f = 1;", pa.field("f", pa.int64(), nullable=False)),
        ("fixed64 f = 1;", pa.field("f", pa.decimal128(20, 0), nullable=False)),
        ("oneof o { string f = 1; }", pa.field("f", pa.string())),
        ("google.protobuf.Timestamp f = 1;", pa.field("f", pa.timestamp("us", "UTC"))),
        ("google.protobuf.BoolValue f = 1;", pa.field("f", pa.bool_())),
        ("google.type.Date f = 1;", pa.field("f", pa.date32())),
        ("confluent.type.Decimal f = 1;", pa.field("f", pa.decimal128(38, 18))),
        ("E f = 1;", pa.field("f", pa.string(), nullable=False)),
        ("Empty f = 1;", pa.field("f", pa.bool_())),
        ("repeated float f = 1;", pa.field("f", pa.list_(pa.float32()), nullable=False)),
    ],
)
def test_a_field_has_the_type_that_sql_has_for_it(field: str, expected: pa.Field[pa.DataType]) -> None:
    head = "".join(
        f'import "{name}.proto";'
        for name in (
            "google/protobuf/timestamp",
            "google/protobuf/wrappers",
            "google/type/date",
            "confluent/type/decimal",
        )
    )
    found = type_of(f"enum E {{ A = 0; }} message M {{ message Empty {{}} {field} }}", head)
    assert found == pa.struct([expected])


def test_the_message_is_the_one_that_no_other_has_unless_records_tell() -> None:
    text = proto(
        "message Item { int32 a = 1; } message Order { Item item = 1; message Line { string b = 1; } }"
    )
    assert registered_side(PROTO, text).type.field(0).name == "item"
    line = registered_side(PROTO, text, [b"\x00\x00\x00\x00\x01\x04\x02\x00"])
    assert line.type.field(0).name == "b"
    assert line.properties == {"message": "p.Order.Line"}
    assert schema_name(Format.PROTOBUF, text) == ("Order", "p")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "message",
        proto("message A { B b = 1; }"),
        proto("message A { int32 a = 1; int32 b = 1; }"),
        proto('import "nowhere.proto"; message A {}'),
        proto("message A { " + "message B { " * 200 + "}" * 201),
        '{"type": "string"}',
    ],
)
def test_what_is_no_schema_is_refused(text: str) -> None:
    with pytest.raises(SchemaSyntaxError):
        parse_protobuf(text).root()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("message A { A a = 1; }", "contains itself"),
        (
            "message A { B b = 1; } message B { repeated A a = 1; }",
            "field `b`: field `a`: message `[a-z.]*A` contains itself",
        ),
        ("message A {}", "no fields of its own"),
    ],
)
def test_what_no_column_can_hold_is_refused(body: str, words: str) -> None:
    with pytest.raises(ProgramError, match=words) as caught:
        type_of(body)
    (fault,) = caught.value.diagnostics
    assert "`_vtype = BYTES`" in (fault.help or "")


def test_imports_stand_behind_the_schema() -> None:
    text = with_imports(
        proto('import "item.proto"; message A { Item item = 1; }'),
        [("item.proto", 'syntax = "proto3"; package p; message Item { int32 a = 1; }')],
    )
    assert registered_side(PROTO, text).type == pa.struct(
        [pa.field("item", pa.struct([pa.field("a", pa.int32(), nullable=False)]))]
    )


def test_a_field_keeps_its_number_and_no_number_is_used_again() -> None:
    first = pa.struct([("a", pa.int64()), ("b", pa.string()), ("r", pa.struct([("x", pa.int32())]))])
    second = pa.struct(
        [("r", pa.struct([("y", pa.int32()), ("x", pa.int32())])), ("c", pa.bool_()), ("a", pa.int64())]
    )
    one = schema_text(Format.PROTOBUF, first, "orders", "shop")
    two = schema_text(Format.PROTOBUF, second, "orders", "shop", one)
    three = schema_text(Format.PROTOBUF, first, "orders", "shop", two)
    numbers = {field.name: field.number for field in parse_protobuf(three).messages["shop.orders"].fields}
    assert numbers == {"a": 1, "r": 3, "b": 5}
    inner = {field.name: field.number for field in parse_protobuf(two).messages["shop.orders.R"].fields}
    assert inner == {"y": 2, "x": 1}
    assert not reasons_against(PROTO, Compatibility.FULL_TRANSITIVE, three, [one, two])


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (pa.string(), "records, not single values"),
        (pa.struct([("a", pa.list_(pa.list_(pa.int32())))]), "inside of an array"),
        (pa.struct([("a", pa.map_(pa.float64(), pa.int32()))]), "keys of type double"),
        (pa.struct([("a", pa.null())]), "field `a`: Protobuf has no type null"),
        (pa.struct([("a b", pa.int32())]), "does not allow the field name"),
    ],
)
def test_types_without_a_form_are_refused(kind: pa.DataType, words: str) -> None:
    with pytest.raises(ProgramError, match=words):
        schema_text(Format.PROTOBUF, kind, "m", "p")


def test_every_type_comes_back() -> None:
    kind = pa.struct(
        [
            ("d", pa.decimal128(12, 2)),
            ("day", pa.date32()),
            ("at", pa.timestamp("ms", "UTC")),
            ("time", pa.time64("us")),
            ("small", pa.int8()),
            ("list", pa.list_(pa.struct([("x", pa.float32())]))),
            ("map", pa.map_(pa.int64(), pa.struct([("y", pa.binary())]))),
        ]
    )
    text = schema_text(Format.PROTOBUF, kind, "m", "p")
    rows = [
        {
            "d": 1,
            "day": 19000,
            "at": -1,
            "time": 86399999999,
            "small": -5,
            "list": [{"x": 1.5}],
            "map": [(7, {"y": b"z"})],
        },
        {"d": None, "day": None, "at": None, "time": None, "small": None, "list": [], "map": []},
    ]
    values = pa.array(rows, kind)
    side = Side(Format.PROTOBUF, kind, text)
    encoded = make_encoder(side, 1).encode(values)
    decoded = make_decoder(side, [()], OneSchema(text)).decode(encoded.data)  # type: ignore[arg-type]
    assert (encoded.errors, decoded.errors) == ((), ())
    assert decoded.columns[0].equals(values)


def test_rows_that_do_not_fit_fail_alone() -> None:
    text = proto("enum E { A = 0; } message M { E e = 1; repeated int32 n = 2; int32 i = 3; }")
    side = registered_side(PROTO, text)
    rows = [
        {"e": "A", "n": [1], "i": 1},
        {"e": "B", "n": [], "i": 1},
        {"e": "A", "n": [None], "i": 1},
        {"e": "A", "n": [], "i": None},
        {"e": "12", "n": [], "i": 0},
    ]
    kind = pa.struct([("e", pa.string()), ("n", pa.list_(pa.int32())), ("i", pa.int32())])
    encoded = make_encoder(side, 1).encode(pa.array(rows, kind))
    assert [(error.row, error.reason.partition(":")[0]) for error in encoded.errors] == [
        (1, "field `e`"),
        (2, "field `n`"),
        (3, "field `i`"),
    ]
    assert encoded.data[4].as_py() == b"\x00\x00\x00\x00\x01\x00\x08\x0c"


def test_bad_bytes_fail_alone_and_say_nothing_of_the_record() -> None:
    text = proto("message M { string s = 1; int32 i = 2; } message Other { int32 i = 1; }")
    side = registered_side(PROTO, text)
    head = b"\x00\x00\x00\x00\x01"
    values = [
        head + b"\x00\x0a\x01a",
        b"{}",
        head,
        head + b"\x02\x02\x08\x01",
        head + b"\x02\x08",
        head + b"\x00\x0a\x01\xff",
        head + b"\x00\x0a\x7f",
        head + b"\x00\x00\x01",
        head + b"\x00\x10\x01",
    ]
    decoder = make_decoder(side, [("s",), ("i",)], OneSchema(text))  # type: ignore[arg-type]
    decoded = decoder.decode(pa.array(values, pa.binary()))
    assert [error.row for error in decoded.errors] == [1, 2, 3, 4, 5, 6, 7]
    assert decoded.errors[2].reason == "a message `p.Other`, not `p.M`"
    assert decoded.columns[0].to_pylist() == ["a", *[None] * 7, ""]


@pytest.mark.parametrize(
    ("old", "new", "reasons"),
    [
        ("message M { int32 a = 1; }", "message M { int64 a = 1; string b = 2; }", 0),
        ("message M { int32 a = 1; }", "message M { string a = 1; }", 2),
        ("message M { int32 a = 1; }", "message M { repeated int32 a = 1; }", 2),
        ("message M { string a = 1; }", "message M { bytes renamed = 1; }", 0),
        ("message M { int32 a = 1; } message N { int32 a = 1; }", "message M { int32 a = 1; }", 1),
        ("message M { int32 a = 1; int32 b = 2; }", "message M { oneof o { int32 a = 1; int32 b = 2; } }", 1),
        ("message M { map<string, int32> a = 1; }", "message M { map<string, string> a = 1; }", 2),
    ],
)
def test_compatibility_is_judged_by_numbers(old: str, new: str, reasons: int) -> None:
    found = reasons_against(PROTO, Compatibility.FULL, proto(new), [proto(old)])
    assert len(found) == reasons, found


def test_a_required_field_cannot_be_added() -> None:
    old, new = (
        "message M { optional int32 a = 1; }",
        "message M { optional int32 a = 1; required int32 b = 2; }",
    )
    head = 'syntax = "proto2"; '
    assert reasons_against(PROTO, Compatibility.BACKWARD, head + new, [head + old])
    assert not reasons_against(PROTO, Compatibility.FORWARD, head + new, [head + old])
