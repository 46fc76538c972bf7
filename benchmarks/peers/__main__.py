"""Measures the same programs in Headrace and in its peers on one real Kafka, and writes the raw figures as JSON.

`python -m benchmarks.peers --records 1000000 --runs 3 --out FOLDER`

Each run is written when it is done. The same command goes on where it was stopped; more programs, engines or runs can be asked
for later.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.machine import now
from benchmarks.nexmark.comparison import results
from benchmarks.peers.data import Data
from benchmarks.peers.engines import ENGINES, Run
from benchmarks.peers.figures import RUN, START, figures_of, table
from benchmarks.peers.measure import measure
from benchmarks.peers.options import chosen, journal, parser
from benchmarks.peers.programs import PROGRAMS, RUN_BY
from headrace.formats.registry import open_registry
from headrace.log import open_log
from headrace.log.interface import TopicDescription
from tests.servers.apicurio import RegistryServer
from tests.servers.kafka import KafkaServer

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from benchmarks.journal import Journal
    from benchmarks.nexmark.comparison import Expected
    from benchmarks.peers.engines import Engine
    from benchmarks.peers.measure import Cost
    from benchmarks.peers.programs import Program
    from headrace.log.interface import Log

MODULE: Final = "benchmarks.peers"
PARTITIONS: Final = 4
FEW: Final = 100
"""Records of the runs that tell what the start costs."""


class Bench:
    """One run of the benchmark: a broker, and what was measured on it."""

    def __init__(
        self, log: Log, bootstrap: str, registry: RegistryServer | None, options: argparse.Namespace
    ) -> None:
        self._log = log
        self._registry = registry.url if registry else ""
        self._bootstrap = bootstrap
        self._options = options
        self._number = 0
        self._read_from_disk: set[str] = set()
        self._data: dict[int, Data] = {}
        self._expected: dict[int, Expected] = {}

    def measure(self, program: Program, engine: Engine, kind: str, number: int) -> dict[str, Any]:
        """Run a program in an engine once; the results of the first run over all records are compared with DuckDB's."""
        if engine.slug not in self._read_from_disk:
            # What comes from the disk the first time is no part of a start.
            self._run(program, engine, self._filled(FEW))
            self._read_from_disk.add(engine.slug)
        data = self._filled(FEW if kind == START else round(self._options.records * engine.share))
        compared = kind == RUN and number == 0
        cost, target = self._run(program, engine, data, keep=compared)
        entry = {
            "program": program.name,
            "title": program.title,
            "engine": engine.name,
            "kind": kind,
            "number": number,
            "date": now(),
            "load": round(os.getloadavg()[0], 2),
            "records": data.count(program.sources),
            "cost": asdict(cost),
        }
        if compared:
            entry["rows"], entry["differing"] = self._compare(program, engine, data, target)
            self._forget(target)
        return entry

    def _filled(self, records: int) -> Data:
        found = self._data.get(records)
        if found is None:
            found = self._data[records] = Data(records)
            found.fill(self._log, open_registry(self._registry, self._log))
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
            self._registry if program.avro else "",
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


def measure_all(
    bench: Bench,
    journal: Journal,
    programs: Sequence[Program],
    engines: Sequence[Engine],
    runs: Mapping[str, int],
) -> None:
    """Measure what is missing yet, round by round, so that the engines of a program have the same minutes of the machine.

    Args:
        bench: that measures.
        journal: where the figures go.
        programs: that are run.
        engines: in which they are run, where they can be.
        runs: of each kind.
    """
    for program in programs:
        print(program.title, flush=True)
        able = [engine for engine in engines if program.name in RUN_BY[engine.slug]]
        rounds = [(kind, number) for kind, count in runs.items() for number in range(count)]
        for kind, number in rounds:
            for engine in list(able):
                key = {"program": program.name, "engine": engine.name, "kind": kind, "number": number}
                if journal.find(**key):
                    continue
                try:
                    journal.add(bench.measure(program, engine, kind, number))
                except RuntimeError as error:
                    print(f"  {engine.name}: failed\n{error}", flush=True)
                    able.remove(engine)
        print(table(figures_of(journal.find(program=program.name))), flush=True)


def main() -> None:
    """Run the benchmark."""
    made = parser(MODULE, __doc__, ENGINES, runs=3, commit=1.0)
    made.add_argument(
        "--records",
        type=int,
        default=5_000_000,
        help="of each source; engines written for Python get a tenth",
    )
    made.add_argument(
        "--starts", type=int, default=2, help="runs over few records; the cheapest counts as the start"
    )
    made.add_argument("--programs", default="", help="names by commas; all by default")
    made.add_argument("--cores", default="", help="that engines may use, such as 0,1; all by default")
    options = made.parse_args()
    settings = ("records", "guarantee", "commit", "threads", "cores")
    written = journal(MODULE, "peers.json", ENGINES, options, settings)
    options.cores = [int(core) for core in options.cores.split(",") if core]
    programs = [item for item in PROGRAMS if not options.programs or item.name in options.programs.split(",")]
    engines = chosen(ENGINES, options)
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(KafkaServer())
        log = stack.enter_context(open_log(server.url))
        avro = any(program.avro for program in programs)
        registry = stack.enter_context(RegistryServer()) if avro else None
        bench = Bench(log, server.bootstrap, registry, options)
        measure_all(bench, written, programs, engines, {START: options.starts, RUN: options.runs})


if __name__ == "__main__":
    main()
