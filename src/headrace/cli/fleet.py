"""Invented ships that move: the data of `headrace demo`."""

from __future__ import annotations

import json
import math
import random
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

KEY_SCHEMA: Final = json.dumps(
    {
        "type": "record",
        "name": "vessel_key",
        "namespace": "headrace.demo",
        "fields": [{"name": "MMSI", "type": "long"}],
    }
)
VALUE_SCHEMA: Final = json.dumps(
    {
        "type": "record",
        "name": "vessel_position",
        "namespace": "headrace.demo",
        "fields": [
            {"name": "MMSI", "type": "long"},
            {"name": "Speed", "type": "double", "doc": "knots"},
            {"name": "Course", "type": "double", "doc": "degrees"},
            {"name": "Longitude", "type": "double"},
            {"name": "Latitude", "type": "double"},
            {"name": "Status", "type": "int"},
            {"name": "Timestamp", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        ],
    }
)
KEY_TYPE: Final = pa.struct([pa.field("MMSI", pa.int64(), nullable=False)])

KNOT_IN_DEGREES_PER_SECOND: Final = 1.852 / 3600 / 111.32
UNDER_WAY, AT_ANCHOR = 0, 1


@dataclass(slots=True)
class Vessel:
    """One ship, where it was last heard of."""

    mmsi: int
    speed: float
    course: float
    longitude: float
    latitude: float
    heard: int


class Fleet:
    """Ships in the North Sea. Each report moves one of them to where it has got to; a third of them are slow.

    Args:
        size: number of ships.
        start: epoch ms at which they begin.
        seed: the same seed gives the same reports.
    """

    def __init__(self, size: int, start: int, seed: int = 1) -> None:
        self._random = random.Random(seed)
        self._vessels = [self._vessel(244_670_000 + number, start) for number in range(size)]

    def reports(self, count: int, now: int) -> tuple[pa.StructArray, pa.StructArray]:
        """Give keys and values of `count` reports sent at `now` (epoch ms)."""
        heard = [self._move(self._random.choice(self._vessels), now) for _ in range(count)]
        mmsi = pa.array([vessel.mmsi for vessel in heard], pa.int64())
        columns: list[pa.Array[Any]] = [
            mmsi,
            pa.array([vessel.speed for vessel in heard]),
            pa.array([vessel.course for vessel in heard]),
            pa.array([vessel.longitude for vessel in heard]),
            pa.array([vessel.latitude for vessel in heard]),
            pa.array([UNDER_WAY if vessel.speed > 0 else AT_ANCHOR for vessel in heard], pa.int32()),
            pa.repeat(pa.scalar(now, pa.timestamp("ms", tz="UTC")), count),
        ]
        return (
            pa.StructArray.from_arrays([mmsi], fields=list(KEY_TYPE)),
            pa.StructArray.from_arrays(
                columns,
                ["MMSI", "Speed", "Course", "Longitude", "Latitude", "Status", "Timestamp"],
            ),
        )

    def _vessel(self, mmsi: int, start: int) -> Vessel:
        draw = self._random
        speed = draw.uniform(0.0, 10.0) if draw.random() < 1 / 3 else draw.uniform(10.0, 24.0)
        return Vessel(
            mmsi, speed, draw.uniform(0, 360), draw.uniform(2.0, 4.5), draw.uniform(51.5, 54.0), start
        )

    def _move(self, vessel: Vessel, now: int) -> Vessel:
        draw = self._random
        way = vessel.speed * (now - vessel.heard) / 1000 * KNOT_IN_DEGREES_PER_SECOND
        angle = math.radians(vessel.course)
        vessel.latitude = round(vessel.latitude + way * math.cos(angle), 6)
        vessel.longitude = round(
            vessel.longitude + way * math.sin(angle) / math.cos(math.radians(vessel.latitude)), 6
        )
        vessel.course = round((vessel.course + draw.gauss(0, 2)) % 360, 1)
        vessel.speed = round(min(max(vessel.speed + draw.gauss(0, 0.2), 0.0), 30.0), 1)
        vessel.heard = now
        # A copy: the ship may be drawn again in the same batch.
        return Vessel(vessel.mmsi, vessel.speed, vessel.course, vessel.longitude, vessel.latitude, now)
