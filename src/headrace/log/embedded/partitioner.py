"""Kafka's default partitioner for whole columns: murmur2 of the key bytes, as the Java client has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pyarrow as pa

_M: Final = np.uint32(0x5BD1E995)
_SEED: Final = np.uint32(0x9747B28C)
_R: Final = np.uint32(24)
_LONG_WORDS: Final = 1024


def murmur2(keys: pa.Array[Any]) -> npt.NDArray[np.uint32]:
    """Give the hash of each key; that of a null is the hash of an empty key.

    The loop runs over the words of the longest key, each step on all keys that are so long; very long keys, which are
    few, one by one.
    """
    if len(keys) == 0:
        return np.empty(0, np.uint32)
    # Buffer 1 holds the offsets, buffer 2 the bytes; both are absent from an array that has never held a
    # value.
    _, offset_buffer, data_buffer = keys.buffers()
    offset_bytes, data = _bytes(offset_buffer), _bytes(data_buffer)
    offsets = offset_bytes.view(np.int32)[keys.offset : keys.offset + len(keys) + 1].astype(np.int64)
    starts, lengths = offsets[:-1], np.diff(offsets)
    hashes = _SEED ^ lengths.astype(np.uint32)
    all_words = lengths // 4
    long = np.flatnonzero(all_words > _LONG_WORDS)
    words = np.where(all_words > _LONG_WORDS, 0, all_words)
    # Longest first: those that still have a word are always a prefix.
    order = np.argsort(-words, kind="stable")
    sorted_words, places, state = -words[order], starts[order], hashes[order]
    for word in range(int(words.max())):
        live = int(np.searchsorted(sorted_words, -word, side="left"))
        at = places[:live] + 4 * word
        k = data[at].astype(np.uint32)
        for byte in (1, 2, 3):
            k |= data[at + byte].astype(np.uint32) << np.uint32(8 * byte)
        k *= _M
        k ^= k >> _R
        k *= _M
        state[:live] *= _M
        state[:live] ^= k
    hashes[order] = state
    for row in long.tolist():
        hashes[row] = _mix_long(int(hashes[row]), data[starts[row] : starts[row] + 4 * all_words[row]])
    _mix_rest(hashes, data, starts + 4 * all_words, lengths % 4)
    hashes ^= hashes >> np.uint32(13)
    hashes *= _M
    hashes ^= hashes >> np.uint32(15)
    return hashes


def _bytes(buffer: pa.Buffer | None) -> npt.NDArray[np.uint8]:
    view: Any = buffer  # the stubs do not say that it follows the buffer protocol
    return np.empty(0, np.uint8) if buffer is None else np.frombuffer(view, np.uint8)


def _mix_long(state: int, data: npt.NDArray[np.uint8]) -> int:
    words = data.view("<u4") * _M
    words ^= words >> _R
    words *= _M
    factor = int(_M)
    for word in words.tolist():
        state = (state * factor & 0xFFFFFFFF) ^ word
    return state


def _mix_rest(
    hashes: npt.NDArray[np.uint32],
    data: npt.NDArray[np.uint8],
    at: npt.NDArray[np.int64],
    rest: npt.NDArray[np.int64],
) -> None:
    for byte in (2, 1, 0):
        rows = np.flatnonzero(rest > byte)
        hashes[rows] ^= data[at[rows] + byte].astype(np.uint32) << np.uint32(8 * byte)
    hashes[np.flatnonzero(rest)] *= _M


def partition_of(keys: pa.Array[Any], partitions: int) -> npt.NDArray[np.int32]:
    """Give the partition of each key, one of `partitions`; meaningless where the key is null."""
    positive = murmur2(keys) & np.uint32(0x7FFFFFFF)
    places: npt.NDArray[np.int32] = (positive % np.uint32(partitions)).astype(np.int32)
    return places
