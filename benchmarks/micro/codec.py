"""Nanoseconds per record of the codecs, on one core: `python benchmarks/micro/codec.py`.

The record is a vessel position with five fields. Each figure is the best of several runs over batches of 20,000 records.
"""

from __future__ import annotations

import datetime as dt
import os
import time
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from headrace.formats import make_decoder, make_encoder
from headrace.formats.interface import Format, Side
from headrace.formats.registry.embedded import EmbeddedRegistry
from headrace.log.embedded import EmbeddedLog
from headrace.types.avro import arrow_to_avro
from headrace.types.json_schema import arrow_to_json_schema

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = 20_000
RUNS = 20
TYPE = pa.struct(
    [
        ("MMSI", pa.int64()),
        ("Speed", pa.float64()),
        ("Longitude", pa.float64()),
        ("Latitude", pa.float64()),
        ("Timestamp", pa.string()),
    ]
)


def positions() -> pa.Array[Any]:
    start = dt.datetime(2018, 5, 10, 12, 34, 56, tzinfo=dt.UTC)
    return pa.array(
        [
            {
                "MMSI": 244_670_316 + n,
                "Speed": n % 300 / 10,
                "Longitude": 4.123456 + n / 1e6,
                "Latitude": 51.987654 - n / 1e6,
                "Timestamp": (start + dt.timedelta(seconds=n)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
            for n in range(ROWS)
        ],
        TYPE,
    )


def measure(name: str, work: Callable[[], object]) -> None:
    best = float("inf")
    for _ in range(RUNS):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    print(f"{name:<32}{best / ROWS * 1e9:8.0f} ns/record")


def main() -> None:
    values = positions()
    avro = arrow_to_avro(TYPE, "Position")
    registry = EmbeddedRegistry(EmbeddedLog(":memory:"))
    json_schema = arrow_to_json_schema(TYPE, "Position")
    sides = {
        "JSON": (Side(Format.JSON, TYPE), None),
        "AVRO": (Side(Format.AVRO, TYPE, avro), registry.register("avro-value", avro)),
        "JSON_SR": (Side(Format.JSON_SR, TYPE, json_schema), 2),
    }
    print(f"{dt.datetime.now(dt.UTC):%Y-%m-%d}, one of {os.cpu_count()} cores, {ROWS} records a batch")
    for name, (side, schema_id) in sides.items():
        encoder = make_encoder(side, schema_id)
        data = encoder.encode(values).data
        fields = [(field.name,) for field in TYPE]
        five = make_decoder(side, fields, registry)
        one = make_decoder(side, fields[1:2], registry)
        print(f"{name}: {data.nbytes / ROWS - 4:.0f} bytes a record")
        measure(f"{name} decode 5 of 5 fields", lambda: five.decode(data))  # noqa: B023
        measure(f"{name} decode 1 of 5 fields", lambda: one.decode(data))  # noqa: B023
        measure(f"{name} encode 5 fields", lambda: encoder.encode(values))  # noqa: B023


if __name__ == "__main__":
    main()
