"""Measures `headrace run` on a real Kafka of this machine, and prints the figures as a table: `make bench`."""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import statistics
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from benchmarks.pipeline.child import HEADRACE, Cost, run
from benchmarks.pipeline.latency import latency, start_up
from benchmarks.pipeline.workload import create, fill, program
from headrace.formats.interface import Format
from headrace.formats.registry import open_registry
from headrace.log import open_log
from tests.servers.apicurio import RegistryServer
from tests.servers.kafka import KafkaServer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.formats.interface import Registry
    from headrace.log.interface import Log

GUARANTEES = ("at_least_once", "exactly_once")
FORMATS = (Format.JSON, Format.AVRO)
MEBI = 1 << 20


@dataclass(frozen=True, slots=True)
class Figures:
    """What one way of moving the records costs; start-up is not in the rates."""

    name: str
    rate: float
    cpu_per_million: float
    peak: int
    spread: float


class Bench:
    """One run of the benchmark: a broker, a registry and what was measured on them."""

    def __init__(
        self, log: Log, registry: Registry, environment: dict[str, str], options: argparse.Namespace
    ) -> None:
        self._log = log
        self._registry = registry
        self._environment = environment
        self._records: int = options.records
        self._runs: int = options.runs
        self._rate: int = options.rate
        self._seconds: float = options.seconds
        self._number = 0
        self.sizes: dict[Format, int] = {}

    def prepare(self) -> None:
        """Fill the sources, and make an empty one of each format for measuring the start alone."""
        for format in FORMATS:
            self.sizes[format] = fill(self._log, self._registry, _source(format), format, self._records)
            fill(self._log, self._registry, f"{_source(format)}_empty", format, 0)
            fill(self._log, self._registry, f"{_source(format)}_few", format, 1000)

    def pipeline(self, format: Format, guarantee: str) -> Figures:
        """Measure `headrace run --until-end` over all records."""
        empty = [self._run(f"{_source(format)}_empty", format, guarantee) for _ in range(2)]
        start = min(empty, key=lambda cost: cost.cpu)
        costs = [self._run(_source(format), format, guarantee) for _ in range(self._runs)]
        return self._figures(f"{format} → {format}, {guarantee.replace('_', ' ')}", costs, start)

    def bare(self, format: Format, *flags: str) -> Figures:
        """Measure the native client alone, moving two thirds of the same records without decoding."""
        target = self._target()
        create(self._log, target)

        def command(source: str) -> list[str]:
            module = [sys.executable, "-m", "benchmarks.pipeline.bare"]
            return [*module, "--source", source, "--target", target, *flags]

        costs = [run(command(_source(format)), self._environment) for _ in range(self._runs)]
        start = run(command(f"{_source(format)}_empty"), self._environment)
        name = "librdkafka alone" if flags else "bare client"
        return self._figures(f"{name}, {format} bytes", costs, start)

    def start_up(self, format: Format) -> list[float]:
        """Measure how long it takes from the start of the process to its first result."""
        found = []
        for _ in range(max(3, self._runs)):
            target = self._target()
            text = program(f"{_source(format)}_few", target, "at_least_once", format)
            found.append(start_up(self._log, target, text, self._environment, f"{target}-app"))
        return found

    def latency(self, format: Format, guarantee: str) -> str:
        """Measure the way through at a steady rate."""
        source, target = f"{_source(format)}_live_{guarantee}", self._target()
        text = program(source, target, guarantee, format)
        found = latency(
            self._log,
            self._registry,
            source,
            target,
            text,
            self._environment,
            format,
            self._rate,
            self._seconds,
        )
        return f"median {found.median:.0f} ms, p99 {found.p99:.0f} ms, worst {found.worst:.0f} ms ({found.records:,} records)"

    def _run(self, source: str, format: Format, guarantee: str) -> Cost:
        target = self._target()
        text = program(source, target, guarantee, format)
        command = [HEADRACE, "run", "-e", text, "--app-id", f"{target}-app", "--until-end"]
        return run(command, self._environment)

    def _figures(self, name: str, costs: Sequence[Cost], start: Cost) -> Figures:
        cpus = [(cost.cpu - start.cpu) / self._records * 1e6 for cost in costs]
        rates = [self._records / max(cost.wall - start.wall, 1e-3) for cost in costs]
        peak = max(cost.peak for cost in costs)
        return Figures(name, statistics.median(rates), statistics.median(cpus), peak, max(cpus) - min(cpus))

    def _target(self) -> str:
        self._number += 1
        return f"bench_target_{self._number}"


def _source(format: Format) -> str:
    return f"positions_{format.lower()}"


def _print(figures: Sequence[Figures]) -> None:
    print(
        f"{'':<30}{'records/s':>12}{'CPU s/million':>15}{'± spread':>10}{'records/CPU s':>15}{'peak MiB':>10}"
    )
    for row in figures:
        print(
            f"{row.name:<30}{row.rate:>12,.0f}{row.cpu_per_million:>15.2f}{row.spread:>10.2f}"
            f"{1e6 / row.cpu_per_million:>15,.0f}{row.peak / MEBI:>10.0f}"
        )


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pipeline", description=__doc__)
    parser.add_argument("--records", type=int, default=2_000_000)
    parser.add_argument("--runs", type=int, default=3, help="of each figure; the median counts")
    parser.add_argument("--rate", type=int, default=20_000, help="records a second for the latency")
    parser.add_argument("--seconds", type=float, default=18.0, help="length of each latency run")
    options = parser.parse_args()
    print(f"make bench ARGS='{' '.join(sys.argv[1:])}'" if sys.argv[1:] else "make bench")
    print(
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores, {platform.machine()}, Python {sys.version.split()[0]}"
    )
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(KafkaServer())
        registry_server = stack.enter_context(RegistryServer())
        log = stack.enter_context(open_log(server.url))
        registry = open_registry(registry_server.url, log)
        assert registry is not None
        environment = {"HEADRACE_LOG": server.url, "HEADRACE_SCHEMA_REGISTRY": registry_server.url}
        bench = Bench(log, registry, environment, options)
        bench.prepare()
        sizes = ", ".join(f"{format} {size} bytes" for format, size in bench.sizes.items())
        print(
            f"{options.records:,} vessel positions ({sizes}), 4 partitions, two thirds pass; Kafka on this machine\n",
            flush=True,
        )
        figures = []
        for format in FORMATS:
            figures += [bench.pipeline(format, guarantee) for guarantee in GUARANTEES]
            figures += [bench.bare(format), bench.bare(format, "--librdkafka")]
        _print(figures)
        starts = bench.start_up(Format.JSON)
        print(f"\nstart to first result: median {statistics.median(starts):.2f} s, worst {max(starts):.2f} s")
        for format in FORMATS:
            for guarantee in GUARANTEES:
                print(
                    f"latency at {options.rate:,}/s, {format}, {guarantee}: {bench.latency(format, guarantee)}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
