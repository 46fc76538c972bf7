"""Measures how cost grows, on a real Kafka of this machine: `python -m benchmarks.scale`.

One program, COUNT, SUM and MAX of each key, over a minute of event time or without a window; each time one thing grows.
Each figure is written when it is there, and the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.journal import Journal
from benchmarks.machine import machine, now, session, versions
from benchmarks.state.workloads import Topic
from headrace.log import open_log
from tests.servers.kafka import KafkaServer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from headrace.log.interface import Log

MODULE: Final = "benchmarks.scale"
MEBI: Final = 1 << 20
_BATCH: Final = 16_384
_KEYS: Final = 50_000
_SUMS: Final = "COUNT(*) AS payments, SUM(amount) AS total, MAX(amount) AS largest"
WINDOWED: Final = f"SELECT STREAM {_SUMS} FROM {{0}} WINDOW BY TUMBLE 1m GRACE BY 10s GROUP BY _key"
ALL: Final = f"SELECT STREAM {_SUMS} FROM {{0}} GROUP BY _key"


@dataclass(frozen=True, slots=True)
class Setup:
    """One run.

    Args:
        curve: what grows.
        at: how far it has grown.
        topic: what is read.
        query: over it.
        threads: of each process.
        processes: that share the partitions.
        batch: records of one poll at most.
    """

    curve: str
    at: int
    topic: Topic
    query: str = WINDOWED
    threads: int = 1
    processes: int = 1
    batch: int = _BATCH


@dataclass(frozen=True, slots=True)
class Point:
    """What a run took, less what the same takes over an empty topic: a second of wall time, CPU seconds, MiB of all processes."""

    curve: str
    at: int
    records: int
    rate: float
    cpu_per_million: float
    peak: float


def setups(records: int) -> Iterator[Setup]:
    """Give all runs; the first of each curve is the one that the others are compared with."""
    cores = os.cpu_count() or 1
    for count in (1, 2, 4, 8):
        topic = Topic(f"payments_{count}", records, _KEYS, partitions=count)
        yield Setup("partitions, one thread", count, topic)
    for count in (1, 2, 4, 8):
        topic = Topic(f"payments_{count}", records, _KEYS, partitions=count)
        yield Setup(f"partitions, {cores} threads", count, topic, threads=cores)
    for count in range(1, cores + 1):
        yield Setup(
            "processes over 4 partitions", count, Topic("payments_4", records, _KEYS), processes=count
        )
    for keys in (100_000, 1_000_000, 10_000_000):
        yield Setup("keys, no window", keys, Topic(f"payments_of_{keys}", max(keys, records), keys), ALL)
    for batch in (100, 1_000, 10_000, 100_000, 1_000_000):
        yield Setup("records of a batch", batch, Topic("payments_4", records, _KEYS), batch=batch)


class Bench:
    """One run of the benchmark: a broker, and the topics that are on it."""

    def __init__(self, log: Log, url: str, folder: Path) -> None:
        self._log = log
        self._url = url
        self._folder = folder
        self._filled: set[str] = set()
        self._number = 0

    def measure(self, setup: Setup) -> Point:
        """Run over an empty topic, then over the full one."""
        empty = Topic(f"{setup.topic.name}_empty", 0, 1, partitions=setup.topic.partitions)
        for topic in (setup.topic, empty):
            if topic.name not in self._filled:
                topic.fill(self._log)
                self._filled.add(topic.name)
        start_wall, start_cpu, _ = self._run(setup, empty)
        wall, cpu, peak = self._run(setup, setup.topic)
        records = setup.topic.records
        return Point(
            setup.curve,
            setup.at,
            records,
            records / max(wall - start_wall, 1e-3),
            (cpu - start_cpu) / records * 1e6,
            peak / MEBI,
        )

    def _run(self, setup: Setup, topic: Topic) -> tuple[float, float, int]:
        self._number += 1
        target = f"scale_{self._number}"
        text = (
            f"SET autocreate=true;\nSET processing.guarantee='exactly_once';\nSET num.stream.threads={setup.threads};\n"
            f"{topic.declaration}INSERT INTO {target}\n{setup.query.format(topic.name)}"
        )
        begun = time.monotonic()
        words = [sys.executable, "-m", "benchmarks.scale.child", self._url, f"{target}-app", str(setup.batch)]
        processes = [
            subprocess.Popen(
                [*words, str(self._folder / str(number)), text],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                text=True,
            )
            for number in range(setup.processes)
        ]
        cpu, peak = 0.0, 0
        for process in processes:
            assert process.stdout is not None
            with process.stdout as said:
                peak += int(said.read() or 0)
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode != 0:
                message = f"{setup.curve} {setup.at} ended with {process.returncode}"
                raise RuntimeError(message)
            cpu += used.ru_utime + used.ru_stime
        wall = time.monotonic() - begun
        for number in range(setup.processes):
            shutil.rmtree(self._folder / str(number), ignore_errors=True)
        with contextlib.closing(self._log.admin()) as admin:
            for item in admin.topics():
                if item == target or item.startswith(f"{target}-app-"):
                    admin.delete(item)
        return wall, cpu, peak


def show(points: Sequence[Point]) -> str:
    """Give a table of one curve."""
    lines = [f"{points[0].curve:<32}{'records/s':>12}{'CPU s/million':>15}{'peak MiB':>10}"]
    lines += [
        f"{point.at:>30,}  {point.rate:>12,.0f}{point.cpu_per_million:>15.2f}{point.peak:>10.0f}"
        for point in points
    ]
    return "\n".join(lines)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog=f"python -m {MODULE}", description=__doc__)
    parser.add_argument("--records", type=int, default=4_000_000, help="of each topic, at least")
    parser.add_argument("--runs", type=int, default=1, help="of each figure; the median counts")
    parser.add_argument("--only", default="", help="curves whose name has this in it")
    parser.add_argument("--out", type=Path, default=Path("scale-results"), help="folder of the figures")
    options = parser.parse_args()
    here, call = machine(), session(MODULE)
    print(f"{call['command']}\n{call['date']}, {here['cores']} cores, load {call['load']}\n", flush=True)
    made_by = {"machine": here, "versions": versions(), "settings": {"records": options.records}}
    written = Journal(options.out / "scale.json", made_by, call)
    chosen = [item for item in setups(options.records) if options.only in item.curve]
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="headrace-scale-")))
        server = stack.enter_context(KafkaServer())
        bench = Bench(stack.enter_context(open_log(server.url)), server.url, folder)
        for curve in dict.fromkeys(item.curve for item in chosen):
            setups_of_curve = [item for item in chosen if item.curve == curve]
            for number in range(options.runs):
                for setup in setups_of_curve:
                    if not written.find(curve=curve, at=setup.at, number=number):
                        entry = {"number": number, "date": now(), **asdict(bench.measure(setup))}
                        written.add(entry)
            print(f"{show(points_of(written.find(curve=curve)))}\n", flush=True)


def points_of(entries: Iterable[dict[str, Any]]) -> list[Point]:
    """Give the points of raw entries."""
    names = [field.name for field in fields(Point)]
    return [Point(**{name: entry[name] for name in names}) for entry in entries]


if __name__ == "__main__":
    main()
