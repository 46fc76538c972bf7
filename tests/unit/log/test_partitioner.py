"""The vectorised murmur2 against known values of the Java client and a slow twin."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from headrace.log.embedded.partitioner import murmur2, partition_of

_MASK = 0xFFFFFFFF


def slow_murmur2(data: bytes) -> int:
    """Hash one key, a word at a time."""
    m = 0x5BD1E995
    h = 0x9747B28C ^ len(data)
    whole = len(data) // 4 * 4
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at : at + 4], "little") * m & _MASK
        k = (k ^ k >> 24) * m & _MASK
        h = h * m & _MASK ^ k
    if rest := data[whole:]:
        h = (h ^ int.from_bytes(rest, "little")) * m & _MASK
    h = (h ^ h >> 13) * m & _MASK
    return h ^ h >> 15


def test_hashes_are_those_of_java() -> None:
    # The vectors of org.apache.kafka.common.utils.UtilsTest.
    known = {
        b"21": -973932308,
        b"foobar": -790332482,
        b"a-little-bit-long-string": -985981536,
        b"a-little-bit-longer-string": -1486304829,
        b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
        b"abc": 479470107,
    }
    assert murmur2(pa.array(list(known), pa.binary())).tolist() == [value & _MASK for value in known.values()]


@given(st.lists(st.none() | st.binary(max_size=40), max_size=30), st.integers(0, 5))
def test_hashes_are_those_of_the_slow_twin(keys: list[bytes | None], skip: int) -> None:
    array = pa.array(keys, pa.binary()).slice(skip)
    expected = [slow_murmur2(key or b"") for key in keys[skip:]]
    assert murmur2(array).tolist() == expected


def test_very_long_keys_between_short_ones() -> None:
    keys = [b"ab", bytes(range(256)) * 40, None, b"\xff" * 4101, b"", b"\x80" * 4096, b"x" * 100]
    assert murmur2(pa.array(keys, pa.binary())).tolist() == [slow_murmur2(key or b"") for key in keys]


def test_partitions_are_positive() -> None:
    keys = [str(number).encode() for number in range(1000)]
    expected = [(slow_murmur2(key) & 0x7FFFFFFF) % 12 for key in keys]
    assert partition_of(pa.array(keys, pa.binary()), 12).tolist() == expected
