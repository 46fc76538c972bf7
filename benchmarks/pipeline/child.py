"""Runs a command as a child process and tells what it cost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HEADRACE = str(Path(sys.executable).parent / "headrace")


@dataclass(frozen=True, slots=True)
class Cost:
    """Wall seconds, CPU seconds (user and system) and peak resident memory (bytes) of a finished process."""

    wall: float
    cpu: float
    peak: int


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Cost:
    """Run to the end. Raises RuntimeError with what it said if it fails."""
    start = time.monotonic()
    process = subprocess.Popen(
        list(command),
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    said = process.stdout.read()
    process.stdout.close()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        message = (
            f"{' '.join(command[:3])} … ended with {process.returncode}\n{said.decode(errors='replace')}"
        )
        raise RuntimeError(message)
    # Linux counts the peak in KiB, macOS in bytes.
    peak = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Cost(time.monotonic() - start, used.ru_utime + used.ru_stime, peak)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process in order, and by force when that takes longer than half a minute."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
