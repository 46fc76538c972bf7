"""Processors that run beside a test, in a thread of its own process."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from headrace.engine import Processor


@contextmanager
def running(processor: Processor) -> Iterator[Processor]:
    """Run in a thread while entered; what `run` raises comes out at the end."""
    failures: list[BaseException] = []

    def body() -> None:
        try:
            processor.run()
        except BaseException as error:  # raised below, on the test's thread
            failures.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    try:
        yield processor
    finally:
        processor.stop()
        thread.join()
    if failures:
        raise failures[0]


def wait_for(met: Callable[[], bool], seconds: float = 40.0) -> None:
    """Wait until something is true; the test fails if it does not come about in time."""
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end, "it does not come about"
        time.sleep(0.02)
