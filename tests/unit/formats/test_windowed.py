"""Keys with windows, as Kafka Streams writes them."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.formats import make_decoder, make_encoder
from headrace.formats.interface import Format, Side, Windowing
from headrace.formats.windowed import key_of, windowed

TEXT = Side(Format.STRING, pa.string())
NUMBER = Side(Format.INT, pa.int32())


def encoded(side: Side, *keys: tuple[object, int, int]) -> list[bytes | None]:
    rows = [{"key": key, "start": start, "end": end} for key, start, end in keys]
    return make_encoder(side).encode(pa.array(rows, side.type)).data.to_pylist()


def test_a_window_of_time_has_its_start_behind_the_key() -> None:
    side = windowed(NUMBER, Windowing.TIME, 300_000)
    # The bytes of the observed record of 2018: the number 0 and the start of the window.
    assert encoded(side, (0, 1554181800000, 1554182100000)) == [bytes(4) + (1554181800000).to_bytes(8)]


def test_a_session_has_its_end_and_then_its_start_behind_the_key() -> None:
    side = windowed(TEXT, Windowing.SESSION)
    assert encoded(side, ("ab", 1, 258)) == [b"ab" + (258).to_bytes(8) + (1).to_bytes(8)]


def test_the_key_alone_has_the_format_it_had() -> None:
    assert key_of(windowed(TEXT, Windowing.TIME, 5)).type == pa.string()


def test_the_end_of_a_window_follows_from_its_size() -> None:
    known, unknown = windowed(TEXT, Windowing.TIME, 10), windowed(TEXT, Windowing.TIME)
    data = pa.array(encoded(known, ("a", 20, 30)), pa.binary())
    assert make_decoder(known, [("end",)]).decode(data).columns[0].to_pylist() == [30]
    assert make_decoder(unknown, [("end",)]).decode(data).columns[0].to_pylist() == [None]


@pytest.mark.parametrize("windowing", Windowing)
def test_a_key_too_short_for_a_window_is_an_error_of_its_row(windowing: Windowing) -> None:
    side = windowed(TEXT, windowing)
    data = pa.array([*encoded(side, ("a", 1, 2)), b"1234567", None], pa.binary())
    decoded = make_decoder(side, [("key",), ("start",)]).decode(data)
    assert [column.to_pylist() for column in decoded.columns] == [["a", None, None], [1, None, None]]
    assert [error.row for error in decoded.errors] == [1]


@given(
    st.lists(st.tuples(st.text(), st.integers(0, 2**62), st.integers(0, 2**62))),
    st.sampled_from(Windowing),
    st.integers(0, 3),
)
def test_keys_read_back(keys: list[tuple[str, int, int]], windowing: Windowing, cut: int) -> None:
    side = windowed(TEXT, windowing)
    data = pa.array([b"not of the slice"] * cut + encoded(side, *keys), pa.binary()).slice(cut)
    found, bounds, whole = make_decoder(side, [("key",), ("start",), ()]).decode(data).columns
    assert found.to_pylist() == [key for key, _, _ in keys]
    assert bounds.to_pylist() == [start for _, start, _ in keys]
    ends = [end if windowing is Windowing.SESSION else None for _, _, end in keys]
    assert pc.struct_field(whole, ["end"]).to_pylist() == ends
