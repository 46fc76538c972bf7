"""Texts of the events: slices of one long random text, made without a step for each of them."""

from __future__ import annotations

import string
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from benchmarks.nexmark.rules import Rules

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarks.nexmark.rules import Numbers

_LENGTH: Final = 1 << 20
_LONGEST: Final = 1 << 10
_INLINE: Final = 12
"""Arrow keeps shorter texts within their views."""


@lru_cache(maxsize=4)
def letters(seed: int) -> NDArray[np.uint8]:
    """Give a long text: lower-case letters, one in thirteen a space."""
    rules = Rules(seed)
    places = np.arange(_LENGTH + _LONGEST, dtype=np.int64)
    alphabet = np.frombuffer(string.ascii_lowercase.encode(), np.uint8)
    text = alphabet[rules.draw(places, 62, 26)]
    text[rules.draw(places, 63, 13) == 0] = ord(" ")
    return text


def words(rules: Rules, numbers: Numbers, purpose: int, lengths: Numbers) -> pa.Array[Any]:
    """Give a random text for each event, of the lengths that are wanted (up to 1024)."""
    text = letters(rules.seed)
    starts = rules.draw(numbers, purpose, _LENGTH).astype(np.int32)
    sizes = lengths.astype(np.int32)
    # A view is 16 bytes: the length, then the text itself, or its first four bytes, a buffer's number and the place there.
    views = np.zeros((len(starts), 16), np.uint8)
    views[:, :4] = sizes.view(np.uint8).reshape(-1, 4)
    heads = np.lib.stride_tricks.sliding_window_view(text, _INLINE)[starts]
    inline = sizes <= _INLINE
    views[:, 4:] = np.where(inline[:, None] & (np.arange(_INLINE) < sizes[:, None]), heads, 0)
    beyond = ~inline
    views[beyond, 4:8] = heads[beyond, :4]
    views[beyond, 12:] = starts[beyond].view(np.uint8).reshape(-1, 4)
    found = pa.Array.from_buffers(
        pa.string_view(), len(starts), [None, pa.py_buffer(views.data), pa.py_buffer(text.data)]
    )
    return found.cast(pa.string())


def padding(rules: Rules, numbers: Numbers, purpose: int, used: Numbers | int, wanted: int) -> pa.Array[Any]:
    """Give texts that bring events to about `wanted` bytes, a fifth of the missing ones more or less."""
    missing = np.maximum(wanted - used, 0) + np.zeros(len(numbers), np.int64)
    spread = (missing * 2 + 5) // 10
    lengths = missing - spread + rules.draw(numbers, purpose, 2 * spread + 1)
    return words(rules, numbers, purpose + 1, lengths)
