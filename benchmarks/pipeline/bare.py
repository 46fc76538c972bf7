"""The native client alone: moves two thirds of the records of one topic to another, without decoding them.

The floor under every pipeline: what Headrace costs beyond this is its own. Called by `benchmarks.pipeline`, or by hand:

    python -m benchmarks.pipeline.bare --log kafka://127.0.0.1:9092 --records 2000000
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from headrace.config.client_properties import DIRECT_FETCH, DIRECT_PRODUCE
from headrace.log import open_log
from headrace.log.interface import ConsumerOptions, ProducerOptions, TopicDescription, TopicPartition

if TYPE_CHECKING:
    from headrace.log.interface import Log

PARTITIONS: Final = 4
_BATCH: Final = 50_000
_MOST: Final = 65_536


@dataclass(frozen=True, slots=True)
class Moved:
    """What it cost: records read, seconds, CPU seconds and peak resident memory (bytes) of this process."""

    records: int
    wall: float
    cpu: float
    peak: int

    def __str__(self) -> str:
        millions = self.records / 1e6 or 1.0
        return (
            f"{self.records:,} records, {self.records / self.wall:,.0f}/s, {self.cpu / millions:.2f} CPU s per million, "
            f"peak {self.peak / (1 << 20):.0f} MiB"
        )


def fill(log: Log, topic: str, records: int) -> None:
    """Make a topic of records of 95 bytes."""
    log.admin().create(TopicDescription(topic, PARTITIONS))
    producer = log.producer(ProducerOptions())
    for start in range(0, records, _BATCH):
        rows = range(start, min(start + _BATCH, records))
        values = pa.array([f"{row:095d}".encode() for row in rows], pa.binary())
        keys = pa.array([str(row % 20_000).encode() for row in rows], pa.binary())
        producer.send(topic, pa.record_batch({"key": keys, "value": values}))
    failures = producer.flush(120)
    producer.close()
    if failures:
        message = f"{len(failures)} records were not delivered"
        raise RuntimeError(message)


def move(log: Log, source: str, target: str | None, *, librdkafka: bool = False) -> Moved:
    """Read the source up to its present end; write two thirds of it to the target, or nothing.

    Args:
        log: a Kafka.
        source: the topic to read.
        target: where two thirds of the records go.
        librdkafka: whether librdkafka reads and writes all records itself.
    """
    reading = {DIRECT_FETCH: "false"} if librdkafka else {}
    writing = ProducerOptions(properties={DIRECT_PRODUCE: "false"} if librdkafka else {})
    options = ConsumerOptions(group=f"bare-{uuid.uuid4().hex[:8]}", properties=reading)
    consumer = log.consumer(options)
    description = log.admin().describe(source)
    assert description is not None
    partitions = [TopicPartition(source, number) for number in range(description.partitions)]
    marks = consumer.watermarks(partitions)
    ends = {item: high for item, (low, high) in marks.items() if high > low}
    producer = log.producer(writing) if target is not None else None
    began, cpu = time.monotonic(), _cpu()
    consumer.assign(dict.fromkeys(ends, -2))
    records = 0
    thirds = pa.array([row % 3 != 0 for row in range(_MOST)])
    while any(consumer.positions().get(item, 0) < end for item, end in ends.items()):
        for batch in consumer.poll(_MOST, 0.5, 0.05):
            records += batch.num_rows
            if producer is not None and target is not None:
                # The source's partitions are not kept: the key decides again, as in a pipeline.
                kept = batch.select(["key", "value", "timestamp"]).filter(thirds.slice(0, batch.num_rows))
                producer.send(target, kept)
    if producer is not None and (failures := producer.flush(120)):
        message = f"{len(failures)} records were not delivered: {failures[0].reason}"
        raise RuntimeError(message)
    moved = Moved(records, time.monotonic() - began, _cpu() - cpu, _peak())
    if producer is not None:
        producer.close()
    consumer.close()
    return moved


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _peak() -> int:
    # Linux counts in KiB, macOS in bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _default_log() -> str | None:
    servers = os.environ.get("SQL_BOOTSTRAP_SERVERS")
    return os.environ.get("HEADRACE_LOG") or (f"kafka://{servers}" if servers else None)


def main() -> None:
    """Move records and print what it cost."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pipeline.bare", description=__doc__)
    parser.add_argument(
        "--log", default=_default_log(), help="the broker (HEADRACE_LOG, SQL_BOOTSTRAP_SERVERS)"
    )
    parser.add_argument("--source", help="a topic with records; without it one is made")
    parser.add_argument("--target", help="where two thirds of them go; without it one is made")
    parser.add_argument("--records", type=int, default=2_000_000, help="how many to make")
    parser.add_argument("--librdkafka", action="store_true", help="let librdkafka read all partitions")
    parser.add_argument("--consume-only", action="store_true", help="write nothing")
    options = parser.parse_args()
    if options.log is None:
        parser.error("name the broker by --log, HEADRACE_LOG or SQL_BOOTSTRAP_SERVERS")
    with open_log(options.log) as log:
        source = options.source
        if source is None:
            source = f"bare-{uuid.uuid4().hex[:8]}"
            fill(log, source, options.records)
        target = options.target
        if target is None and not options.consume_only:
            target = f"{source}-out"
            log.admin().create(TopicDescription(target, PARTITIONS))
        written = None if options.consume_only else target
        print(move(log, source, written, librdkafka=options.librdkafka))


if __name__ == "__main__":
    main()
