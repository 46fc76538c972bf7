"""How fast the embedded log takes and gives records: `python -m benchmarks.micro.embedded_log [--records N]`.

Vessel positions of about 95 bytes with a key, in batches of 10,000, over four partitions of a file in a temporary folder. Then
single records, each sent in a commit of its own and seen by a consumer of another connection.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from pathlib import Path

import pyarrow as pa

from headrace.log.embedded import EmbeddedLog
from headrace.log.interface import ConsumerOptions, ProducerOptions, TopicDescription, TopicPartition

BATCH = 10_000
PARTITIONS = 4


def positions(count: int) -> pa.RecordBatch:
    """Make a batch of vessel positions."""
    # Coordinates that do not repeat, so that packing is not flattered.
    chance = random.Random(7)
    values = [
        json.dumps(
            {
                "MMSI": 200_000_000 + row % 9_973,
                "Speed": row % 31,
                "Longitude": round(chance.uniform(-180, 180), 5),
                "Latitude": round(chance.uniform(-90, 90), 5),
                "Timestamp": row,
            }
        ).encode()
        for row in range(count)
    ]
    keys = [str(200_000_000 + row % 9_973).encode() for row in range(count)]
    return pa.record_batch({"key": pa.array(keys, pa.binary()), "value": pa.array(values, pa.binary())})


def measure(path: Path, total: int) -> dict[str, float]:
    """Write and read `total` records, and give the figures."""
    batch = positions(BATCH)
    figures = {"bytes a value": sum(len(value or b"") for value in batch.column("value").to_pylist()) / BATCH}
    with EmbeddedLog(str(path)) as log:
        admin = log.admin()
        admin.create(TopicDescription("t", PARTITIONS))
        producer = log.producer(ProducerOptions())
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(total // BATCH):
            producer.send("t", batch)
        assert producer.flush(10) == []
        figures["in: records/s"] = total / (time.perf_counter() - wall)
        figures["in: CPU s per million"] = (time.process_time() - cpu) / total * 1e6
        consumer = log.consumer(ConsumerOptions())
        consumer.assign({TopicPartition("t", number): 0 for number in range(PARTITIONS)})
        wall, cpu, seen = time.perf_counter(), time.process_time(), 0
        while seen < total:
            seen += sum(found.num_rows for found in consumer.poll(BATCH, 1.0))
        figures["out: records/s"] = total / (time.perf_counter() - wall)
        figures["out: CPU s per million"] = (time.process_time() - cpu) / total * 1e6
        figures["file: bytes a record"] = path.stat().st_size / total
        admin.create(TopicDescription("single", 1))
        consumer.assign({TopicPartition("single", 0): 0})
        one, latencies = batch.slice(0, 1), []
        for _ in range(2_000):
            wall = time.perf_counter()
            producer.send("single", one)
            assert consumer.poll(1, 1.0)
            latencies.append(time.perf_counter() - wall)
        figures["single record, send to poll: median ms"] = statistics.median(latencies) * 1e3
        figures["single record, send to poll: p99 ms"] = statistics.quantiles(latencies, n=100)[98] * 1e3
        consumer.close()
        producer.close()
        admin.close()
    return figures


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name, figure in measure(Path(folder) / "log.db", arguments.records).items():
            print(f"{name:<42} {figure:>14,.2f}")


if __name__ == "__main__":
    main()
