"""Gives back memory that a running program has no use for: what its start has read, and what allocators keep of its batches."""

from __future__ import annotations

import ctypes
import mmap
import sys
import threading
import time
from contextlib import nullcontext, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from types import TracebackType

_LOOK: Final = 0.25
"""Seconds between two looks at what the process holds."""

_GROWN: Final = 8 << 20
"""Bytes by which it has grown since it last gave something back: less is not worth the calls."""

_REST: Final = 100
"""It rests so many times as long as giving back took: a heap in many pieces costs no more than a hundredth of a core."""

_NEVER_WRITTEN: Final = (b"r-xp", b"r--p")

_WRITTEN_TO: Final = (b"Anonymous:", b"Swap:")
"""What smaps counts of pages that are not as in their file: those in memory, and those swapped out, which it counts apart."""


def let_go_of_libraries() -> None:
    """Take the pages of libraries' files out of the process's memory; what is used again is mapped again from the file cache.

    Loading a library and opening DuckDB read far more of their files than a running program comes back to: some 50 MiB. Only
    pages that are as they are in the file go, and only of Python packages, whose libraries stay loaded to the end: no other
    thread can put something else where they are. Does nothing where the system does not tell what is mapped.
    """
    if sys.platform != "linux":
        return
    advise = ctypes.CDLL(None).madvise
    advise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    for begin, end in _of_libraries():
        advise(begin, end - begin, mmap.MADV_DONTNEED)


@cache
def _of_libraries() -> Sequence[tuple[int, int]]:
    """Give what the first caller has found: to look takes 10 ms, and what may go then may always go."""
    # The native module lies in our own package, which need not be installed beside the others.
    packages = (Path(pa.__file__).parents[1], Path(__file__).parents[1])
    try:
        with Path("/proc/self/smaps").open("rb") as file:
            return tuple(_unwritten(file, tuple(bytes(folder) + b"/" for folder in packages)))
    except OSError:
        return ()


def _unwritten(lines: Iterable[bytes], folders: tuple[bytes, ...]) -> Iterator[tuple[int, int]]:
    """Give the mappings, of /proc/PID/smaps, of files below these folders that are read alone and were never written to."""
    place: list[bytes] | None = None
    for line in lines:
        words = line.split(maxsplit=5)
        if not words[0].endswith(b":"):
            wanted = len(words) > 5 and words[1] in _NEVER_WRITTEN and words[5].startswith(folders)
            place = words[0].split(b"-") if wanted else None
        elif words[0] in _WRITTEN_TO and words[1] != b"0":
            # Relocations are written before a part becomes read-only, and nothing would bring them back.
            place = None
        elif place is not None and words[0] == b"Swap:":
            yield int(place[0], 16), int(place[1], 16)


class Trimmed:
    """While entered, gives what allocators hold free back to the system when the process has grown: from a thread of its own.

    A batch is many short allocations of some megabytes. What is free between them stays with the process, where no other size
    fits: with two threads as much as all that is in use.

    Args:
        trim: gives back.
        anonymous: gives the bytes of the process's memory that are in no file; OSError where that cannot be told.
        before: called before it gives back for the first time.
        look: seconds between two looks at what the process holds.
    """

    def __init__(
        self,
        trim: Callable[[], object],
        anonymous: Callable[[], int],
        before: Callable[[], object],
        look: float = _LOOK,
    ) -> None:
        self._trim = trim
        self._anonymous = anonymous
        self._before = before
        self._look = look
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="headrace-trim", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        pause, first = self._look, True
        with suppress(OSError):
            least = self._anonymous()
            while not self._ended.wait(pause):
                pause = self._look
                if self._anonymous() - least <= _GROWN:
                    continue
                if first:
                    self._before()
                    first = False
                begun = time.monotonic()
                self._trim()
                pause = max(pause, _REST * (time.monotonic() - begun))
                least = self._anonymous()


def trimmed() -> AbstractContextManager[object]:
    """Make one for this process. Does nothing but under glibc, which alone has arenas that keep so much.

    When the program has begun to work, libraries are let go of once more: most of joining its group is not needed again either.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is None:
        return nullcontext()
    return Trimmed(lambda: trim(0), _anonymous, let_go_of_libraries)


def _anonymous() -> int:
    """Give the bytes of the process's memory that are in no file.

    Raises:
        OSError: the system does not tell.
    """
    fields = Path("/proc/self/statm").read_bytes().split()
    return (int(fields[1]) - int(fields[2])) * mmap.PAGESIZE
