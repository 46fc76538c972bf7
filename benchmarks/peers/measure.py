"""Runs an engine as a child process: how long, how much CPU and memory, when its first result is there."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from headrace.log.interface import ConsumerOptions, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.peers.engines import Command, Run
    from headrace.log.interface import Admin, Consumer, Log

_TICK: Final = 0.02
_SAMPLE: Final = 0.25
_LIMIT: Final = 600.0
_SETTLED: Final = 3.0


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run took.

    Args:
        wall: seconds from the start of the process until all was processed and committed.
        cpu: seconds of user and system, of the process and its children.
        peak: the largest resident memory, in bytes.
        first: seconds from the start of the process until a reader of committed records had the first result.
    """

    wall: float
    cpu: float
    peak: int
    first: float | None


def measure(log: Log, run: Run, command: Command, cores: Sequence[int]) -> Cost:
    """Run to the end.

    Raises:
        RuntimeError: it failed, or took too long; holds what it said.
    """
    with tempfile.TemporaryFile() as said, reading(log, run.target) as results, _admin(log) as admin:
        words = command.words
        if cores and shutil.which("taskset"):
            words = ["taskset", "-c", ",".join(map(str, cores)), *words]
        watch = Watch(admin, results, run)
        start = time.monotonic()
        process = subprocess.Popen(
            words,
            env={**os.environ, **command.environment},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        try:
            wall, peak, first = _attend(process, watch, results, start, ends=command.ends)
        finally:
            if process.returncode is None and not _gone(process.pid):
                process.kill()
        _, status, used = os.wait4(process.pid, 0)
        code = process.returncode = os.waitstatus_to_exitcode(status)
        # Streams ends by the signal's number after it has closed in order.
        if code != 0 and not (not command.ends and code in (143, -signal.SIGTERM)):
            said.seek(0)
            message = f"{run.application} ended with {code}\n{said.read().decode(errors='replace')[-6000:]}"
            raise RuntimeError(message)
        ended = time.monotonic() - start - command.idle if command.ends else wall
        return Cost(ended, used.ru_utime + used.ru_stime, peak, first)


def _attend(
    process: subprocess.Popen[bytes], watch: Watch, results: Consumer, start: float, *, ends: bool
) -> tuple[float, int, float | None]:
    """Wait for the end. The process is not waited for yet when this returns: its last resource usage is still to be read."""
    peak, first, wall = 0, None, 0.0
    sampled = 0.0
    while not _gone(process.pid):
        now = time.monotonic() - start
        if now > _LIMIT:
            return now, peak, first
        if first is None and results.poll(1000, _TICK):
            first = time.monotonic() - start
        if now - sampled > _SAMPLE:
            sampled = now
            peak = max(peak, _resident(process.pid))
            if not ends and not wall and watch.done(now):
                wall = time.monotonic() - start
                process.send_signal(signal.SIGTERM)
        if first is not None:
            time.sleep(_TICK)
    return wall, peak, first


class Watch:
    """Follows what a group commits, for engines that do not end by themselves."""

    def __init__(self, admin: Admin, consumer: Consumer, run: Run) -> None:
        self._admin = admin
        self._consumer = consumer
        self._run = run
        self._sources: list[TopicPartition] | None = None
        self._last: tuple[dict[TopicPartition, int], float] = ({}, 0.0)

    def done(self, now: float) -> bool:
        """Say whether the group has committed the ends of all that it reads, also what it writes for itself."""
        committed = self._admin.group_offsets(self._run.application)
        if committed != self._last[0]:
            self._last = (committed, now)
        if not committed:
            return False
        ends = self._consumer.watermarks([*self._partitions(), *committed])
        behind = [high - committed.get(part, low) for part, (low, high) in ends.items() if high > low]
        # Behind the last record may stand the mark of a transaction, which is nobody's to commit.
        settled = now - self._last[1] >= _SETTLED
        return all(gap <= 0 for gap in behind) or (settled and all(gap <= 2 for gap in behind))

    def _partitions(self) -> list[TopicPartition]:
        if self._sources is None:
            self._sources = []
            for topic in self._run.sources:
                description = self._admin.describe(topic)
                assert description is not None
                self._sources += [TopicPartition(topic, number) for number in range(description.partitions)]
        return self._sources


def _gone(pid: int) -> bool:
    """Say whether a child has ended, without taking its resource usage away."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _resident(pid: int) -> int:
    """Give the largest resident memory so far: not `ru_maxrss`, in which our own at the fork counts."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return 0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found.group(1)) * 1024 if found else 0


@contextmanager
def reading(log: Log, topic: str) -> Iterator[Consumer]:
    """Give a reader of committed records that stands at the beginning of a topic."""
    consumer = log.consumer(ConsumerOptions(properties={"fetch.wait.max.ms": "5"}))
    admin = log.admin()
    try:
        description = admin.describe(topic)
        assert description is not None
        consumer.assign({TopicPartition(topic, number): 0 for number in range(description.partitions)})
        consumer.poll(1, 0.3)
        yield consumer
    finally:
        admin.close()
        consumer.close()


@contextmanager
def _admin(log: Log) -> Iterator[Admin]:
    admin = log.admin()
    try:
        yield admin
    finally:
        admin.close()
