from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from headrace.errors import ProgramError
from headrace.formats import make_encoder
from headrace.formats.interface import Format, Side
from tests.unit.formats.decoding import encode


def text(type: pa.DataType, value: Any) -> str:
    found = encode(Side(Format.JSON, type), [value])
    assert found.errors == ()
    return str(found.data[0].as_py().decode())


def test_a_record_is_written_with_its_nulls() -> None:
    type = pa.struct([("MMSI", pa.int64()), ("Speed", pa.float64()), ("name", pa.string())])
    assert text(type, {"MMSI": 1, "Speed": 12.3}) == '{"MMSI":1,"Speed":12.3,"name":null}'


@pytest.mark.parametrize(
    ("type", "value", "expected"),
    [
        (pa.bool_(), True, "true"),
        (pa.uint64(), 2**64 - 1, "18446744073709551615"),
        (pa.int8(), -1, "-1"),
        (pa.float64(), 0.1, "0.1"),
        (pa.float64(), 100.0, "100.0"),
        (pa.float64(), -0.0, "-0.0"),
        (pa.float32(), pa.scalar(0.1, pa.float32()).as_py(), "0.1"),
        (pa.string(), 'a"\\/\n\r\t\b\f\x01é😀', r'"a\"\\/\n\r\t\b\f\u0001é😀"'),
        (pa.binary(), b"hi", '"aGk="'),
        (pa.decimal128(10, 2), Decimal("-0.05"), "-0.05"),
        (pa.date32(), dt.date(2018, 5, 10), '"2018-05-10"'),
        (pa.time32("ms"), dt.time(1, 2, 3, 4000), '"01:02:03.004"'),
        (pa.time64("us"), dt.time(1, 2, 3), '"01:02:03"'),
        (pa.timestamp("ms", tz="UTC"), dt.datetime(2018, 5, 10, 12, 34, 56, tzinfo=dt.UTC), "1525955696000"),
        (pa.timestamp("us"), dt.datetime(1969, 12, 31, 23, 59, 59, 999999), "-1"),  # noqa: DTZ001
        (pa.timestamp("s"), dt.datetime(1970, 1, 1, 0, 0, 1), "1000"),  # noqa: DTZ001
        (pa.list_(pa.int64()), [1, None], "[1,null]"),
        (pa.list_(pa.int64()), [], "[]"),
        (pa.map_(pa.string(), pa.int64()), [("a", 1), ('"', None)], r'{"a":1,"\"":null}'),
        (pa.struct([]), {}, "{}"),
        (pa.struct([('a"', pa.int64())]), {'a"': 1}, r'{"a\"":1}'),
        (pa.struct([("a", pa.struct([("b", pa.list_(pa.struct([("c", pa.null())])))]))]), {"a": {"b": [{}]}},
         '{"a":{"b":[{"c":null}]}}'),
    ],
)  # fmt: skip
def test_values_are_written(type: pa.DataType, value: Any, expected: str) -> None:
    assert text(type, value) == expected


def test_a_null_row_is_a_tombstone() -> None:
    found = encode(Side(Format.JSON, pa.struct([("a", pa.int64())])), [{"a": 1}, None, {}])
    assert found.data.to_pylist() == [b'{"a":1}', None, b'{"a":null}']


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_json_cannot_hold_is_an_error_of_its_row(value: float) -> None:
    found = encode(
        Side(Format.JSON, pa.struct([("a", pa.float64())])), [{"a": 1.0}, {"a": value}, {"a": 2.0}]
    )
    assert found.data.to_pylist() == [b'{"a":1.0}', None, b'{"a":2.0}']
    assert [(error.row, error.reason) for error in found.errors] == [
        (1, "field `a`: JSON has no NaN and no infinity")
    ]


def test_a_time_that_is_none_is_an_error_of_its_row() -> None:
    array = pa.array([0, -1, 86_400_000], pa.int32()).cast(pa.time32("ms"))
    found = encode(Side(Format.JSON, pa.time32("ms")), array)
    assert found.data.to_pylist() == [b'"00:00:00"', None, None]


def test_slices_are_written() -> None:
    type = pa.struct([("a", pa.list_(pa.string())), ("b", pa.map_(pa.string(), pa.int32()))])
    array = pa.array([{"a": [str(n)] * n, "b": [("k", n)]} for n in range(5)], type).slice(2, 2)
    assert encode(Side(Format.JSON, type), array).data.to_pylist() == [
        b'{"a":["2","2"],"b":{"k":2}}',
        b'{"a":["3","3","3"],"b":{"k":3}}',
    ]


def test_null_records_hide_what_their_fields_hold() -> None:
    child = pa.array([1, 2], pa.int64())
    array = pa.StructArray.from_arrays([child], names=["a"], mask=pa.array([False, True]))
    outer = pa.StructArray.from_arrays([array], names=["o"])
    assert encode(Side(Format.JSON, outer.type), outer).data.to_pylist() == [b'{"o":{"a":1}}', b'{"o":null}']


def test_an_array_of_another_type_is_refused() -> None:
    encoder = make_encoder(Side(Format.JSON, pa.int64()))
    with pytest.raises(TypeError, match="Int64 is expected"):
        encoder.encode(pa.array(["x"]))


def test_nullability_of_the_array_does_not_count() -> None:
    side = Side(Format.JSON, pa.struct([pa.field("a", pa.int64(), nullable=False)]))
    array = pa.array([{"a": 1}, {"a": None}], pa.struct([("a", pa.int64())]))
    assert encode(side, array).data.to_pylist() == [b'{"a":1}', b'{"a":null}']


def test_a_type_that_json_cannot_hold_is_refused() -> None:
    with pytest.raises(ProgramError, match="FMT0102"):
        make_encoder(Side(Format.JSON, pa.month_day_nano_interval()))
