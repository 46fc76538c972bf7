"""Starts processors in processes of their own, so that they can be killed."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Self

from tests.servers.commands import ForkedProcess

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType


class Child:
    """A processor of `tests.engine.child`, or a module like it; killed at the end of the block if it still runs."""

    def __init__(
        self, commands: Path, lines: Path, *arguments: str, module: str = "tests.engine.child"
    ) -> None:
        self.lines = lines
        with lines.open("w") as stream:
            self._process = ForkedProcess(commands, module, arguments, stream)

    def wait_for(self, text: str, timeout: float = 30.0) -> None:
        """Wait until a log line holds the text."""
        deadline = time.monotonic() + timeout
        while True:
            # Asked before the file is read: what it has written to its end then stands there.
            ended = self._process.poll() is not None
            lines = self.lines.read_text()
            if text in lines:
                return
            assert not ended, f"ended early:\n{lines}"
            assert time.monotonic() < deadline, f"no `{text}` in time:\n{lines}"
            time.sleep(0.02)

    def kill(self) -> None:
        self._process.kill()

    def send_signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def poll(self) -> int | None:
        """Give the exit code if it has ended."""
        return self._process.poll()

    def terminate(self, timeout: float = 30.0) -> int:
        """Ask for the end as a supervisor does and give the exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self.wait(timeout)

    def wait(self, timeout: float = 60.0) -> int:
        return self._process.wait(timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self.kill()
