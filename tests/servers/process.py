"""A server process that never outlives the process which started it."""

from __future__ import annotations

import ctypes
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def die_with_parent() -> None:
    """Let this process be killed when the thread that forked it ends."""
    # Runs between fork and exec: nothing but the system call.
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def accepts(port: int) -> bool:
    """Say whether something listens on this port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class ServerProcess:
    """One server as a child process; its output goes to a file."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        output: Path,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._output = output
        with output.open("ab") as file:
            # The parent-death signal belongs to the thread that forks: the main thread in pytest.
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env=dict(environment) if environment is not None else None,
                preexec_fn=die_with_parent,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def alive(self) -> bool:
        return self._process.poll() is None

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until `ready()`.

        Raises:
            RuntimeError: the server died or took too long; holds the end of its output.
        """
        end = time.monotonic() + seconds
        while not ready():
            if not self.alive() or time.monotonic() > end:
                state = "did not become ready" if self.alive() else f"ended with {self._process.returncode}"
                tail = self._output.read_text(errors="replace")[-4000:]
                self.kill()
                message = f"{Path(self._process.args[0]).name} {state}:\n{tail}"  # type: ignore[index,arg-type]
                raise RuntimeError(message)
            time.sleep(0.05)

    def stop(self, seconds: float = 15.0) -> None:
        """End it in order, and by force if it takes longer than `seconds`."""
        if self.alive():
            self._process.terminate()
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """End it at once."""
        if self.alive():
            self._process.kill()
        self._process.wait()
