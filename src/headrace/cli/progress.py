"""Progress of long work: one line that renews itself on a terminal, plain log lines elsewhere."""

from __future__ import annotations

import logging
import sys
import threading
from typing import TYPE_CHECKING, Self, TextIO, cast

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from headrace.telemetry.progress import Progress

LOGGER = logging.getLogger("headrace")
TERMINAL_SECONDS = 0.5
LOG_SECONDS = 30.0
ERASE = "\r\x1b[2K"


class TerminalStream:
    """Standard error for log lines that share a terminal with the progress line: each line first clears that."""

    def write(self, text: str) -> int:
        """Write a log line."""
        return sys.stderr.write(ERASE + text if text.strip() else text)

    def flush(self) -> None:
        """Send it out."""
        sys.stderr.flush()


def log_stream() -> TextIO:
    """Give the stream for log lines."""
    return cast("TextIO", TerminalStream()) if sys.stderr.isatty() else sys.stderr


class ProgressLine:
    """Shows progress from a thread of its own while it is entered; always once more at the end.

    Args:
        look: gives the state; called by one thread at a time.
        terminal: whether to renew a line on standard error; by default if that is a terminal.
    """

    def __init__(self, look: Callable[[], Progress], *, terminal: bool | None = None) -> None:
        self._look = look
        self._terminal = sys.stderr.isatty() if terminal is None else terminal
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._show, name="headrace-progress", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        if self._terminal:
            sys.stderr.write(f"{ERASE}{describe(self._look())}\n")

    def _show(self) -> None:
        while not self._ended.wait(TERMINAL_SECONDS if self._terminal else LOG_SECONDS):
            text = describe(self._look())
            if self._terminal:
                sys.stderr.write(f"{ERASE}{text}")
                sys.stderr.flush()
            else:
                LOGGER.info("%s", text)


def describe(progress: Progress) -> str:
    """Give the state in one line."""
    parts = [
        f"{progress.consumed:,} read ({progress.consumed_rate:,.0f}/s)",
        f"{progress.produced:,} written ({progress.produced_rate:,.0f}/s)",
    ]
    if progress.failed:
        parts.append(f"{progress.failed:,} failed")
    if progress.lag is not None:
        parts.append(f"lag {progress.lag:,}")
    if progress.waiting:
        parts.append("waiting for the log")
    return ", ".join(parts)
