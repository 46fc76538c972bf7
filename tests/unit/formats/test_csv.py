from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.errors import ProgramError
from headrace.formats import make_decoder, make_encoder
from headrace.formats.interface import Format, Side
from tests.unit.formats.decoding import decode, examples

LINE = pa.struct([("id", pa.int64()), ("name", pa.string()), ("price", pa.decimal128(10, 2))])


def rows(*lines: str | bytes, type: pa.DataType = LINE, **properties: str) -> tuple[list[Any], list[int]]:
    found = decode(Side(Format.CSV, type, properties=properties), lines)
    return found.columns[0].to_pylist(), [error.row for error in found.errors]


def test_columns_are_read_by_position() -> None:
    assert rows('1,"a ""b"", c",12.50\r\n', "2,,") == (
        [
            {"id": 1, "name": 'a "b", c', "price": Decimal("12.50")},
            {"id": 2, "name": None, "price": None},
        ],
        [],
    )


def test_only_the_asked_columns_are_read() -> None:
    found = decode(Side(Format.CSV, LINE), ["x,y,1.00", "x,y,z"], [("price",)])
    assert found.columns[0].to_pylist() == [Decimal("1.00"), None]
    assert [error.row for error in found.errors] == [1]


def test_quotes_make_empty_text_of_null() -> None:
    assert rows('1,"",') == ([{"id": 1, "name": "", "price": None}], [])


def test_missing_columns_at_the_end_are_null() -> None:
    assert rows("1", "") == (
        [{"id": 1, "name": None, "price": None}, {"id": None, "name": None, "price": None}],
        [],
    )


@pytest.mark.parametrize(
    "line", ["1,a,2,3", '1,"a', '1,"a"b,2', '1,a"b,2', "x,a,1", "1,a,1.234", "1\n2", b"\xff,a,1"]
)
def test_bad_lines_are_refused_alone(line: str | bytes) -> None:
    good = {"id": 9, "name": "n", "price": None}
    assert rows("9,n", line, "9,n") == ([good, None, good], [1])


def test_another_delimiter() -> None:
    assert rows("1;a,b;2", delimiter=";") == ([{"id": 1, "name": "a,b", "price": Decimal("2.00")}], [])


def test_all_scalar_types_are_read() -> None:
    type = pa.struct(
        [
            ("b", pa.bool_()), ("f", pa.float64()), ("d", pa.date32()), ("t", pa.time32("ms")),
            ("ts", pa.timestamp("ms", tz="UTC")), ("x", pa.binary()), ("u", pa.uint8()),
        ]
    )  # fmt: skip
    at = dt.datetime(2018, 5, 10, 12, 34, 56, tzinfo=dt.UTC)
    expected = {
        "b": True, "f": 1500.0, "d": at.date(), "t": dt.time(12, 34, 56), "ts": at, "x": b"hi", "u": 255,
    }  # fmt: skip
    lines = [
        "TRUE, 1.5e3,2018-05-10,12:34:56,2018-05-10 12:34:56,aGk=,255",
        "1,1500,17661,45296000,1525955696000,aGk=,2.55e2",
    ]
    assert rows(*lines, type=type) == ([expected, expected], [])


@pytest.mark.parametrize("line", ["maybe,1", "true,nan", "true,inf", "true,1e999", "true,0x1"])
def test_values_that_do_not_fit_are_refused(line: str) -> None:
    type = pa.struct([("b", pa.bool_()), ("f", pa.float64())])
    assert rows(line, type=type) == ([None], [0])


@pytest.mark.parametrize("delimiter", ["", ";;", '"', "\n", "é"])
def test_a_delimiter_that_cannot_be_is_refused(delimiter: str) -> None:
    with pytest.raises(ProgramError, match="delimiter"):
        make_decoder(Side(Format.CSV, LINE, properties={"delimiter": delimiter}), [()])


def test_types_that_csv_cannot_hold_are_refused() -> None:
    with pytest.raises(ProgramError, match="records"):
        make_decoder(Side(Format.CSV, pa.int64()), [()])
    with pytest.raises(ProgramError, match="`a`"):
        make_decoder(Side(Format.CSV, pa.struct([("a", pa.list_(pa.int64()))])), [()])


def _instant(millis: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(0, dt.UTC) + dt.timedelta(milliseconds=millis)


WRITTEN = pa.struct(
    [
        ("n", pa.int64()),
        ("text", pa.string()),
        ("share", pa.float64()),
        ("at", pa.timestamp("ms", "UTC")),
        ("price", pa.decimal128(10, 2)),
        ("ok", pa.bool_()),
        ("raw", pa.binary()),
    ]
)


@given(
    st.lists(
        st.none()
        | st.fixed_dictionaries(
            {
                "n": st.none() | st.integers(-(2**63), 2**63 - 1),
                "text": st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
                "share": st.none() | st.floats(allow_nan=False, allow_infinity=False),
                "at": st.none() | st.integers(0, 2**42).map(_instant),
                "price": st.none() | st.decimals(-10_000, 10_000, places=2),
                "ok": st.none() | st.booleans(),
                "raw": st.none() | st.binary(max_size=4),
            }
        ),
        max_size=5,
    ),
    st.sampled_from([",", ";", "|", "\t", "^"]),
)
@settings(max_examples=examples(50))
def test_what_is_written_is_read_as_it_was(rows: list[dict[str, Any] | None], delimiter: str) -> None:
    values: Any = pa.array(rows, WRITTEN)
    side = Side(Format.CSV, WRITTEN, properties={"delimiter": delimiter})
    encoded = make_encoder(side).encode(values)
    assert encoded.errors == ()
    decoded = make_decoder(side, [()]).decode(encoded.data)
    assert decoded.errors == ()
    assert decoded.columns[0].to_pylist() == values.to_pylist()


def test_text_is_quoted_only_where_it_must_be() -> None:
    type = pa.struct([("a", pa.string()), ("b", pa.string())])
    rows = [{"a": "x", "b": "y z"}, {"a": 'say "x"', "b": "1,2"}, {"a": "", "b": None}]
    encoded = make_encoder(Side(Format.CSV, type)).encode(pa.array(rows, type))
    assert encoded.data.to_pylist() == [b"x,y z", b'"say ""x""","1,2"', b'"",']


def test_a_number_that_has_no_text_is_an_error_of_its_row() -> None:
    type = pa.struct([("x", pa.float64()), ("n", pa.int64())])
    values = pa.array([{"x": 1.5, "n": 1}, {"x": float("nan"), "n": 2}, {"x": None, "n": 3}], type)
    encoded = make_encoder(Side(Format.CSV, type)).encode(values)
    assert encoded.data.to_pylist() == [b"1.5,1", None, b",3"]
    assert [(item.row, "`x`" in item.reason) for item in encoded.errors] == [(1, True)]


def test_what_csv_cannot_hold_is_not_written() -> None:
    for type in (pa.int64(), pa.struct([("a", pa.list_(pa.int64()))])):
        with pytest.raises(ProgramError, match="FMT0102"):
            make_encoder(Side(Format.CSV, type))
