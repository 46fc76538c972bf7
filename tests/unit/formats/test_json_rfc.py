"""What RFC 8259 calls JSON, and what it does not, by its sections. Each text stands between good ones, which must not notice."""

from __future__ import annotations

import pyarrow as pa
import pytest

from headrace.formats.interface import Format, Side
from tests.unit.formats.decoding import decode

TEXT = pa.struct([("n", pa.int64()), ("v", pa.string())])
NUMBER = pa.struct([("n", pa.int64()), ("v", pa.float64())])

VALUES = {
    # Section 2: white space and structure.
    "white space": b" \t\r\n1 \t\r\n",
    "an empty array": b"[ ]",
    "an empty object": b"{\n}",
    "white space between all tokens": b'{ "a" : [ 1 , { "b" : null } ] }',
    # Section 3: words.
    "true": b"true",
    "false": b"false",
    "null": b"null",
    # Section 4: objects.
    "equal names": b'{"a":1,"a":2}',
    "an empty name": b'{"":0}',
    "a name with escapes": b'{"\\u0061\\n":0}',
    "a name with a zero": b'{"\\u0000":0}',
    # Section 6: numbers.
    "zero": b"0",
    "minus zero": b"-0",
    "a fraction": b"-0.5",
    "zeros behind the point": b"1.000",
    "a small exponent": b"1e-9",
    "a capital exponent": b"2E+2",
    "an exponent with zeros before": b"1e007",
    "more digits than any type has": b"1" * 400,
    "an exponent beyond every number": b"1e400",
    # Section 7: strings.
    "an empty string": b'""',
    "all short escapes": b'"\\"\\\\\\/\\b\\f\\n\\r\\t"',
    "a pair of surrogates": b'"\\uD83D\\ude00"',
    "an escaped zero": b'"\\u0000"',
    "bytes of two, three and four": '"\u00e9\u20ac\U0001f600"'.encode(),
    "delete, which is no control character here": b'"\x7f"',
    "line separators": '"\u2028\u2029"'.encode(),
    "a non-character": '"\uffff"'.encode(),
    # Section 9 allows a limit of depth.
    "an array in an array": b"[" * 100 + b"]" * 100,
}

BROKEN = {
    # Section 2.
    "nothing": b"",
    "another white space": b"\x0b1",
    "a no-break space": b"\xc2\xa01",
    "a byte order mark": b"\xef\xbb\xbf1",
    "two values": b"1 2",
    "a comma behind the value": b"1,",
    "a bracket too many": b"[]]",
    "a bracket that is not closed": b"[1",
    "a brace that is closed by a bracket": b'{"a":1]',
    "a comment": b"1 // one",
    "another comment": b"/* */ 1",
    # Section 3.
    "a capital word": b"True",
    "a word too short": b"nul",
    "a word too long": b"truex",
    "not a number": b"NaN",
    "infinity": b"-Infinity",
    "undefined": b"undefined",
    # Section 4.
    "a name without quotes": b"{a:1}",
    "a name in single quotes": b"{'a':1}",
    "a number as a name": b"{1:1}",
    "no colon": b'{"a" 1}',
    "two colons": b'{"a"::1}',
    "no value": b'{"a":}',
    "no comma": b'{"a":1 "b":2}',
    "a comma at the end of an object": b'{"a":1,}',
    "a comma at its beginning": b'{,"a":1}',
    "a value without a name": b'{"a"}',
    # Section 5.
    "a comma at the end of an array": b"[1,]",
    "a comma at the beginning of an array": b"[,1]",
    "two commas": b"[1,,2]",
    "no comma between values": b"[1 2]",
    "a colon in an array": b'["a":1]',
    "a comma alone": b"[,]",
    # Section 6.
    "a plus": b"+1",
    "a zero before": b"01",
    "a minus and a zero before": b"-01",
    "a minus alone": b"-",
    "two minuses": b"--1",
    "a minus and a space": b"- 1",
    "a point before": b".5",
    "a point behind": b"1.",
    "a point and an exponent": b"1.e5",
    "two points": b"1.2.3",
    "an exponent without digits": b"1e",
    "an exponent with a sign alone": b"1e+",
    "two exponents": b"1e2e3",
    "a fraction in an exponent": b"1e2.5",
    "a number to the base of 16": b"0x1F",
    "an underscore": b"1_000",
    "a letter behind": b"1a",
    "digits of another script": "\uff11".encode(),
    # Section 7.
    "a string that is not closed": b'"a',
    "a quote that is escaped at the end": b'"a\\"',
    "single quotes": b"'a'",
    "a line end": b'"a\nb"',
    "a tabulator": b'"a\tb"',
    "a zero": b'"a\x00b"',
    "the last control character": b'"\x1f"',
    "an unknown escape": b'"\\x41"',
    "an escape of a digit": b'"\\0"',
    "an escape of four capital digits": b'"\\U0041"',
    "too few digits": b'"\\u00e"',
    "digits that are none": b'"\\u00g0"',
    "a backslash at the end": b'"\\',
    # Section 8.1: UTF-8. A surrogate alone stands for no text.
    "a byte that begins nothing": b'"\xff"',
    "a byte that goes on with nothing": b'"\x80"',
    "a sequence that ends early": b'"\xe2\x82"',
    "a sequence longer than needed": b'"\xc0\xaf"',
    "a surrogate as bytes": b'"\xed\xa0\x80"',
    "a code beyond the last one": b'"\xf4\x90\x80\x80"',
    "a first surrogate alone": b'"\\ud800"',
    "a second surrogate alone": b'"\\udc00"',
    "surrogates in the wrong order": b'"\\udc00\\ud800"',
    "a first surrogate before text": b'"\\ud800abc"',
    "sixteen bits a character": "1".encode("utf-16-le"),
    # Section 9: our limit of depth.
    "arrays that are nested too deep": b"[" * 100_000,
    "objects that are nested too deep": b'{"a":' * 100_000,
}

GOOD = b'{"n":7,"v":"ok"}'


def member(value: bytes) -> bytes:
    return b'{"v":' + value + b',"n":1}'


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
def test_json_is_read(value: bytes) -> None:
    found = decode(Side(Format.JSON, TEXT), [GOOD, member(value), GOOD], [("n",)])
    assert found.errors == ()
    assert found.columns[0].to_pylist() == [7, 1, 7]
    found = decode(Side(Format.JSON, TEXT), [GOOD, member(value), GOOD], [("v",)])
    assert found.errors == ()
    alone = decode(Side(Format.JSON, pa.string()), [b"1", value, b"2"], [()])
    assert alone.errors == ()
    assert alone.columns[0].to_pylist()[::2] == ["1", "2"]


@pytest.mark.parametrize("value", BROKEN.values(), ids=BROKEN.keys())
def test_anything_else_fails_alone(value: bytes) -> None:
    """Whether the place is read as text, as a number, is not read at all, or is the whole text."""
    for side, path in (
        (Side(Format.JSON, TEXT), ("n",)),
        (Side(Format.JSON, TEXT), ("v",)),
        (Side(Format.JSON, NUMBER), ("v",)),
        (Side(Format.JSON, TEXT), ()),
    ):
        good = GOOD if side.type == TEXT else b'{"n":7,"v":2.5}'
        found = decode(side, [good, member(value), good], [path])
        assert [error.row for error in found.errors] == [1]
        kept = found.columns[0].to_pylist()
        assert kept[0] == kept[2] is not None
        assert kept[1] is None
    alone = decode(Side(Format.JSON, pa.string()), [b"1", value, b"2"], [()])
    assert [error.row for error in alone.errors] == [1]
    assert alone.columns[0].to_pylist() == ["1", None, "2"]
