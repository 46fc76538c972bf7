"""Until when a local copy has followed its changelog.

A compacted topic keeps the tombstone of a deleted key for `delete.retention.ms` and then forgets it. A copy that was away for
longer may hold keys of whose deletion nothing is left to be read: it has to begin anew.
"""

from __future__ import annotations

import contextlib
import math
import os
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_FILE: Final = "followed"
"""In the folder of a task; its time is what is kept."""

_EVERY: Final = 60.0
"""Seconds between two notes: tombstones live for hours."""


class Followed:
    """A note in the folder of a task. Belongs to whoever has the folder."""

    def __init__(self, folder: Path | None, clock: Callable[[], float] = time.time) -> None:
        """Read what is noted.

        Args:
            folder: of the task; None in memory, where nothing is ever away.
            clock: seconds since the epoch.
        """
        self._file = None if folder is None else folder / _FILE
        self._clock = clock
        self._noted = -math.inf
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._noted = self._file.stat().st_mtime

    def away(self) -> float:
        """Give the seconds since the last note; 0 if there is none, as in folders of older releases."""
        return 0.0 if math.isinf(self._noted) else max(self._clock() - self._noted, 0.0)

    def note(self) -> None:
        """Note that the copy is as the changelog is now."""
        now = self._clock()
        if self._file is None or 0 <= now - self._noted < _EVERY:
            return
        # A disk that is full or gone is found, and told of, by those who write state.
        with contextlib.suppress(OSError):
            self._file.touch()
            os.utime(self._file, (now, now))
            self._noted = now
