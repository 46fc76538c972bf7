"""Measures programs with state on a real Kafka of this machine, and prints the figures as a table: `make bench`."""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.pipeline.child import HEADRACE, Cost, run
from benchmarks.state.large import Large
from benchmarks.state.workloads import Topic, Workload, workloads
from headrace.log import open_log
from tests.servers.kafka import KafkaServer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.log.interface import Log

MEBI = 1 << 20
_EMPTY = "_empty"
_READY = re.compile(r"is ready: (\d+) changelog records read in ([0-9.]+) s")


@dataclass(frozen=True, slots=True)
class Figures:
    """What a program costs; start-up is not in the rates."""

    workload: Workload
    rate: float
    cpu_per_million: float
    peak: int
    spread: float


class Bench:
    """One run of the benchmark: a broker, and what was measured on it."""

    def __init__(self, log: Log, environment: dict[str, str], runs: int, folder: Path) -> None:
        self._log = log
        self._environment = {**environment, "HEADRACE_STATE_DIR": str(folder)}
        self._folder = folder
        self._runs = runs
        self._number = 0
        self._filled: set[Topic] = set()

    def measure(self, workload: Workload) -> Figures:
        """Measure `headrace run --until-end` over all records, each time with state of its own."""
        for topic in workload.topics:
            self._fill(topic)
            self._fill(Topic(f"{topic.name}{_EMPTY}", 0, 1))
        start = min((self._run(workload, _EMPTY) for _ in range(2)), key=lambda cost: cost.cpu)
        costs = [self._run(workload) for _ in range(self._runs)]
        cpus = [(cost.cpu - start.cpu) / workload.records * 1e6 for cost in costs]
        rates = [workload.records / max(cost.wall - start.wall, 1e-3) for cost in costs]
        peak = max(cost.peak for cost in costs)
        return Figures(
            workload, statistics.median(rates), statistics.median(cpus), peak, max(cpus) - min(cpus)
        )

    def restarts(self, workload: Workload) -> str:
        """Measure how long the state of a program takes to be there: from the changelogs alone, and after kill -9."""
        target = self._target()
        command = self._command(workload, target)
        run([*command, "--until-end"], self._environment)
        warm, tail = self._until_ready(command)
        # An orderly end in between: a start after a kill waits for the group to give the dead member up.
        run([*command, "--until-end"], self._environment)
        shutil.rmtree(self._folder / f"{target}-app")
        cold, records = self._until_ready(command)
        return (
            f"cold restore of {records:,} changelog records: {cold:.1f} s from the start of the process; "
            f"after kill -9 with the local store there: {warm:.1f} s ({tail:,} records read)"
        )

    def _until_ready(self, command: Sequence[str]) -> tuple[float, int]:
        """Run until all tasks are ready, then kill -9; gives seconds and the changelog records that were read."""
        begun = time.monotonic()
        process = subprocess.Popen(
            list(command),
            env={**os.environ, **self._environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        ready, records, said = 0, 0, []
        for line in process.stderr:
            said.append(line)
            found = _READY.search(line)
            if found is None:
                continue
            ready, records = ready + 1, records + int(found.group(1))
            if ready == 4:
                break
        took = time.monotonic() - begun
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stderr.close()
        if ready < 4:
            raise RuntimeError("".join(said))
        return took, records

    def _fill(self, topic: Topic) -> None:
        if topic not in self._filled:
            topic.fill(self._log)
            self._filled.add(topic)

    def _run(self, workload: Workload, suffix: str = "") -> Cost:
        target = self._target()
        cost = run([*self._command(workload, target, suffix), "--until-end"], self._environment)
        shutil.rmtree(self._folder / f"{target}-app", ignore_errors=True)
        self._forget(target)
        return cost

    def _command(self, workload: Workload, target: str, suffix: str = "") -> list[str]:
        return [HEADRACE, "run", "-e", workload.program(target, suffix), "--app-id", f"{target}-app"]

    def _forget(self, target: str) -> None:
        """Delete what a run has written, so that the broker's disk does not fill up."""
        admin = self._log.admin()
        try:
            for topic in admin.topics():
                if topic == target or topic.startswith(f"{target}-app-"):
                    admin.delete(topic)
        finally:
            admin.close()

    def _target(self) -> str:
        self._number += 1
        return f"bench_state_{self._number}"


def _print(figures: Sequence[Figures]) -> None:
    print(
        f"{'':<32}{'records/s':>12}{'CPU s/million':>15}{'± spread':>10}{'records/CPU s':>15}{'wanted':>10}{'peak MiB':>10}"
    )
    for row in figures:
        print(
            f"{row.workload.name:<32}{row.rate:>12,.0f}{row.cpu_per_million:>15.2f}{row.spread:>10.2f}"
            f"{1e6 / row.cpu_per_million:>15,.0f}{row.workload.target:>10,}{row.peak / MEBI:>10.0f}",
            flush=True,
        )


def _large(log: Log, environment: dict[str, str], scale: float) -> None:
    """Run a program whose state is larger than the memory it may have; print what it took, and check every result."""
    workload = Large(round(20_000_000 * scale), round(4_000_000 * scale), 512 * MEBI)
    workload.fill(log)
    cost = workload.run(environment)
    results = workload.check(log)
    print(
        f"{workload.keys:,} keys, {workload.records:,} records, {workload.memory / MEBI:.0f} MiB for state: "
        f"{cost.wall:.0f} s, {cost.cpu:.0f} CPU s, peak {cost.peak / MEBI:.0f} MiB resident; {results:,} results, all as wanted",
        flush=True,
    )


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.state", description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the records and keys")
    parser.add_argument("--runs", type=int, default=3, help="of each figure; the median counts")
    parser.add_argument("--only", default="", help="programs whose name has this in it")
    parser.add_argument("--large", action="store_true", help="state larger than its memory, nothing else")
    options = parser.parse_args()
    print(f"python -m benchmarks.state {' '.join(sys.argv[1:])}".rstrip())
    print(
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores, {platform.machine()}, Python {sys.version.split()[0]}"
    )
    print("JSON, LONG keys, 4 partitions, exactly once, changelogs on, Kafka on this machine\n", flush=True)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="headrace-bench-")))
        server = stack.enter_context(KafkaServer())
        log = stack.enter_context(open_log(server.url))
        if options.large:
            _large(log, {"HEADRACE_LOG": server.url, "HEADRACE_STATE_DIR": str(folder)}, options.scale)
            return
        bench = Bench(log, {"HEADRACE_LOG": server.url}, options.runs, folder)
        chosen = [item for item in workloads(options.scale) if options.only in item.name]
        _print([bench.measure(workload) for workload in chosen])
        for workload in chosen:
            if workload.name.startswith("no window"):
                print(f"\n{workload.name}: {bench.restarts(workload)}", flush=True)


if __name__ == "__main__":
    main()
