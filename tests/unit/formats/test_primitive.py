from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from headrace.errors import ProgramError
from headrace.formats import make_decoder, make_encoder
from headrace.formats.interface import Format, Side
from headrace.formats.primitive import TYPES
from tests.unit.formats.decoding import decode, encode


@pytest.mark.parametrize(
    ("format", "values", "expected"),
    [
        (Format.STRING, ["a", "", "é😀"], [b"a", b"", "é😀".encode()]),
        (Format.INT, [1, -2, 2**31 - 1], [b"\0\0\0\1", b"\xff\xff\xff\xfe", b"\x7f\xff\xff\xff"]),
        (Format.LONG, [1, -(2**63)], [b"\0\0\0\0\0\0\0\1", b"\x80\0\0\0\0\0\0\0"]),
        (Format.BYTES, [b"", b"\xff"], [b"", b"\xff"]),
    ],
)
def test_values_go_out_as_kafka_writes_them_and_come_back(
    format: Format, values: list[Any], expected: list[bytes]
) -> None:
    side = Side(format, TYPES[format])
    written = encode(side, [*values, None])
    assert written.data.to_pylist() == [*expected, None]
    assert written.errors == ()
    read = decode(side, written.data.to_pylist(), [(), ()])
    assert [column.to_pylist() for column in read.columns] == [[*values, None]] * 2
    assert read.errors == ()


@pytest.mark.parametrize(
    ("format", "bad", "reason"),
    [
        (Format.STRING, b"\xff", "not UTF-8"),
        (Format.INT, b"123", "3 bytes where 4 are expected"),
        (Format.INT, b"", "0 bytes where 4 are expected"),
        (Format.LONG, b"1234", "4 bytes where 8 are expected"),
    ],
)
def test_bad_bytes_are_refused_alone(format: Format, bad: bytes, reason: str) -> None:
    good = encode(
        Side(format, TYPES[format]), [{Format.STRING: "x", Format.BYTES: b"x"}.get(format, 1)]
    ).data.to_pylist()[0]
    found = decode(Side(format, TYPES[format]), [good, bad, good])
    assert found.columns[0].is_null().to_pylist() == [False, True, False]
    assert [(error.row, error.reason) for error in found.errors] == [(1, reason)]


@pytest.mark.parametrize("format", TYPES)
def test_another_type_is_refused(format: Format) -> None:
    side = Side(format, pa.float64())
    with pytest.raises(ProgramError, match="FMT0102"):
        make_decoder(side, [()])
    with pytest.raises(ProgramError, match="FMT0102"):
        make_encoder(side)


def test_fields_are_refused() -> None:
    with pytest.raises(ProgramError, match="no fields"):
        make_decoder(Side(Format.STRING, pa.string()), [("a",)])
