"""Measures the same programs in Headrace and in its peers on one real Kafka, and writes the figures as JSON and as a page.

`python -m benchmarks.peers --records 1000000 --runs 3 --out FOLDER`
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.nexmark.comparison import results
from benchmarks.peers.data import Data
from benchmarks.peers.engines import ENGINES, Run
from benchmarks.peers.measure import measure
from benchmarks.peers.programs import PROGRAMS, RUN_BY
from benchmarks.peers.report import Figures, table, write_page
from headrace.log import open_log
from headrace.log.interface import TopicDescription
from tests.servers.jars import POM
from tests.servers.kafka import KafkaServer

if TYPE_CHECKING:
    from benchmarks.nexmark.comparison import Expected
    from benchmarks.peers.engines import Engine
    from benchmarks.peers.measure import Cost
    from benchmarks.peers.programs import Program
    from headrace.log.interface import Log

PARTITIONS: Final = 4
FEW: Final = 100
"""Records of the runs that tell what the start costs."""


class Bench:
    """One run of the benchmark: a broker, and what was measured on it."""

    def __init__(self, log: Log, bootstrap: str, options: argparse.Namespace) -> None:
        self._log = log
        self._bootstrap = bootstrap
        self._options = options
        self._number = 0
        self._data: dict[int, Data] = {}
        self._expected: dict[int, Expected] = {}

    def measure(self, program: Program, engine: Engine) -> Figures:
        """Measure one program in one engine; the first run's results are compared with DuckDB's."""
        engine.prepare()
        data = self._filled(round(self._options.records * engine.share))
        few = self._filled(FEW)
        starts = [self._run(program, engine, few)[0] for _ in range(self._options.starts)]
        start = min(starts, key=lambda cost: cost.cpu)
        costs: list[Cost] = []
        rows, differing = 0, ["not compared"]
        for number in range(self._options.runs):
            cost, target = self._run(program, engine, data, keep=number == 0)
            costs.append(cost)
            if number == 0:
                rows, differing = self._compare(program, engine, data, target)
                self._forget(target)
        return Figures(
            program.name,
            program.title,
            engine.name,
            engine.version,
            data.count(program.sources),
            rows,
            differing,
            start,
            costs,
        )

    def _filled(self, records: int) -> Data:
        found = self._data.get(records)
        if found is None:
            found = self._data[records] = Data(records)
            found.fill(self._log)
        return found

    def _run(self, program: Program, engine: Engine, data: Data, *, keep: bool = False) -> tuple[Cost, str]:
        self._number += 1
        target = f"result-{self._number}"
        with contextlib.closing(self._log.admin()) as admin:
            admin.create(TopicDescription(target, PARTITIONS, 1, {"retention.ms": "-1"}))
        folder = Path(tempfile.mkdtemp(prefix="headrace-peers-"))
        run = Run(
            program,
            data.topics,
            target,
            f"{target}-app",
            self._bootstrap,
            self._options.guarantee,
            self._options.commit,
            self._options.threads,
            folder,
        )
        try:
            cost = measure(self._log, run, engine.command(run), self._options.cores)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if not keep:
            self._forget(target)
        return cost, target

    def _compare(self, program: Program, engine: Engine, data: Data, target: str) -> tuple[int, list[str]]:
        expected = self._expected.get(data.records)
        if expected is None:
            expected = self._expected[data.records] = data.expected()
        updates = engine.updates or program.upsert
        query = program.query if updates else replace(program.query, table=False)
        return expected.compare(query, results(self._log, target))

    def _forget(self, target: str) -> None:
        """Delete what a run has written, so that the broker's disk does not fill up."""
        with contextlib.closing(self._log.admin()) as admin:
            for topic in admin.topics():
                # Names of internal topics hold that of the application; Quix puts a word before it.
                if topic == target or f"{target}-app" in topic:
                    admin.delete(topic)


def facts(options: argparse.Namespace) -> dict[str, Any]:
    """Give what the figures depend on."""
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "command": " ".join(["python -m benchmarks.peers", *sys.argv[1:]]),
        "load": round(os.getloadavg()[0], 2),
        "cores": os.cpu_count(),
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "java": _java_version(),
        "kafka": _kafka_version(),
        "guarantee": options.guarantee,
        "commit": options.commit,
        "threads": options.threads,
        "records": options.records,
        "runs": options.runs,
    }


def _kafka_version() -> str:
    found = re.search(
        r"<artifactId>kafka_[\d.]+</artifactId>\s*<version>(.*?)</version>", POM.read_text(encoding="utf-8")
    )
    assert found is not None
    return found.group(1)


def _java_version() -> str:
    said = subprocess.run(["java", "-version"], capture_output=True, text=True, check=True).stderr
    return said.partition('"')[2].partition('"')[0]


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument(
        "--records",
        type=int,
        default=5_000_000,
        help="of each source; engines written for Python get a tenth",
    )
    parser.add_argument("--runs", type=int, default=3, help="of each figure; the median counts")
    parser.add_argument(
        "--starts", type=int, default=2, help="runs over few records; the cheapest counts as the start"
    )
    parser.add_argument("--programs", default="", help="names by commas; all by default")
    parser.add_argument("--engines", default="", help=f"{', '.join(RUN_BY)}, by commas; all by default")
    parser.add_argument("--guarantee", default="exactly_once", choices=("exactly_once", "at_least_once"))
    parser.add_argument("--commit", type=float, default=1.0, help="seconds between commits, of every engine")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="that process records")
    parser.add_argument("--cores", default="", help="that engines may use, such as 0,1; all by default")
    parser.add_argument("--out", type=Path, default=Path("peers-results"), help="folder of the figures")
    options = parser.parse_args()
    options.cores = [int(core) for core in options.cores.split(",") if core]
    programs = [item for item in PROGRAMS if not options.programs or item.name in options.programs.split(",")]
    engines = [item for item in ENGINES if not options.engines or item.slug in options.engines.split(",")]
    about = facts(options)
    print(f"{about['command']}\n{about['date']}, {about['cores']} cores, load {about['load']}\n", flush=True)
    options.out.mkdir(parents=True, exist_ok=True)
    figures: list[Figures] = []
    with KafkaServer() as server, open_log(server.url) as log:
        bench = Bench(log, server.bootstrap, options)
        for program in programs:
            print(program.title, flush=True)
            for engine in engines:
                if program.name not in RUN_BY[engine.slug]:
                    print(f"  {engine.name}: has no such program", flush=True)
                    continue
                try:
                    figures.append(bench.measure(program, engine))
                except RuntimeError as error:
                    print(f"  {engine.name}: failed\n{error}", flush=True)
                    continue
                print(table(figures[-1:]), flush=True)
                raw = {**about, "figures": [figure.as_data() for figure in figures]}
                (options.out / "results.json").write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")
                write_page(options.out)


if __name__ == "__main__":
    main()
