"""Measures `headrace query` on a real Kafka of this machine, and prints the figures as a table: part of `make bench`."""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
from datetime import UTC, datetime
from typing import Final

from benchmarks.pipeline.child import HEADRACE, Cost, run
from benchmarks.pipeline.workload import fill
from headrace.formats.interface import Format
from headrace.log import open_log
from tests.servers.kafka import KafkaServer

MEBI: Final = 1 << 20
TOPIC: Final = "positions"
QUERIES: Final = {
    "nothing (start alone)": "SELECT 1 AS one",
    "filtered count": f"SELECT count(*) AS n FROM {TOPIC} WHERE Speed > 10",
    "count": f"SELECT count(*) AS n FROM {TOPIC}",
    "group by ship, top 10": f"SELECT MMSI, max(Speed) AS top FROM {TOPIC} GROUP BY MMSI ORDER BY top DESC, MMSI LIMIT 10",
    "last 1,000 of each partition": f"SELECT count(*) AS n FROM {TOPIC} WHERE _meta.offset >= LAST_OFFSET() - 1000",
    "first ten": f"SELECT * FROM {TOPIC} LIMIT 10",
}


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.snapshot", description=__doc__)
    parser.add_argument("--records", type=int, default=10_000_000)
    parser.add_argument("--runs", type=int, default=3, help="of each figure; the median counts")
    options = parser.parse_args()
    print(f"python -m benchmarks.snapshot {' '.join(sys.argv[1:])}")
    print(
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores, {platform.machine()}, Python {sys.version.split()[0]}"
    )
    with KafkaServer() as server, open_log(server.url) as log:
        size = fill(log, None, TOPIC, Format.JSON, options.records)
        print(
            f"{options.records:,} vessel positions of {size} bytes (JSON), 4 partitions; Kafka on this machine\n"
        )
        print(f"{'':<32}{'wall s':>8}{'CPU s':>8}{'records/CPU s':>15}{'peak MiB':>10}", flush=True)
        start = 0.0
        for name, text in QUERIES.items():
            costs = [_query(server.url, text) for _ in range(options.runs)]
            wall, cpu = (statistics.median(getattr(cost, part) for cost in costs) for part in ("wall", "cpu"))
            start = start or cpu
            rate = options.records / max(cpu - start, 0.01)
            shown = (
                f"{rate:>15,.0f}"
                if name in ("filtered count", "count", "group by ship, top 10")
                else " " * 15
            )
            print(
                f"{name:<32}{wall:>8.2f}{cpu:>8.2f}{shown}{max(cost.peak for cost in costs) / MEBI:>10.0f}",
                flush=True,
            )


def _query(url: str, text: str) -> Cost:
    return run([HEADRACE, "query", text, "--log", url])


if __name__ == "__main__":
    main()
