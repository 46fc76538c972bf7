"""Vessel positions of about 95 bytes, two thirds of them faster than ten knots."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as compute

from headrace.formats import make_encoder
from headrace.formats.interface import Format, Side
from headrace.log.interface import ProducerOptions, TopicDescription
from headrace.types.avro import avro_to_arrow

if TYPE_CHECKING:
    from headrace.formats.interface import Registry
    from headrace.log.interface import Log

pc: Any = compute
"""Its functions; the stubs have them for some types of arrays only."""


PARTITIONS: Final = 4
SHIPS: Final = 20_000
BATCH: Final = 50_000
START: Final = 1_700_000_000_000

SCHEMA: Final = json.dumps(
    {
        "type": "record",
        "name": "vessel_position",
        "namespace": "headrace.bench",
        "fields": [
            {"name": "MMSI", "type": "long"},
            {"name": "Speed", "type": "double"},
            {"name": "Longitude", "type": "double"},
            {"name": "Latitude", "type": "double"},
            {"name": "Timestamp", "type": "long"},
        ],
    }
)
TYPE: Final = avro_to_arrow(SCHEMA)


def positions(count: int, seed: int) -> pa.StructArray:
    """Give `count` positions; the same seed gives the same ones."""

    def draw(low: float, high: float, digits: int, salt: int) -> pa.Array[Any]:
        unit = pc.random(count, initializer=seed * 16 + salt)
        drawn: pa.Array[Any] = pc.round(pc.add(pc.multiply(unit, high - low), low), digits)
        return drawn

    mmsi = pc.add(draw(0, SHIPS, 0, 0).cast(pa.int64()), 244_000_000)
    time = pa.array(range(START + seed * count, START + (seed + 1) * count), pa.int64())
    # Speeds from 0 to 30: two thirds are above 10.
    columns = [mmsi, draw(0, 30, 1, 1), draw(-5, 10, 6, 2), draw(50, 60, 6, 3), time]
    return pa.StructArray.from_arrays(
        columns, fields=[TYPE.field(number) for number in range(TYPE.num_fields)]
    )


def sides(format: Format) -> tuple[Side, Side]:
    """Give key and value of the topics."""
    value = Side(format, TYPE, SCHEMA if format is Format.AVRO else None)
    return Side(Format.STRING, pa.string()), value


def encoded(format: Format, topic: str, registry: Registry | None, count: int, seed: int) -> pa.RecordBatch:
    """Give `count` records, ready to be sent."""
    key, value = sides(format)
    schema_id = registry.register(f"{topic}-value", SCHEMA) if registry and format is Format.AVRO else None
    rows = positions(count, seed)
    return pa.RecordBatch.from_pydict(
        {
            "key": make_encoder(key).encode(rows.field("MMSI").cast(pa.string())).data,
            "value": make_encoder(value, schema_id).encode(rows).data,
        }
    )


def fill(log: Log, registry: Registry | None, topic: str, format: Format, records: int) -> int:
    """Create a topic with so many records; gives the mean size of a value."""
    create(log, topic)
    if registry is not None and format is Format.AVRO:
        registry.register(f"{topic}-value", SCHEMA)
    producer = log.producer(ProducerOptions(properties={"linger.ms": "20", "compression.type": "none"}))
    size = 0
    try:
        for seed, start in enumerate(range(0, records, BATCH)):
            batch = encoded(format, topic, registry, min(BATCH, records - start), seed)
            size += pc.sum(pc.binary_length(batch.column("value"))).as_py()
            producer.send(topic, batch)
        failures = producer.flush(120)
        assert not failures, failures[0]
    finally:
        producer.close()
    return round(size / max(records, 1))


def create(log: Log, topic: str, partitions: int = PARTITIONS) -> None:
    """Create a topic."""
    admin = log.admin()
    try:
        admin.create(TopicDescription(topic, partitions, 1))
    finally:
        admin.close()


def program(source: str, target: str, guarantee: str, format: Format) -> str:
    """Give the filter of the issue's example over this source."""
    declared = (
        f"CREATE TABLE {source} (MMSI long, Speed double, Longitude double, Latitude double, Timestamp long) "
        f"FORMAT (STRING, JSON);\n"
        if format is Format.JSON
        else ""
    )
    return (
        f"SET autocreate=true;\nSET processing.guarantee='{guarantee}';\n{declared}"
        f"INSERT INTO {target}\n"
        f"SELECT STREAM MMSI, Speed, Longitude AS Long, Latitude AS Lat, `Timestamp`\n"
        f"FROM {source} WHERE Speed > 10"
    )
