"""Start-up time and latency of `headrace run`."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as compute

from benchmarks.pipeline.child import HEADRACE, stop
from benchmarks.pipeline.workload import PARTITIONS, create, encoded
from headrace.log.interface import ConsumerOptions, ProducerOptions, TopicPartition
from headrace.log.records import TIMESTAMP

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from headrace.formats.interface import Format, Registry
    from headrace.log.interface import Consumer, Log

pc: Any = compute
"""Its functions; the stubs have them for some types of arrays only."""


TICK = 0.01


def start_up(log: Log, target: str, program: str, environment: Mapping[str, str], application: str) -> float:
    """Give the seconds from the start of the process to the first record that it wrote, as a reader sees it."""
    create(log, target)
    with _reading(log, target) as consumer:
        consumer.poll(1, 0.5)
        start = time.monotonic()
        process = _start(program, environment, application)
        try:
            while not consumer.poll(1000, 0.05):
                if process.poll() is not None or time.monotonic() - start > 60:
                    message = "the processor wrote nothing"
                    raise RuntimeError(message)
            return time.monotonic() - start
        finally:
            stop(process)


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from the producer's clock, just before sending, to the arrival of the result at a reader."""

    median: float
    p99: float
    worst: float
    records: int


def latency(
    log: Log,
    registry: Registry | None,
    source: str,
    target: str,
    program: str,
    environment: Mapping[str, str],
    format: Format,
    rate: int,
    seconds: float,
) -> Latency:
    """Send `rate` records a second, and measure each result. The first third of the time is warm-up and does not count."""
    create(log, source)
    create(log, target)
    process = _start(program, environment, f"{target}-app")
    stopped = threading.Event()
    sender = threading.Thread(target=_send, args=(log, registry, source, format, rate, stopped))
    measured: list[pa.Array[Any]] = []
    try:
        with _reading(log, target) as consumer:
            sender.start()
            begin = time.monotonic()
            while (gone := time.monotonic() - begin) < seconds:
                batches = consumer.poll(50_000, 0.05)
                now = time.time_ns() // 1_000_000
                if gone > seconds / 3:
                    measured += [
                        pc.subtract(now, batch.column("timestamp").cast(pa.int64())) for batch in batches
                    ]
    finally:
        stopped.set()
        sender.join()
        stop(process)
    if not measured:
        message = "the processor wrote nothing"
        raise RuntimeError(message)
    whole = pa.chunked_array(measured)
    median, p99, worst = pc.quantile(whole, [0.5, 0.99, 1.0]).to_pylist()
    return Latency(median, p99, worst, len(whole))


def _send(
    log: Log, registry: Registry | None, topic: str, format: Format, rate: int, stopped: threading.Event
) -> None:
    producer = log.producer(ProducerOptions(properties={"linger.ms": "0"}))
    per_tick = int(rate * TICK)
    # Made beforehand, so that encoding costs nothing while the time runs.
    ready = [encoded(format, topic, registry, per_tick, seed) for seed in range(20)]
    begin = time.monotonic()
    try:
        for number in range(1 << 30):
            if stopped.wait(max(0.0, begin + number * TICK - time.monotonic())):
                return
            batch = ready[number % len(ready)]
            stamp = pa.repeat(pa.scalar(time.time_ns() // 1_000_000, TIMESTAMP), per_tick)
            producer.send(topic, batch.append_column("timestamp", stamp))
    finally:
        producer.flush(10)
        producer.close()


@contextmanager
def _reading(log: Log, topic: str) -> Iterator[Consumer]:
    """Open a consumer of all partitions of a topic from their present ends."""
    # The reader must not add waiting of its own.
    consumer = log.consumer(ConsumerOptions(properties={"fetch.wait.max.ms": "5"}))
    try:
        parts = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        consumer.assign({part: end for part, (_, end) in consumer.watermarks(parts).items()})
        yield consumer
    finally:
        consumer.close()


def _start(program: str, environment: Mapping[str, str], application: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [HEADRACE, "run", "-e", program, "--app-id", application],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
