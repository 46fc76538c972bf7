"""Ends what DuckDB computes once the time of a query is over, or somebody wants it to end."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from headrace.engine.snapshot.limits import Ending

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from headrace.engine.snapshot.limits import Limits

_LOOK: Final = 0.5
"""Seconds between two looks at whether the query is to end."""

_GRACE: Final = 1.0
"""Seconds, at least, for the result of what was read until then: scans end by themselves when the time is over."""

_REPEAT: Final = 0.05
"""Seconds between two interruptions: one that comes before DuckDB has begun a statement is forgotten by it."""


class Watch:
    """What a watcher has done."""

    def __init__(self) -> None:
        self.ending: Ending | None = None
        """By which limit it has interrupted the query; None if it has not."""


@contextmanager
def watched(limits: Limits, interrupt: Callable[[], None]) -> Iterator[Watch]:
    """Interrupt what is computed within, where it goes on after a limit of time or KILL QUERY.

    Scans look at the limits themselves before each read, so that a result can be that of what was read until then. Once all
    is read, or between two reads, nobody looks: a join or a sort would go on. It has a second for its result, or a tenth of the
    time that the query had.

    Args:
        limits: of the query, counted from here on.
        interrupt: ends what is computed with an error; is called from another thread, again and again until this is left.
    """
    watch = Watch()
    if limits.max_seconds is None and limits.killed is None:
        yield watch
        return
    left = threading.Event()
    watcher = threading.Thread(
        target=_watch, args=(watch, limits, left, interrupt), name="headrace-limits", daemon=True
    )
    watcher.start()
    try:
        yield watch
    finally:
        left.set()
        watcher.join()


def _watch(watch: Watch, limits: Limits, left: threading.Event, interrupt: Callable[[], None]) -> None:
    ending = _ended(limits, left)
    if ending is None or left.wait(_grace(limits) if ending is Ending.TIME else _GRACE):
        return
    watch.ending = ending
    while not left.is_set():
        interrupt()
        left.wait(_REPEAT)


def _ended(limits: Limits, left: threading.Event) -> Ending | None:
    """Wait for a limit; None if the query was left before."""
    end = None if limits.max_seconds is None else time.monotonic() + limits.max_seconds
    while True:
        rest = None if end is None else max(0.0, end - time.monotonic())
        wait = rest if limits.killed is None else _LOOK if rest is None else min(_LOOK, rest)
        if left.wait(wait):
            return None
        if limits.killed is not None and limits.killed():
            return Ending.KILLED
        if end is not None and time.monotonic() >= end:
            return Ending.TIME


def _grace(limits: Limits) -> float:
    return max(_GRACE, (limits.max_seconds or 0.0) / 10)
