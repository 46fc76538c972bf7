"""Whether the services a processor needs are there; one log line when one goes and when it is back."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from headrace.telemetry.events import ServiceAway, ServiceBack

if TYPE_CHECKING:
    from collections.abc import Callable

    from headrace.telemetry.metrics import Metrics


class ServiceWatch:
    """One service, seen by several threads: away once any of them misses it longer than the grace. Thread safe."""

    def __init__(
        self, service: str, metrics: Metrics, grace: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._service = service
        self._metrics = metrics
        self._grace = grace
        self._clock = clock
        self._lock = threading.Lock()
        self._missed: dict[int, float] = {}
        self._since: float | None = None

    def seen(self, thread: int, *, there: bool) -> None:
        """Report what a thread sees."""
        with self._lock:
            now = self._clock()
            if not there:
                first = self._missed.setdefault(thread, now)
                if self._since is None and now - first >= self._grace:
                    self._since = first
                    ServiceAway(self._service).emit(self._metrics)
                return
            self._missed.pop(thread, None)
            if self._since is not None and not self._missed:
                ServiceBack(self._service, now - self._since).emit(self._metrics)
                self._since = None

    def left(self, thread: int) -> None:
        """Forget a thread that has ended."""
        with self._lock:
            self._missed.pop(thread, None)

    @property
    def away(self) -> bool:
        """Whether the service is known to be away."""
        with self._lock:
            return self._since is not None

    def waiting(self) -> int:
        """Give the number of threads that miss it."""
        with self._lock:
            return len(self._missed)
