"""Measures how long a record takes through each engine at a fixed rate: `python -m benchmarks.peers.latency`.

From the clock of the sender just before it sends, which each record carries in a field, to the arrival of its result at a reader
of committed records. Sender, broker, engine and reader share the machine. The program is the filter over vessel positions.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import pyarrow as pa
import pyarrow.compute as compute

from benchmarks.peers.engines import FlinkSql, Headrace, KafkaStreams, Run
from benchmarks.peers.programs import PROGRAMS
from benchmarks.pipeline.workload import PARTITIONS, create, positions, sides
from headrace.formats import make_decoder, make_encoder
from headrace.formats.interface import Format, Side
from headrace.log import open_log
from headrace.log.interface import ConsumerOptions, ProducerOptions, TopicPartition
from tests.servers.kafka import KafkaServer

if TYPE_CHECKING:
    from benchmarks.peers.engines import Engine
    from headrace.log.interface import Log

pc: Any = compute
"""Its functions; the stubs have them for some types of arrays only."""

ENGINES: Final[tuple[Engine, ...]] = (Headrace(), KafkaStreams(), FlinkSql())
TICK: Final = 0.01
QUANTILES: Final = (0.5, 0.99, 0.999, 1.0)
STAMP: Final = pa.struct([pa.field("Timestamp", pa.int64())])
_START: Final = 60.0


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds of one run: what half of the results took at most, then 99 and 99.9 in 100, then the worst."""

    engine: str
    rate: int
    guarantee: str
    commit: float
    results: int
    median: float
    p99: float
    p999: float
    worst: float


class Traffic:
    """Sends positions that carry the time, at a rate, until it is closed."""

    def __init__(self, log: Log, topic: str, rate: int) -> None:
        self._producer = log.producer(ProducerOptions(properties={"linger.ms": "0"}))
        self._topic = topic
        self._count = max(round(rate * TICK), 1)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._send)
        key, value = sides(Format.JSON)
        self._encoder = make_encoder(value)
        # Made beforehand, so that little is to be done while the time runs.
        self._ready = [positions(self._count, seed) for seed in range(20)]
        keys = make_encoder(key)
        self._keys = [keys.encode(rows.field("MMSI").cast(pa.string())).data for rows in self._ready]

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stopped.set()
        self._thread.join()
        self._producer.close()

    def _send(self) -> None:
        begin = time.monotonic()
        number = 0
        while not self._stopped.wait(max(0.0, begin + number * TICK - time.monotonic())):
            rows, keys = self._ready[number % 20], self._keys[number % 20]
            stamp = pa.repeat(pa.scalar(time.time_ns() // 1_000_000, pa.int64()), self._count)
            columns = [stamp if field.name == "Timestamp" else rows.field(field.name) for field in rows.type]
            values = pa.StructArray.from_arrays(columns, fields=list(rows.type))
            batch = pa.record_batch({"key": keys, "value": self._encoder.encode(values).data})
            self._producer.send(self._topic, batch)
            number += 1


def measure(log: Log, bootstrap: str, engine: Engine, rate: int, options: argparse.Namespace) -> Latency:
    """Run an engine beside the traffic; the time until its first result, and a third of the rest, do not count."""
    name = f"latency-{uuid.uuid4().hex[:8]}"
    source, target = f"{name}-in", f"{name}-out"
    create(log, source)
    create(log, target)
    (program,) = [item for item in PROGRAMS if item.name == "vessels"]
    folder = Path(tempfile.mkdtemp(prefix="headrace-latency-"))
    run = Run(
        program,
        {"positions": source},
        target,
        name,
        bootstrap,
        options.guarantee,
        options.commit,
        options.threads,
        folder,
        endless=True,
    )
    engine.prepare()
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
            taken = _read(log, target, options.seconds, process)
        finally:
            traffic.close()
            _stop(process)
            shutil.rmtree(folder, ignore_errors=True)
            with contextlib.closing(log.admin()) as admin:
                for topic in (source, target):
                    admin.delete(topic)
        if not len(taken):
            said.seek(0)
            message = f"{engine.name} wrote nothing\n{said.read().decode(errors='replace')[-4000:]}"
            raise RuntimeError(message)
    found = pc.quantile(taken, list(QUANTILES)).to_pylist()
    return Latency(engine.name, rate, options.guarantee, options.commit, len(taken), *found)


def _read(log: Log, topic: str, seconds: float, process: subprocess.Popen[bytes]) -> pa.ChunkedArray[Any]:
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
            elif process.poll() is not None or time.monotonic() - begun > _START:
                break
        elif time.monotonic() - first > seconds / 3:
            arrived += [(now, cast("pa.BinaryArray", batch.column("value"))) for batch in batches]
    consumer.close()
    decoder = make_decoder(Side(Format.JSON, STAMP), [("Timestamp",)])
    times = [pc.subtract(now, decoder.decode(values).columns[0]) for now, values in arrived]
    return pa.chunked_array(times, pa.int64())


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers.latency", description=__doc__)
    parser.add_argument("--rates", default="20000,60000", help="records a second, by commas")
    parser.add_argument("--seconds", type=float, default=30.0, help="from the first result on")
    parser.add_argument("--engines", default="", help="headrace, streams, flink, by commas; all by default")
    parser.add_argument("--guarantee", default="exactly_once", choices=("exactly_once", "at_least_once"))
    parser.add_argument("--commit", type=float, default=0.1, help="seconds between commits, of every engine")
    parser.add_argument("--threads", type=int, default=1, help="that process records")
    parser.add_argument("--out", type=Path, default=Path("peers-results"), help="folder of the figures")
    options = parser.parse_args()
    engines = [item for item in ENGINES if not options.engines or item.slug in options.engines.split(",")]
    print(f"{' '.join(['python -m benchmarks.peers.latency', *sys.argv[1:]])}")
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores\n")
    print(f"{'ms':<16}{'records/s':>10}{'median':>9}{'p99':>9}{'p99.9':>9}{'worst':>9}", flush=True)
    options.out.mkdir(parents=True, exist_ok=True)
    found: list[Latency] = []
    with KafkaServer() as server, open_log(server.url) as log:
        for rate in (int(item) for item in options.rates.split(",")):
            for engine in engines:
                one = measure(log, server.bootstrap, engine, rate, options)
                found.append(one)
                figures = "".join(f"{value:>9.0f}" for value in (one.median, one.p99, one.p999, one.worst))
                print(f"{one.engine:<16}{one.rate:>10,}{figures}", flush=True)
    text = json.dumps([asdict(item) for item in found], indent=2)
    (options.out / "latency.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
