"""Ctrl-C while DuckDB computes."""

from __future__ import annotations

import signal
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_STOPS = {signal.SIGINT, signal.SIGTERM}
_REPEAT = 0.05
"""Seconds between two interruptions: one that comes before DuckDB has begun a statement is forgotten by it."""


@contextmanager
def interruptible(interrupt: Callable[[], None]) -> Iterator[None]:
    """End what DuckDB computes on SIGINT or SIGTERM, and raise what their handler raises, or KeyboardInterrupt.

    Python's handlers run on the main thread between two instructions. While that thread waits inside DuckDB they do not run,
    and DuckDB looks for signals only now and then (never, while it waits for a task of another thread). Hence a thread that
    the signal wakes through `signal.set_wakeup_fd`.

    Does nothing but enter and leave on other threads than the main one, which get no signals, and where somebody else (an
    event loop) is woken already.

    Args:
        interrupt: ends what is computed with an error; is called from another thread, again and again until this is left.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    wakened, waker = socket.socketpair()
    with wakened, waker:
        waker.setblocking(False)
        before = signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        if before != -1:
            signal.set_wakeup_fd(before)
            yield
            return
        left, asked = threading.Event(), threading.Event()
        watcher = threading.Thread(
            target=_watch, args=(wakened, left, asked, interrupt), name="headrace-interrupts", daemon=True
        )
        watcher.start()
        try:
            yield
        except Exception as error:
            if asked.is_set() or took_interrupt(error):
                raise KeyboardInterrupt from None
            raise
        finally:
            left.set()
            signal.set_wakeup_fd(before)
            waker.send(b"\0")
            watcher.join()


def took_interrupt(error: Exception) -> bool:
    """Say whether DuckDB has seen Ctrl-C itself, and raised this in place of what the handler raises."""
    return isinstance(error, RuntimeError) and str(error) == "Query interrupted"


def _watch(
    wakened: socket.socket, left: threading.Event, asked: threading.Event, interrupt: Callable[[], None]
) -> None:
    while not left.is_set() and not _STOPS & set(wakened.recv(1)):
        pass
    while not left.is_set():
        asked.set()
        interrupt()
        left.wait(_REPEAT)
