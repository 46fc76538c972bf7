"""ROWS: any type goes to bytes and back, and bytes that are not what was written are a fault of their record."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace.errors import ProgramError
from headrace.formats import make_decoder
from headrace.formats.interface import Format, Side
from tests.unit.formats.decoding import decode, encode, examples

Typed = tuple[pa.DataType, st.SearchStrategy[Any]]

PLAIN: list[Typed] = [
    (pa.null(), st.none()),
    (pa.bool_(), st.booleans()),
    *[
        (type, st.integers(-(2 ** (type.bit_width - 1)), 2 ** (type.bit_width - 1) - 1))
        for type in (pa.int8(), pa.int16(), pa.int32(), pa.int64())
    ],
    *[
        (type, st.integers(0, 2**type.bit_width - 1))
        for type in (pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64())
    ],
    (pa.float32(), st.floats(width=32, allow_nan=False)),
    (pa.float64(), st.floats(allow_nan=False)),
    (pa.decimal128(10, 2), st.decimals(-99999999, 99999999, places=2)),
    (pa.decimal128(38, 0), st.integers(-(10**38) + 1, 10**38 - 1).map(Decimal)),
    (pa.string(), st.text(st.characters(codec="utf-8"), max_size=40)),
    (pa.binary(), st.binary(max_size=40)),
    (pa.date32(), st.dates()),
    (pa.time32("ms"), st.times().map(lambda time: time.replace(microsecond=time.microsecond // 1000 * 1000))),
    (pa.time64("us"), st.times()),
    (pa.timestamp("ms", "UTC"), st.integers(-(10**12), 10**13)),
    (pa.timestamp("us"), st.integers(-(10**15), 10**16)),
]


@st.composite
def types(draw: st.DrawFn, depth: int = 2) -> Typed:
    """A type with a strategy for its values, nulls among them."""
    kinds = ["plain", "plain", "list", "map", "struct"] if depth else ["plain"]
    match draw(st.sampled_from(kinds)):
        case "list":
            item, items = draw(types(depth - 1))
            return pa.list_(item), st.none() | st.lists(items, max_size=3)
        case "map":
            key, keys = draw(st.sampled_from([one for one in PLAIN if not pa.types.is_null(one[0])]))
            item, items = draw(types(depth - 1))
            entries = st.lists(st.tuples(keys, items), max_size=3)
            return pa.map_(key, item), st.none() | entries
        case "struct":
            return draw(records(depth - 1, nullable=True))
        case _:
            type, values = draw(st.sampled_from(PLAIN))
            return type, st.none() | values


@st.composite
def records(draw: st.DrawFn, depth: int, nullable: bool) -> Typed:
    """A struct with a strategy for its values."""
    fields = draw(st.lists(types(depth), min_size=1, max_size=4))
    names = [f"f{number}" for number in range(len(fields))]
    values = st.fixed_dictionaries({name: value for name, (_, value) in zip(names, fields, strict=True)})
    type = pa.struct([(name, type) for name, (type, _) in zip(names, fields, strict=True)])
    return type, (st.none() | values) if nullable else values


@settings(max_examples=examples(50), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_any_type_comes_back(data: st.DataObject) -> None:
    type, values = data.draw(records(3, nullable=True) | types())
    array = pa.array(data.draw(st.lists(values, max_size=6)), type)
    side = Side(Format.ROWS, type)
    encoded = encode(side, array)
    assert encoded.errors == ()
    assert encoded.data.is_null().equals(array.is_null())
    decoded = decode(side, encoded.data.to_pylist())
    assert decoded.errors == ()
    decoded.columns[0].validate(full=True)
    assert decoded.columns[0].equals(array)


def written(value: object) -> bytes:
    """Give the bytes of one record."""
    (data,) = encode(Side(Format.ROWS, RECORD), pa.array([value], RECORD)).data.to_pylist()
    assert data is not None
    return bytes(data)


def test_floats_come_back_bit_by_bit() -> None:
    side = Side(Format.ROWS, pa.float64())
    values = pa.array([-0.0, math.nan, math.inf, -math.inf, 5e-324])
    found = decode(side, encode(side, values).data.to_pylist()).columns[0]
    assert list(map(math.copysign, [1.0], [found[0].as_py()])) == [-1.0]
    assert [str(value) for value in found.to_pylist()] == [str(value) for value in values.to_pylist()]


RECORD = pa.struct([("id", pa.int64()), ("at", pa.struct([("x", pa.int32()), ("y", pa.string())]))])
VALUE = {"id": 1, "at": {"x": 2, "y": "z"}}


def test_paths_lead_into_records() -> None:
    side = Side(Format.ROWS, RECORD)
    data = encode(side, pa.array([VALUE, None, {"id": 2, "at": None}], RECORD)).data.to_pylist()
    found = decode(side, data, [("at", "y"), ("id",), ("at",)])
    assert [column.to_pylist() for column in found.columns] == [
        ["z", None, None],
        [1, None, 2],
        [{"x": 2, "y": "z"}, None, None],
    ]


def test_a_path_that_leads_nowhere_is_refused() -> None:
    with pytest.raises(ProgramError, match="no field `z`"):
        make_decoder(Side(Format.ROWS, RECORD), [("at", "z")])


def test_no_rows() -> None:
    side = Side(Format.ROWS, RECORD)
    assert decode(side, []).columns[0].equals(pa.array([], RECORD))
    assert len(encode(side, pa.array([], RECORD)).data) == 0


@settings(max_examples=examples(75), deadline=None)
@given(st.binary(max_size=60), st.integers(0, 200), st.binary(min_size=1, max_size=4))
def test_bytes_that_were_not_written_are_faults_of_their_record(
    noise: bytes, place: int, change: bytes
) -> None:
    side = Side(Format.ROWS, RECORD)
    good = written(VALUE)
    place %= len(good)
    changed = good[:place] + change + good[place:]
    found = decode(side, [good, noise, good, changed, good[:place]])
    assert [error.row for error in found.errors] == [1, 3, 4]
    assert {error.reason for error in found.errors} == {"the bytes are damaged, or of another type"}
    assert found.columns[0].to_pylist() == [VALUE, None, VALUE, None, None]


@pytest.mark.parametrize(
    "other",
    [pa.struct([("id", pa.int64()), ("at", pa.string())]), pa.struct([("no", pa.int64())]), pa.int64()],
)
def test_bytes_of_another_type_are_faults(other: pa.DataType) -> None:
    good = written(VALUE)
    assert [error.row for error in decode(Side(Format.ROWS, other), [good]).errors] == [0]


def test_whether_a_field_may_be_null_does_not_matter() -> None:
    strict = pa.struct([pa.field("id", pa.int64(), nullable=False)])
    (good,) = encode(Side(Format.ROWS, strict), pa.array([{"id": 1}], strict)).data.to_pylist()
    loose = Side(Format.ROWS, pa.struct([("id", pa.int64())]))
    assert decode(loose, [good]).columns[0].to_pylist() == [{"id": 1}]
