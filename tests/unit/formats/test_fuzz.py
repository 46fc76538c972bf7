"""Hostile bytes through every decoder: nothing crashes or hangs, and good neighbours in the same batch come out intact.

`HEADRACE_FUZZ_EXAMPLES=100000` makes a long run of it.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pyarrow as pa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from headrace.formats.interface import Format, Side
from headrace.formats.primitive import TYPES
from headrace.types.avro import avro_to_arrow
from tests.unit.formats.avro_values import schemas, schemas_with_values
from tests.unit.formats.decoding import Schemas, decode, decode_json, encode, examples

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]

NESTED = pa.struct(
    [
        ("a", pa.int64()),
        ("b", pa.list_(pa.struct([("c", pa.string()), ("d", pa.decimal128(10, 2))]))),
        ("e", pa.map_(pa.string(), pa.float64())),
        ("f", pa.timestamp("ms", tz="UTC")),
        ("g", pa.string()),
        ("h", pa.binary()),
    ]
)
GOOD_JSON = (
    b'{"a":-1,"b":[{"c":"x\\u00e9","d":1.50},null],"e":{"k":1e3,"k2":null},'
    b'"f":"2018-05-10T12:34:56Z","g":{"z":[1]},"h":"aGk="}'
)


@st.composite
def mutations(draw: st.DrawFn, valid: bytes) -> bytes:
    """Valid bytes with some of them changed, cut out, doubled or put in."""
    data = bytearray(valid)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        end = draw(st.integers(at, min(len(data), at + 8)))
        match draw(st.sampled_from(["replace", "cut", "double", "truncate"])):
            case "replace":
                data[at:end] = draw(st.binary(max_size=10))
            case "cut":
                del data[at:end]
            case "double":
                data[at:at] = data[at:end]
            case _:
                del data[at:]
    return bytes(data)


def neighbours_are_intact(side: Side, good: bytes, bad: list[bytes], registry: Schemas | None = None) -> None:
    values = [good]
    for one in bad:
        values += [one, good]
    found = decode(side, [*values, None], registry=registry)
    column = found.columns[0]
    column.validate(full=True)
    expected = decode(side, [good], registry=registry).columns[0]
    failed = {error.row for error in found.errors}
    assert failed.issubset(range(1, len(values), 2))
    for row in range(len(values)):
        if row % 2 == 0:
            assert column.slice(row, 1).equals(expected)
        elif row in failed:
            assert not column[row].is_valid
    assert not column[len(values)].is_valid


@settings(max_examples=examples(100), deadline=None, suppress_health_check=SLOW)
@given(st.lists(mutations(GOOD_JSON) | st.binary(max_size=40), min_size=1, max_size=5))
def test_json(bad: list[bytes]) -> None:
    neighbours_are_intact(Side(Format.JSON, NESTED), GOOD_JSON, bad)


TOKENS = st.lists(
    st.sampled_from(
        [b"{", b"}", b"[", b"]", b",", b":", b" ", b"\n", b'"', b'"a"', b'"\\u00e9"', b'"\\ud83d\\ude00"', b'"\\ud83d"', b"\\",
         b"0", b"1", b"-", b"+", b".", b"e", b"1.5", b"1e5", b"1E-5", b"true", b"false", b"null", b"NaN",
         b"\xc3\xa9", b"\xff", b"\0"]
    ),
    max_size=12,
).map(b"".join)  # fmt: skip


def strict(data: bytes) -> Any:
    """What Python's own parser makes of it, with the leniencies of that parser taken away."""

    def refuse(word: str) -> None:
        raise ValueError(word)

    text = data.decode()
    value = json.loads(text, parse_constant=refuse, parse_int=str, parse_float=str)
    # A surrogate that is left alone cannot be encoded.
    json.dumps(value, ensure_ascii=False).encode()
    return value


@settings(max_examples=examples(300), deadline=None, suppress_health_check=SLOW)
@example(b"[" * 20 + b"]" * 20)
@given(TOKENS | mutations(GOOD_JSON) | mutations(b'["\\ud83d\\ude00", -1.5e-7, {"a": [null, true]}]'))
def test_the_same_texts_are_json_as_for_python(data: bytes) -> None:
    try:
        expected = strict(data)
    except (ValueError, RecursionError):
        expected = ValueError
    values, errors = decode_json(pa.string(), data)
    if expected is ValueError:
        assert 0 in errors
    elif isinstance(expected, str) and data.strip(b" \t\r\n").startswith(b'"'):
        assert values == [expected]
    elif expected is None:
        assert values == [None]
        assert errors == {}
    else:
        assert values == [data.decode().strip(" \t\r\n")]


JSON_TEXT = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=examples(75), deadline=None, suppress_health_check=SLOW)
@given(JSON_TEXT, st.booleans(), st.sampled_from([None, 1]))
def test_what_python_writes_is_read(value: Any, ascii: bool, indent: int | None) -> None:
    type = pa.struct([("v", pa.string()), ("w", pa.list_(pa.string()))])
    text = json.dumps({"x": value, "v": value, "w": [value]}, ensure_ascii=ascii, indent=indent)
    rows, errors = decode_json(type, text.encode("utf-8", "surrogatepass"))
    if re.search("[\ud800-\udfff]", json.dumps(value, ensure_ascii=False)):
        assert list(errors) == [0]
        return
    for found in (rows[0]["v"], rows[0]["w"][0]):
        assert found == value if isinstance(value, str | None) else json.loads(found) == value


@settings(max_examples=examples(75), deadline=None)
@given(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**63), 2**63 - 1),
    st.text(st.characters(codec="utf-8")),
)
def test_json_that_we_write_comes_back_exactly(number: float, integer: int, text: str) -> None:
    type = pa.struct(
        [("n", pa.float64()), ("i", pa.int64()), ("t", pa.string()), ("m", pa.map_(pa.string(), pa.int64()))]
    )
    row = {"n": number, "i": integer, "t": text, "m": [(text, integer)]}
    data = encode(Side(Format.JSON, type), [row]).data[0].as_py()
    assert json.loads(data) == {"n": number, "i": integer, "t": text, "m": {text: integer}}
    values, errors = decode_json(type, data)
    assert errors == {}
    assert values == [row]


AVRO = json.dumps(
    {
        "type": "record",
        "name": "R",
        "fields": [
            {"name": "a", "type": "long"},
            {
                "name": "b",
                "type": {"type": "array", "items": ["null", "string", {"type": "map", "values": "double"}]},
            },
            {"name": "n", "type": {"type": "array", "items": "null"}},
            {"name": "d", "type": {"type": "bytes", "logicalType": "decimal", "precision": 30, "scale": 2}},
            {"name": "t", "type": {"type": "long", "logicalType": "timestamp-micros"}},
            {"name": "s", "type": "string"},
        ],
    }
)
GOOD_AVRO = (
    b"\0\0\0\0\x05"
    + b"\x03"  # a
    + b"\x06\x00\x02\x02x\x04\x02\x02k" + b"\0" * 8 + b"\x00\x00"  # b: null, "x", {"k": 0.0}
    + b"\x04\x00"  # n
    + b"\x04\x01\x02"  # d
    + b"\x08"  # t
    + b"\x04hi"  # s
)  # fmt: skip


@settings(max_examples=examples(100), deadline=None, suppress_health_check=SLOW)
@given(
    st.lists(
        mutations(GOOD_AVRO)
        | st.binary(max_size=40)
        | st.binary(max_size=40).map(lambda b: b"\0\0\0\0\x05" + b),
        min_size=1,
        max_size=5,
    )
)
def test_avro(bad: list[bytes]) -> None:
    side = Side(Format.AVRO, avro_to_arrow(AVRO), AVRO)
    neighbours_are_intact(side, GOOD_AVRO, bad, Schemas({5: AVRO}))


@settings(max_examples=examples(40), deadline=None, suppress_health_check=SLOW)
@given(schemas_with_values(), st.data())
def test_avro_of_any_schema(case: tuple[str, list[tuple[Any, Any]]], data: st.DataObject) -> None:
    schema, pairs = case
    type = avro_to_arrow(schema)
    side = Side(Format.AVRO, type, schema)
    good = encode(side, [pairs[0][1]], 5).data[0].as_py()
    bad = data.draw(st.lists(mutations(good), min_size=1, max_size=3))
    neighbours_are_intact(side, good, bad, Schemas({5: schema}))


@settings(max_examples=examples(40), deadline=None, suppress_health_check=SLOW)
@given(schemas(), schemas(), st.data())
def test_avro_of_one_schema_read_with_another(writer: Any, reader: Any, data: st.DataObject) -> None:
    texts = json.dumps(writer), json.dumps(reader)
    side = Side(Format.AVRO, avro_to_arrow(texts[1]), texts[1])
    values = data.draw(
        st.lists(st.binary(max_size=30).map(lambda b: b"\0\0\0\0\x05" + b), min_size=1, max_size=3)
    )
    found = decode(side, values, registry=Schemas({5: texts[0]}))
    found.columns[0].validate(full=True)


LINE = pa.struct([("a", pa.int64()), ("b", pa.string()), ("c", pa.float64()), ("d", pa.date32())])
GOOD_LINE = b'1,"x, ""y""",1.5,2018-05-10\r\n'


@settings(max_examples=examples(75), deadline=None, suppress_health_check=SLOW)
@given(st.lists(mutations(GOOD_LINE) | st.binary(max_size=20), min_size=1, max_size=5))
def test_csv(bad: list[bytes]) -> None:
    neighbours_are_intact(Side(Format.CSV, LINE), GOOD_LINE, bad)


@settings(max_examples=examples(50), deadline=None)
@given(st.sampled_from(list(TYPES)), st.lists(st.binary(max_size=9), min_size=1, max_size=5))
def test_primitives(format: Format, bad: list[bytes]) -> None:
    good = encode(Side(format, TYPES[format]), [{Format.STRING: "x", Format.BYTES: b"x"}.get(format, 1)])
    neighbours_are_intact(Side(format, TYPES[format]), good.data[0].as_py(), bad)
