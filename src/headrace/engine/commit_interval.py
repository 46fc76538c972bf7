"""When the next commit of a thread is due."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class CommitInterval:
    """Counts the time from commit to commit. Belongs to one thread.

    The interval is from beginning to beginning; but half of it is for records, however long a commit takes.
    While there is nothing to commit it runs on: what comes after a pause is committed at once.
    """

    def __init__(self, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        """Begin an interval; `now` gives the time in seconds, of a clock that is never put back."""
        self.now = now
        self._seconds = seconds
        self._began = now()

    def left(self) -> float:
        """Give the seconds until a commit is due, 0 when it is."""
        return max(0.0, self._began + self._seconds - self.now())

    def committed(self, begun: float) -> float:
        """Take note that the commit which has begun at this time is through; give how long it took."""
        ended = self.now()
        self._began = max(begun, ended - self._seconds / 2)
        return ended - begun
