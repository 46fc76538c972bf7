"""Wakes the consumers of this process when one of its producers has committed."""

from __future__ import annotations

from threading import Condition


class Changes:
    """Counts commits. Thread safe."""

    def __init__(self) -> None:
        self._condition = Condition()
        self._count = 0

    @property
    def count(self) -> int:
        """The number of commits so far."""
        return self._count

    def note(self) -> None:
        """Count one commit and wake everybody."""
        with self._condition:
            self._count += 1
            self._condition.notify_all()

    def wait(self, seen: int, timeout: float) -> None:
        """Return when there have been more commits than `seen`, or after `timeout` seconds."""
        with self._condition:
            if self._count == seen:
                self._condition.wait(timeout)
