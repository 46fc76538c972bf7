"""Runs the queries of Nexmark on a real Kafka and compares their results with DuckDB's over the same events.

`python -m benchmarks.nexmark --events 1000000 --format avro`
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.nexmark.comparison import Expected, results, side
from benchmarks.nexmark.generator import generate
from benchmarks.nexmark.program import program
from benchmarks.nexmark.queries import QUERIES
from benchmarks.nexmark.rules import Rules
from benchmarks.nexmark.topics import KINDS, PARTITIONS, Topics, fill_side
from benchmarks.pipeline.child import HEADRACE, run
from headrace.formats.interface import Format
from headrace.formats.registry import open_registry
from headrace.log import open_log
from headrace.log.interface import TopicDescription
from tests.servers.apicurio import RegistryServer
from tests.servers.kafka import KafkaServer

if TYPE_CHECKING:
    from benchmarks.nexmark.queries import Query
    from headrace.log.interface import Log

SIDE: Final = "side"
_FORMATS: Final = {"json": Format.JSON, "avro": Format.AVRO}


def speed(rules: Rules, count: int) -> float:
    """Give how many events a CPU second makes."""
    begun = time.process_time()
    for _ in generate(rules, count):
        pass
    return count / (time.process_time() - begun)


class Bench:
    """Topics of events on a broker, and DuckDB with the same events."""

    def __init__(
        self, log: Log, environment: dict[str, str], rules: Rules, options: argparse.Namespace
    ) -> None:
        self._log = log
        self._environment = environment
        self._options = options
        self._format = _FORMATS[options.format]
        self._names = {kind: kind for kind in KINDS}
        registry = open_registry(environment.get("HEADRACE_SCHEMA_REGISTRY"), log)
        Topics(log, registry, self._format, self._names).fill(rules, options.events)
        fill_side(log, SIDE, side())
        self._expected = Expected(rules, options.events)

    def check(self, query: Query) -> bool:
        """Run a query, print what it took, and say whether its results are right."""
        target = f"result_{query.name}"
        with contextlib.closing(self._log.admin()) as admin:
            admin.create(TopicDescription(target, PARTITIONS, 1, {"retention.ms": "-1"}))
        text = program(query, {**self._names, "side": SIDE}, target, self._format, self._options.guarantee)
        text = f"SET num.stream.threads={self._options.threads};\n{text}"
        folder = Path(tempfile.mkdtemp(prefix="headrace-nexmark-"))
        try:
            cost = run(
                [HEADRACE, "run", "-e", text, "--app-id", f"{target}-app", "--until-end"],
                {**self._environment, "HEADRACE_STATE_DIR": str(folder)},
            )
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        rows, differing = self._expected.compare(query, results(self._log, target))
        self._forget(target)
        verdict = "as DuckDB's" if not differing else "; ".join(differing)
        print(
            f"{query.name:<4} {cost.cpu:8.1f} CPU s {cost.wall:8.1f} s {rows:>10,} rows, {verdict}",
            flush=True,
        )
        return not differing

    def _forget(self, target: str) -> None:
        with contextlib.closing(self._log.admin()) as admin:
            for topic in admin.topics():
                if topic.startswith(target):
                    admin.delete(topic)

    def close(self) -> None:
        """Let the events go."""
        self._expected.close()


def main() -> None:
    """Run the queries; the exit code says whether all are right."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.nexmark", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rate", type=int, default=10_000, help="events a second of event time")
    parser.add_argument(
        "--disorder", type=int, default=50, help="events are shuffled within groups of so many"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--format", choices=tuple(_FORMATS), default="json")
    parser.add_argument("--guarantee", default="exactly_once", choices=("exactly_once", "at_least_once"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--queries", default="", help="names by commas; all by default")
    options = parser.parse_args()
    rules = Rules(options.seed, options.rate, options.disorder)
    print(f"python -m benchmarks.nexmark {' '.join(sys.argv[1:])}".rstrip())
    print(
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores {platform.machine()}, "
        f"load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}"
    )
    print(
        f"{options.events:,} events; the generator makes {speed(rules, 1_000_000):,.0f} a CPU second\n",
        flush=True,
    )
    wanted = options.queries.split(",") if options.queries else None
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(KafkaServer())
        environment = {"HEADRACE_LOG": server.url}
        if options.format == "avro":
            environment["HEADRACE_SCHEMA_REGISTRY"] = stack.enter_context(RegistryServer()).url
        log = stack.enter_context(open_log(server.url))
        bench = stack.enter_context(contextlib.closing(Bench(log, environment, rules, options)))
        right = [bench.check(query) for query in QUERIES if wanted is None or query.name in wanted]
    sys.exit(not all(right))


if __name__ == "__main__":
    main()
