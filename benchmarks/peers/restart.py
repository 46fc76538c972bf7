"""Measures how long engines are away after `kill -9`, by the size of their state: `python -m benchmarks.peers.restart`.

The program counts records of each key. Once all keys are counted and committed, the process is killed, and its group is waited
for to be empty; then further records of some keys are sent, and the time runs from the start of a new process until a reader of
committed records has the new count of each of those keys. Warm: the folder of local state is as the killed process left it.
Cold: it is gone, so that all state comes from the changelog. Each restart is written when it is done, and the same command goes
on where it was stopped.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
import uuid
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.machine import now
from benchmarks.nexmark.queries import Query
from benchmarks.peers.engines import Headrace, KafkaStreams, Run
from benchmarks.peers.measure import Watch, reading
from benchmarks.peers.options import chosen, journal, parser
from benchmarks.peers.programs import Program
from benchmarks.state.workloads import PARTITIONS, Topic
from headrace.log import open_log
from headrace.log.interface import ProducerOptions, TopicDescription
from tests.servers.kafka import KafkaServer

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from benchmarks.peers.engines import Engine
    from headrace.log.interface import Consumer, Log

MODULE: Final = "benchmarks.peers.restart"
WAYS: Final = ("warm", "cold")
# Flink goes on from a checkpoint that one names by hand; Quix Streams would take hours to count ten million keys.
ENGINES: Final[tuple[Engine, ...]] = (Headrace(), KafkaStreams())
PROBES: Final = 40
"""Keys whose counts are waited for: some in every partition."""
_LIMIT: Final = 1_200.0
_TICK: Final = 0.25

TOTALS: Final = Program(
    "totals",
    "count of each key",
    ("payments",),
    Query(
        "totals",
        "INSERT INTO {target} SELECT STREAM COUNT(*) AS payments FROM {payments} GROUP BY _key",
        "SELECT id, COUNT(*) AS payments FROM payments GROUP BY id",
        table=True,
    ),
    "",
    "",
    keyed=True,
)


class Life:
    """An application over one topic, in process after process."""

    def __init__(self, log: Log, engine: Engine, topic: Topic, run: Run) -> None:
        self._log = log
        self._engine = engine
        self._topic = topic
        self._run = run
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start a process."""
        command = self._engine.command(self._run)
        with (self._run.folder.parent / "said.txt").open("ab") as said:
            self._process = subprocess.Popen(
                command.words,
                env={**os.environ, **command.environment},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
            )

    def await_committed(self) -> None:
        """Wait until all that is there has been processed and committed."""
        with contextlib.closing(self._log.admin()) as admin, reading(self._log, self._run.target) as results:
            watch = Watch(admin, results, self._run)
            for now in self._while_it_runs():
                if watch.done(now):
                    return

    def kill(self) -> None:
        """Kill the process, and wait until the broker takes it for gone."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        with contextlib.closing(self._log.admin()) as admin:
            while admin.group_members(self._run.application):
                time.sleep(_TICK)

    def away(self, count: int) -> tuple[float, float]:
        """Send the probes, start a process, and give the seconds until the first and the last one was answered.

        Args:
            count: of each probe's key, which must come out.
        """
        with reading(self._log, self._run.target) as results:
            _to_the_end(results)
            self._probe()
            begun = time.monotonic()
            self.start()
            answered: set[bytes] = set()
            first = 0.0
            for now in self._while_it_runs(0.0):
                for batch in results.poll(10_000, 0.02):
                    answered |= _counted(batch, count)
                    first = first or time.monotonic() - begun
                if len(answered) >= PROBES:
                    return first, now
        raise AssertionError

    def stop(self) -> None:
        """End the process, if there is one."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def _while_it_runs(self, pause: float = _TICK) -> Iterator[float]:
        process = self._process
        assert process is not None
        begun = time.monotonic()
        while process.poll() is None and time.monotonic() - begun < _LIMIT:
            yield time.monotonic() - begun
            time.sleep(pause)
        said = (self._run.folder.parent / "said.txt").read_text(encoding="utf-8", errors="replace")
        message = f"{self._engine.name} ended, or took too long\n{said[-4000:]}"
        raise RuntimeError(message)

    def _probe(self) -> None:
        (records,) = replace(self._topic, records=PROBES).batches()
        with contextlib.closing(self._log.producer(ProducerOptions())) as producer:
            producer.send(self._topic.name, records)
            failures = producer.flush(30)
        assert not failures, failures[0]


def _counted(results: pa.RecordBatch, count: int) -> set[bytes]:
    """Give the keys, and check what was counted of each: the state must have come back."""
    keys, values = (results.column(name).to_pylist() for name in ("key", "value"))
    found = {json.loads(value)["payments"] for value in values if value is not None}
    if found != {count}:
        message = f"{count} records of each key were counted as {sorted(found)}"
        raise RuntimeError(message)
    return {key for key in keys if key is not None}


def _to_the_end(results: Consumer) -> None:
    ends = {place: end for place, (_, end) in results.watermarks(sorted(results.assignment())).items()}
    results.seek(ends)


def measure(
    log: Log, bootstrap: str, engine: Engine, keys: int, ways: Sequence[str], options: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    """Let one engine count a topic with so many keys, and kill it in each of these ways.

    Yields:
        the way, the seconds until the last probe was answered, and those until the first was.
    """
    name = f"restart-{uuid.uuid4().hex[:8]}"
    topic = Topic(f"{name.replace('-', '_')}_in", keys, keys, each_once=True)
    topic.fill(log)
    with contextlib.closing(log.admin()) as admin:
        admin.create(TopicDescription(name, PARTITIONS, 1, {"retention.ms": "-1"}))
    folder = Path(tempfile.mkdtemp(prefix="headrace-restart-"))
    state = folder / "state"
    run = Run(
        TOTALS,
        {"payments": topic.name},
        name,
        f"{name}-app",
        bootstrap,
        options.guarantee,
        options.commit,
        options.threads,
        state,
        endless=True,
    )
    life = Life(log, engine, topic, run)
    try:
        state.mkdir()
        life.start()
        for number, way in enumerate(ways):
            life.await_committed()
            life.kill()
            if way == "cold":
                shutil.rmtree(state)
                state.mkdir()
            # One record of each key to begin with, and one by each probe since.
            first, last = life.away(number + 2)
            yield {"way": way, "seconds": last, "first": first}
    finally:
        life.stop()
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.closing(log.admin()) as admin:
            for item in admin.topics():
                if name in item or item == topic.name:
                    admin.delete(item)


def missing(before: Sequence[dict[str, Any]], runs: int) -> list[str]:
    """Give the ways that are still to be gone, warm before cold, when so many runs are wanted of each."""
    return [
        way
        for number in range(runs)
        for way in WAYS
        if number >= sum(entry["way"] == way for entry in before)
    ]


def main() -> None:
    """Run the benchmark."""
    made = parser(MODULE, __doc__, ENGINES, runs=1, commit=0.1)
    made.add_argument("--keys", default="100000,1000000,10000000", help="sizes of state, by commas")
    options = made.parse_args()
    settings = ("guarantee", "commit", "threads")
    written = journal(MODULE, "restart.json", ENGINES, options, settings)
    engines = chosen(ENGINES, options)
    print(f"{'seconds':<16}{'keys':>12}  way {'first':>10}{'all':>10}", flush=True)
    with KafkaServer() as server, open_log(server.url) as log:
        for keys in (int(item) for item in options.keys.split(",")):
            for engine in engines:
                key = {"engine": engine.name, "keys": keys}
                ways = missing(written.find(**key), options.runs)
                if not ways:
                    continue
                try:
                    for away in measure(log, server.bootstrap, engine, keys, ways, options):
                        written.add({**key, "date": now(), **away})
                        shown = f"{away['way']}{away['first']:>10.2f}{away['seconds']:>10.2f}"
                        print(f"{engine.name:<16}{keys:>12,}  {shown}", flush=True)
                except RuntimeError as error:
                    print(f"{engine.name}: failed\n{error}", flush=True)


if __name__ == "__main__":
    main()
