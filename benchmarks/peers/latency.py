"""Measures how long a record takes through each engine at a fixed rate: `python -m benchmarks.peers.latency`.

From the clock of the sender just before it sends, which each record carries in a field, to the arrival of its result at a reader
of committed records. Sender, broker, engine and reader share the machine. The program is the filter over vessel positions.

First each engine takes a prepared topic as fast as it can, with the same settings; half of what the slowest manages is the first
rate. Each run is written when it is done, and the same command goes on where it was stopped.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import threading
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import pyarrow as pa
import pyarrow.compute as compute

from benchmarks.machine import now
from benchmarks.peers.engines import FlinkSql, Headrace, KafkaStreams, Run
from benchmarks.peers.measure import measure as cost
from benchmarks.peers.options import chosen, journal, parser
from benchmarks.peers.programs import PROGRAMS
from benchmarks.pipeline.child import stop
from benchmarks.pipeline.workload import PARTITIONS, create, fill, positions, sides
from headrace.formats import make_decoder, make_encoder
from headrace.formats.interface import Format, Side
from headrace.log import open_log
from headrace.log.interface import ConsumerOptions, ProducerOptions, TopicPartition
from tests.servers.kafka import KafkaServer

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from benchmarks.journal import Journal
    from benchmarks.peers.engines import Engine
    from headrace.log.interface import Log

MODULE: Final = "benchmarks.peers.latency"
FEW: Final = 100
pc: Any = compute
"""Its functions; the stubs have them for some types of arrays only."""

ENGINES: Final[tuple[Engine, ...]] = (Headrace(), KafkaStreams(), FlinkSql())
TICK: Final = 0.01
PERCENTILES: Final = (50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 99.9, 100.0)
SHOWN: Final = (50.0, 99.0, 99.9, 100.0)
CAPACITY: Final = "capacity"
RUN: Final = "run"
STAMP: Final = pa.struct([pa.field("Timestamp", pa.int64())])
_START: Final = 60.0
_SPARSE: Final = 20
"""Of so many ticks one sends while an engine starts."""


class Traffic:
    """Sends positions that carry the time until it is closed: few to begin with, and all from `full` on.

    So a slow start of an engine leaves no backlog, which would say nothing of the rate.
    """

    def __init__(self, log: Log, topic: str, rate: int) -> None:
        self._producer = log.producer(ProducerOptions(properties={"linger.ms": "0"}))
        self._topic = topic
        self._count = max(round(rate * TICK), 1)
        self._stopped = threading.Event()
        self._full = threading.Event()
        self._thread = threading.Thread(target=self._send)
        key, value = sides(Format.JSON)
        self._encoder = make_encoder(value)
        # Made beforehand, so that little is to be done while the time runs.
        self._ready = [positions(self._count, seed) for seed in range(20)]
        keys = make_encoder(key)
        self._keys = [keys.encode(rows.field("MMSI").cast(pa.string())).data for rows in self._ready]

    def start(self) -> None:
        self._thread.start()

    def full(self) -> None:
        """Send at the rate from now on."""
        self._full.set()

    def close(self) -> None:
        self._stopped.set()
        self._thread.join()
        self._producer.close()

    def _send(self) -> None:
        begin = time.monotonic()
        number = 0
        while not self._stopped.wait(max(0.0, begin + number * TICK - time.monotonic())):
            number += 1
            if number % _SPARSE and not self._full.is_set():
                continue
            rows, keys = self._ready[number % 20], self._keys[number % 20]
            stamp = pa.repeat(pa.scalar(time.time_ns() // 1_000_000, pa.int64()), self._count)
            columns = [stamp if field.name == "Timestamp" else rows.field(field.name) for field in rows.type]
            values = pa.StructArray.from_arrays(columns, fields=list(rows.type))
            batch = pa.record_batch({"key": keys, "value": self._encoder.encode(values).data})
            self._producer.send(self._topic, batch)


def measure(
    log: Log, bootstrap: str, engine: Engine, rate: int, options: argparse.Namespace
) -> dict[str, Any]:
    """Run an engine beside the traffic; a third of the time from its first result on does not count.

    Returns:
        how many results were measured, and the milliseconds that so many in a hundred of them took at most.
    """
    name = f"latency-{uuid.uuid4().hex[:8]}"
    source, target = f"{name}-in", f"{name}-out"
    create(log, source)
    create(log, target)
    folder = Path(tempfile.mkdtemp(prefix="headrace-latency-"))
    run = _run(bootstrap, source, target, folder, options, endless=True)
    command = engine.command(run)
    traffic = Traffic(log, source, rate)
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command.words,
            env={**os.environ, **command.environment},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        try:
            traffic.start()
            taken = _read(log, target, options.seconds, process, traffic)
        finally:
            traffic.close()
            stop(process)
            shutil.rmtree(folder, ignore_errors=True)
            with contextlib.closing(log.admin()) as admin:
                for topic in (source, target):
                    admin.delete(topic)
        if not len(taken):
            said.seek(0)
            message = f"{engine.name} wrote nothing\n{said.read().decode(errors='replace')[-4000:]}"
            raise RuntimeError(message)
    found = pc.quantile(taken, [percent / 100 for percent in PERCENTILES]).to_pylist()
    return {
        "results": len(taken),
        "milliseconds": dict(zip(map(str, PERCENTILES), found, strict=True)),
    }


class Burst:
    """Topics of positions that stand there already, from which an engine shows how many a second it can take."""

    def __init__(self, log: Log, bootstrap: str, options: argparse.Namespace) -> None:
        self._log = log
        self._bootstrap = bootstrap
        self._options = options
        self._filled: dict[int, str] = {}

    def capacity(self, engine: Engine) -> float:
        """Give records a second, without what the start takes."""
        start, whole = (self._wall(engine, records) for records in (FEW, self._options.burst))
        return float(self._options.burst / max(whole - start, 1e-3))

    def _wall(self, engine: Engine, records: int) -> float:
        target = f"burst-{uuid.uuid4().hex[:8]}"
        create(self._log, target)
        with tempfile.TemporaryDirectory(prefix="headrace-burst-") as folder:
            source = self._source(records)
            run = _run(self._bootstrap, source, target, Path(folder), self._options, endless=False)
            wall = cost(self._log, run, engine.command(run), ()).wall
        with contextlib.closing(self._log.admin()) as admin:
            admin.delete(target)
        return wall

    def _source(self, records: int) -> str:
        if records not in self._filled:
            name = self._filled[records] = f"burst-of-{records}"
            fill(self._log, None, name, Format.JSON, records)
        return self._filled[records]


def _run(
    bootstrap: str, source: str, target: str, folder: Path, options: argparse.Namespace, *, endless: bool
) -> Run:
    (program,) = [item for item in PROGRAMS if item.name == "vessels"]
    return Run(
        program,
        {"positions": source},
        target,
        f"{target}-app",
        bootstrap,
        options.guarantee,
        options.commit,
        options.threads,
        folder,
        endless=endless,
    )


def half_of_slowest(
    written: Journal, engines: Sequence[Engine], guarantee: str, capacity: Callable[[Engine], float]
) -> int:
    """Give half of the capacity of the slowest engine, to a thousand records a second.

    A rate that was measured at already stays the same, so that what is added later can be compared with it.
    """
    before = written.find(kind=RUN, guarantee=guarantee, half=True)
    if before:
        return int(before[0]["rate"])
    for engine in engines:
        if not written.find(kind=CAPACITY, guarantee=guarantee, engine=engine.name):
            rate = round(capacity(engine))
            written.add(
                {"kind": CAPACITY, "guarantee": guarantee, "engine": engine.name, "date": now(), "rate": rate}
            )
            print(f"{engine.name:<16}{rate:>10,} records/s at most", flush=True)
    slowest = min(entry["rate"] for entry in written.find(kind=CAPACITY, guarantee=guarantee))
    return max(int(slowest / 2_000) * 1_000, 1_000)


def _read(
    log: Log, topic: str, seconds: float, process: subprocess.Popen[bytes], traffic: Traffic
) -> pa.ChunkedArray[Any]:
    # The reader must not add waiting of its own.
    consumer = log.consumer(ConsumerOptions(properties={"fetch.wait.max.ms": "5"}))
    consumer.assign({TopicPartition(topic, number): 0 for number in range(PARTITIONS)})
    arrived: list[tuple[int, pa.BinaryArray]] = []
    begun, first = time.monotonic(), None
    while first is None or time.monotonic() - first < seconds:
        batches = consumer.poll(100_000, 0.05)
        now = time.time_ns() // 1_000_000
        if first is None:
            if batches:
                first = time.monotonic()
                traffic.full()
            elif process.poll() is not None or time.monotonic() - begun > _START:
                break
        elif time.monotonic() - first > seconds / 3:
            arrived += [(now, cast("pa.BinaryArray", batch.column("value"))) for batch in batches]
    consumer.close()
    decoder = make_decoder(Side(Format.JSON, STAMP), [("Timestamp",)])
    times = [pc.subtract(now, decoder.decode(values).columns[0]) for now, values in arrived]
    return pa.chunked_array(times, pa.int64())


def main() -> None:
    """Run the benchmark."""
    made = parser(MODULE, __doc__, ENGINES, runs=3, commit=0.1, threads=1)
    made.add_argument(
        "--rates",
        default="20000,60000",
        help="records a second, by commas, beside half of the slowest's capacity",
    )
    made.add_argument("--seconds", type=float, default=30.0, help="from the first result on")
    made.add_argument("--burst", type=int, default=1_000_000, help="records that tell the capacity")
    options = made.parse_args()
    settings = ("commit", "threads", "seconds", "burst")
    written = journal(MODULE, "latency.json", ENGINES, options, settings)
    engines = chosen(ENGINES, options)
    with KafkaServer() as server, open_log(server.url) as log:
        burst = Burst(log, server.bootstrap, options)
        half = half_of_slowest(written, engines, options.guarantee, burst.capacity)
        fixed = [int(rate) for rate in options.rates.split(",") if rate]
        print(f"{'ms':<16}{'records/s':>10}{'median':>9}{'p99':>9}{'p99.9':>9}{'worst':>9}", flush=True)
        for number in range(options.runs):
            for rate in (half, *(rate for rate in fixed if rate != half)):
                for engine in engines:
                    key = {"kind": RUN, "guarantee": options.guarantee, "engine": engine.name, "rate": rate}
                    if written.find(**key, number=number):
                        continue
                    try:
                        found = measure(log, server.bootstrap, engine, rate, options)
                    except RuntimeError as error:
                        print(f"{engine.name}: failed\n{error}", flush=True)
                        continue
                    written.add({**key, "half": rate == half, "number": number, "date": now(), **found})
                    shown = "".join(f"{found['milliseconds'][str(percent)]:>9.0f}" for percent in SHOWN)
                    print(f"{engine.name:<16}{rate:>10,}{shown}", flush=True)


if __name__ == "__main__":
    main()
