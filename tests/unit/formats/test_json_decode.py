from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from headrace.errors import ProgramError
from headrace.formats import make_decoder
from headrace.formats.interface import Format, RowError, Side
from tests.unit.formats.decoding import decode, decode_json

UTC_MILLIS = pa.timestamp("ms", tz="UTC")
VESSEL = pa.struct(
    [
        ("MMSI", pa.int64()),
        ("Speed", pa.float64()),
        ("Position", pa.struct([("Lat", pa.float64()), ("Long", pa.float64())])),
    ]
)


def good(type: pa.DataType, text: str) -> Any:
    values, errors = decode_json(type, text)
    assert errors == {}
    return values[0]


def reason(type: pa.DataType, text: str | bytes) -> str:
    values, errors = decode_json(type, text)
    assert values == [None]
    return errors[0]


def test_only_the_asked_paths_come_each_as_a_column() -> None:
    side = Side(Format.JSON, VESSEL)
    text = '{"MMSI": 1, "Speed": 2.5, "Position": {"Lat": 3, "Long": 4, "Alt": 5}, "Other": [1, {"a": null}]}'
    found = decode(side, [text], [("Position", "Long"), ("MMSI",)])
    assert [column.to_pylist() for column in found.columns] == [[4.0], [1]]
    assert found.columns[0].type == pa.float64()


def test_a_path_and_its_whole_can_both_be_asked_for() -> None:
    found = decode(
        Side(Format.JSON, VESSEL), ['{"Position":{"Lat":3}}'], [("Position", "Lat"), ("Position",), ()]
    )
    assert [column.to_pylist() for column in found.columns] == [
        [3.0],
        [{"Lat": 3.0, "Long": None}],
        [{"MMSI": None, "Speed": None, "Position": {"Lat": 3.0, "Long": None}}],
    ]


@pytest.mark.parametrize("text", ['{"Position": null}', "{}", "null", '{"Position": {"Lat": null}}'])
def test_a_path_through_a_missing_parent_is_null(text: str) -> None:
    found = decode(Side(Format.JSON, VESSEL), [text], [("Position", "Lat")])
    assert found.columns[0].to_pylist() == [None]
    assert found.errors == ()


def test_fields_that_nobody_asks_for_may_be_of_any_type() -> None:
    found = decode(Side(Format.JSON, VESSEL), ['{"MMSI": 7, "Speed": {"knots": 1}}'], [("MMSI",)])
    assert found.columns[0].to_pylist() == [7]
    assert found.errors == ()


def test_fields_that_nobody_asks_for_must_still_be_json() -> None:
    found = decode(Side(Format.JSON, VESSEL), ['{"MMSI": 7, "Speed": 01}'], [("MMSI",)])
    assert found.columns[0].to_pylist() == [None]
    assert [error.row for error in found.errors] == [0]


def test_no_path_still_tells_the_bad_rows() -> None:
    found = decode(Side(Format.JSON, VESSEL), ["{}", "{"], [])
    assert found.columns == ()
    assert [error.row for error in found.errors] == [1]


def test_a_bad_row_leaves_its_neighbours_alone() -> None:
    values, errors = decode_json(
        pa.struct([("a", pa.int32()), ("tags", pa.list_(pa.string()))]),
        '{"a":1,"tags":["x","y"]}',
        '{"a":2,"tags":["z",',
        None,
        '{"a":"no","tags":["w"]}',
        '{"tags":["v"],"a":5}',
    )
    assert values == [{"a": 1, "tags": ["x", "y"]}, None, None, None, {"a": 5, "tags": ["v"]}]
    assert sorted(errors) == [1, 3]


def test_the_reason_names_the_field_and_not_the_value() -> None:
    found = decode(Side(Format.JSON, VESSEL), ['{"Position": {"Lat": "secret"}}'], [()])
    assert found.errors == (RowError(0, "field `Position.Lat`: text where a number is expected"),)


@pytest.mark.parametrize(
    ("type", "text", "expected"),
    [
        (pa.bool_(), " true ", True),
        (pa.int8(), "-128", -128),
        (pa.int64(), "9223372036854775807", 2**63 - 1),
        (pa.int64(), "-9223372036854775808", -(2**63)),
        (pa.uint64(), "18446744073709551615", 2**64 - 1),
        (pa.int64(), "1.0", 1),
        (pa.int64(), "1.5e1", 15),
        (pa.int64(), "0.00", 0),
        (pa.int64(), "-0", 0),
        (pa.int32(), "120e-1", 12),
        (pa.float64(), "3", 3.0),
        (pa.float64(), "0.1", 0.1),
        (pa.float64(), "1e-400", 0.0),
        (pa.float64(), "123456789012345678901234567890", 123456789012345678901234567890.0),
        (pa.float64(), "2.2250738585072011e-308", 2.2250738585072011e-308),
        (pa.float64(), "9007199254740993", 9007199254740992.0),
        (pa.float32(), "0.1", pa.scalar(0.1, pa.float32()).as_py()),
        (pa.decimal128(38, 2), "-12345678901234567890.12", Decimal("-12345678901234567890.12")),
        (pa.decimal128(5, 2), '"1.50"', Decimal("1.50")),
        (pa.decimal128(20, 0), "1e3", Decimal(1000)),
        (pa.string(), r'"A\n\"\/\\ 😀 é"', 'A\n"/\\ 😀 é'),
        (pa.string(), '""', ""),
        (pa.string(), '{"a": [1, 2 ]}', '{"a": [1, 2 ]}'),
        (pa.string(), " 1.50 ", "1.50"),
        (pa.string(), "true", "true"),
        (pa.binary(), '"aGk="', b"hi"),
        (pa.date32(), '"2018-05-10"', dt.date(2018, 5, 10)),
        (pa.date32(), "1", dt.date(1970, 1, 2)),
        (pa.time32("ms"), '"12:34:56.789"', dt.time(12, 34, 56, 789000)),
        (pa.time64("us"), "1000", dt.time(0, 0, 1)),
        (UTC_MILLIS, '"2018-05-10T14:34:56+02:00"', dt.datetime(2018, 5, 10, 12, 34, 56, tzinfo=dt.UTC)),
        (UTC_MILLIS, "1525955696000", dt.datetime(2018, 5, 10, 12, 34, 56, tzinfo=dt.UTC)),
        (pa.timestamp("us"), "-1", dt.datetime(1969, 12, 31, 23, 59, 59, 999000)),  # noqa: DTZ001
        (pa.list_(pa.int64()), "[1, null,3]", [1, None, 3]),
        (pa.list_(pa.int64()), "[ ]", []),
        (pa.list_(pa.list_(pa.bool_())), "[[true],[],null]", [[True], [], None]),
        (pa.map_(pa.string(), pa.int64()), '{"a":1,"b":null,"a":2}', [("b", None), ("a", 2)]),
        (pa.map_(pa.string(), pa.int64()), "{}", []),
        (pa.null(), "null", None),
        (pa.int64(), "null", None),
    ],
)
def test_values_are_read(type: pa.DataType, text: str, expected: Any) -> None:
    assert good(type, text) == expected


@pytest.mark.parametrize(
    ("type", "text"),
    [
        (pa.int8(), "128"),
        (pa.int64(), "9223372036854775808"),
        (pa.uint8(), "-1"),
        (pa.int64(), "1.5"),
        (pa.int64(), "1e400"),
        (pa.int64(), "1e999999999999999999999"),
        (pa.int64(), '"1"'),
        (pa.int64(), "true"),
        (pa.float64(), "1e400"),
        (pa.float64(), "-1e99999999999999999999"),
        (pa.float32(), "1e39"),
        (pa.float64(), "NaN"),
        (pa.float64(), "Infinity"),
        (pa.float64(), '"1.5"'),
        (pa.bool_(), "1"),
        (pa.bool_(), '"true"'),
        (pa.decimal128(5, 2), "1000"),
        (pa.decimal128(5, 2), "1.234"),
        (pa.decimal128(5, 2), '"abc"'),
        (pa.decimal128(5, 2), '"1.0.0"'),
        (pa.date32(), '"2018-02-30"'),
        (pa.time32("ms"), '"25:00:00"'),
        (UTC_MILLIS, '"yesterday"'),
        (UTC_MILLIS, "1e30"),
        (pa.binary(), '"%%"'),
        (pa.list_(pa.int64()), "{}"),
        (pa.struct([("a", pa.int64())]), "[]"),
        (pa.struct([("a", pa.int64())]), '"a"'),
        (pa.map_(pa.string(), pa.int64()), '{"a":"x","a":"y"}'),
        (pa.null(), "1"),
    ],
)
def test_values_that_do_not_fit_are_refused(type: pa.DataType, text: str) -> None:
    assert reason(type, text)


@pytest.mark.parametrize(
    "text",
    [
        b"", b" ", b"{", b"}", b"[1,]", b"[,1]", b"[1 2]", b'{"a"}', b'{"a":}', b'{"a":1,}', b"{a:1}", b"{'a':1}",
        b"01", b"-", b"+1", b"1.", b".5", b"1e", b"1e+", b"0x10", b"1_000", b"tru", b"truex", b"nul", b"nullx", b"1 2", b"{} x",
        b'"', b'"a', b'"\\', b'"\\x"', b'"\\u12"', b'"\\ud800"', b'"\\udc00"', b'"\\ud800\\u0041"', b'"a\nb"', b'"\x00"',
        b'"\xff"', b'"\xc3"', b'"\xed\xa0\x80"', b"\xef\xbb\xbf1", b"// c\n1", b"[1]/* c */", b"-Infinity", b"\x0c1",
    ],
)  # fmt: skip
def test_what_is_no_json_is_refused(text: bytes) -> None:
    assert reason(pa.string(), text)


def test_the_last_of_equal_names_counts() -> None:
    type = pa.struct([("a", pa.struct([("b", pa.int64()), ("c", pa.int64())])), ("d", pa.string())])
    assert good(type, '{"a":{"b":1,"c":2},"d":"x","a":{"c":3},"d":null}') == {
        "a": {"b": None, "c": 3},
        "d": None,
    }


def test_a_name_may_be_written_with_escapes() -> None:
    assert good(pa.struct([("Speed", pa.int64())]), r'{"\u0053peed": 3}') == {"Speed": 3}
    assert good(pa.struct([('a"b\\', pa.int64())]), r'{"a\"b\\": 3}') == {'a"b\\': 3}


def test_names_differ_by_case() -> None:
    type = pa.struct([("a", pa.int64()), ("A", pa.int64())])
    assert good(type, '{"A":1,"a":2}') == {"a": 2, "A": 1}


def test_many_fields_in_any_order() -> None:
    type = pa.struct([(f"f{n}", pa.int64()) for n in range(50)])
    text = "{" + ",".join(f'"f{n}":{n}' for n in reversed(range(0, 60, 3))) + "}"
    assert good(type, text) == {f"f{n}": n if n % 3 == 0 else None for n in range(50)}


def test_depth_is_limited() -> None:
    assert good(pa.string(), "[" * 128 + "]" * 128) == "[" * 128 + "]" * 128
    assert "deeper" in reason(pa.string(), "[" * 129 + "]" * 129)
    assert "deeper" in reason(pa.string(), '{"a":' * 1_000_000)


def test_a_null_is_let_through_where_the_type_says_it_should_not_be() -> None:
    type = pa.struct([pa.field("a", pa.int64(), nullable=False)])
    found = decode(Side(Format.JSON, type), ['{"a":null}', "{}"], [("a",)])
    assert found.columns[0].to_pylist() == [None, None]
    assert found.errors == ()


def test_ten_megabytes_are_read() -> None:
    long = "x" * 10_000_000
    values, errors = decode_json(pa.struct([("a", pa.string())]), '{"a":1}', f'{{"a":"{long}","b":"{long}"}}')
    assert values == [{"a": "1"}, {"a": long}]
    assert errors == {}


def test_sliced_input_is_read() -> None:
    decoder = make_decoder(Side(Format.JSON, pa.int64()), [()])
    data = pa.array([b"1", b"2", None, b"4"], pa.binary()).slice(1, 3)
    assert decoder.decode(data).columns[0].to_pylist() == [2, None, 4]
    assert decoder.decode(data.slice(0, 0)).columns[0].to_pylist() == []


@pytest.mark.parametrize("path", [("nothing",), ("MMSI", "x"), ("Position", "Alt")])
def test_a_path_that_leads_nowhere_is_refused(path: tuple[str, ...]) -> None:
    with pytest.raises(ProgramError, match="there is no field"):
        make_decoder(Side(Format.JSON, VESSEL), [path])


def test_a_type_that_json_cannot_hold_is_refused() -> None:
    with pytest.raises(ProgramError, match="FMT0102"):
        make_decoder(Side(Format.JSON, pa.struct([("a", pa.month_day_nano_interval())])), [()])
    with pytest.raises(ProgramError, match="text as keys"):
        make_decoder(Side(Format.JSON, pa.map_(pa.int64(), pa.int64())), [()])
