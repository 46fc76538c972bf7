"""Keeps what allocators hold back of a process that runs a program small: they grow with it, and give little back."""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Final

import pyarrow as pa

_ARENA_MAX: Final = -8
"""M_ARENA_MAX of `mallopt`."""


def keep_little() -> None:
    """Let all of the process share a few arenas; to be called before there are threads.

    glibc would make eight arenas for each core, and Arrow has an allocator beside: what one thread has freed in its own, no
    other can use. Batches go from thread to thread, so each of these would hold their largest.
    """
    pa.set_memory_pool(pa.system_memory_pool())
    if sys.platform != "linux":
        return
    # Not in musl, whose allocator has no arenas.
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENA_MAX, max(2, os.cpu_count() or 1))
