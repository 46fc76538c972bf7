"""Keeps the members of this process in their groups while their consumers are busy between two polls."""

from __future__ import annotations

from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

from headrace.log.errors import LogError

if TYPE_CHECKING:
    from headrace.log.embedded.database import Session
    from headrace.log.embedded.membership import Membership
    from headrace.log.embedded.timing import Clock


class Heartbeats:
    """One thread for all members of a log; it runs while there are any."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock
        self._lock = Lock()
        self._members: set[Membership] = set()
        self._stop = Event()
        self._thread: Thread | None = None

    def add(self, member: Membership) -> None:
        """Beat for this member from now on."""
        with self._lock:
            self._members.add(member)
            if self._thread is None and not self._stop.is_set():
                self._thread = Thread(target=self._run, name="headrace-heartbeats", daemon=True)
                self._thread.start()

    def remove(self, member: Membership) -> None:
        """Beat for this member no more."""
        with self._lock:
            self._members.discard(member)

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()
        self._session.close()

    def _run(self) -> None:
        while not self._stop.wait(self._pause()):
            members = self._take()
            if not members:
                continue
            now = self._clock()
            due = [member for member in members if member.beat_due(now)]
            if not due:
                continue
            try:
                with self._session.write() as tx:
                    for member in due:
                        member.beat(tx, now)
            except LogError:
                # A full disk or a lock that is held for long: the consumer meets the same fault in `poll` and
                # reports it there; until then the next beat may succeed.
                continue

    def _take(self) -> list[Membership]:
        with self._lock:
            return list(self._members)

    def _pause(self) -> float:
        return min((member.timing.beat_ms for member in self._take()), default=1000) / 2000
