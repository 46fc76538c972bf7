"""Topics that the planner's tests read: known without a log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from headrace.catalog import CatalogTopic, KnownTopics
from headrace.formats.interface import Format, Registry, Side
from headrace.planner import plan_program
from headrace.sql import parse_program

if TYPE_CHECKING:
    from headrace.plan.topology import Topology

TEXT = Side(Format.STRING, pa.string())
BYTES = Side(Format.BYTES, pa.binary())

ADDRESS = pa.struct([("street", pa.string()), ("zip", pa.int32()), ("country", pa.string())])
LINES = pa.list_(
    pa.struct([("item", pa.string()), ("quantity", pa.int32()), ("notes", pa.list_(pa.string()))])
)

POSITIONS = pa.struct(
    [
        pa.field("MMSI", pa.int64(), nullable=False),
        pa.field("Speed", pa.float64(), nullable=False),
        pa.field("Longitude", pa.float64(), nullable=False),
        pa.field("Latitude", pa.float64(), nullable=False),
        pa.field("Timestamp", pa.timestamp("ms", tz="UTC"), nullable=False),
    ]
)
ORDERS = pa.struct(
    [
        ("id", pa.int64()),
        ("customer", pa.string()),
        ("amount", pa.decimal128(10, 2)),
        ("quantity", pa.int32()),
        ("paid", pa.bool_()),
        ("placed", pa.timestamp("ms", tz="UTC")),
        ("address", ADDRESS),
        ("lines", LINES),
        ("attributes", pa.map_(pa.string(), pa.string())),
    ]
)

POSITION_SCHEMA = (
    '{"type":"record","name":"Position","namespace":"iot","fields":[{"name":"MMSI","type":"long"},{"name":"Speed","type":"double"},'
    '{"name":"Longitude","type":"double"},{"name":"Latitude","type":"double"},'
    '{"name":"Timestamp","type":{"type":"long","logicalType":"timestamp-millis"}}]}'
)

TOPICS = (
    CatalogTopic("positions", TEXT, Side(Format.JSON, POSITIONS), 4),
    CatalogTopic("positions_avro", TEXT, Side(Format.AVRO, POSITIONS, POSITION_SCHEMA), 4),
    CatalogTopic("orders", TEXT, Side(Format.JSON, ORDERS), 2),
    CatalogTopic("orders_by_id", Side(Format.LONG, pa.int64()), Side(Format.JSON, ORDERS), 2),
    CatalogTopic("keyed", Side(Format.JSON, pa.struct([("a", pa.int32()), ("b", pa.string())])), TEXT, 1),
    CatalogTopic("words", BYTES, TEXT, 1),
    CatalogTopic("archive", TEXT, Side(Format.JSON, pa.struct([("id", pa.int64())])), 1),
)


def known(registry: Registry | None = None) -> KnownTopics:
    """Give the catalog of these topics."""
    return KnownTopics.of(TOPICS, registry)


def plan(program: str, registry: Registry | None = None, *, autocreate: bool = True) -> Topology:
    """Plan a program over these topics."""
    defaults = {"autocreate": "true"} if autocreate else {}
    return plan_program(parse_program(program, "case.sql"), known(registry), defaults=defaults)
