from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from headrace.errors import ProgramError
from headrace.formats import make_decoder, make_encoder
from headrace.formats.interface import Format, Side
from tests.unit.formats.decoding import decode

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


def test_nothing_is_written() -> None:
    with pytest.raises(ProgramError, match="FMT0103"):
        make_encoder(Side(Format.CSV, LINE))
