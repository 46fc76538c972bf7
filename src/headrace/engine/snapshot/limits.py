"""How much a snapshot query may read, and which limit ended it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Callable


class Ending(StrEnum):
    """Why a query stopped reading."""

    END = "end"
    """All there was at its start has been read."""
    ROWS = "LIMIT"
    SIZE = "max.size"
    TIME = "max.query.time"
    IDLE = "max.idle.time"
    KILLED = "KILL QUERY"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a query may use at most; None is no limit.

    Args:
        rows: of the result.
        max_bytes: of the keys and values that are read, all topics together.
        max_seconds: from the first read to the last; what still computes a while later is interrupted.
        idle_seconds: between two records.
        killed: asked now and then whether the query is to stop; must be quick; any thread may call.
    """

    rows: int | None = None
    max_bytes: int | None = None
    max_seconds: float | None = None
    idle_seconds: float | None = None
    killed: Callable[[], bool] | None = None


class Budget:
    """What is left of the limits, for all scans of one run of a query. Belongs to one thread.

    Scans ask `spent` before each read, and end as at the end of their topic once it says so: the result is that of what was
    read until then.
    """

    def __init__(self, limits: Limits) -> None:
        self.ending = Ending.END
        """Which limit ended the query; changed once at most, but for `stopped`."""
        self.bytes = 0
        """Bytes of keys and values read so far."""
        self._limits = limits
        self._began = time.monotonic()
        self._last = self._began

    def taken(self, records: pa.RecordBatch) -> pa.RecordBatch:
        """Count records that were read; gives those of them that the size still allows, from the first on."""
        sizes = pc.add(_lengths(records.column("key")), _lengths(records.column("value")))
        room = None if self._limits.max_bytes is None else self._limits.max_bytes - self.bytes
        total = pc.sum(sizes, min_count=0).as_py()
        if room is not None and total > room:
            # Sizes are never negative, so the sums rise.
            count = len(
                pc.indices_nonzero(pc.less_equal(pc.cumulative_sum(sizes), pa.scalar(room, pa.int64())))
            )
            records = records.slice(0, count)
            total = pc.sum(sizes.slice(0, count), min_count=0).as_py()
            if self.ending is Ending.END:
                self.ending = Ending.SIZE
        self.bytes += total
        self._last = time.monotonic()
        return records

    def moved(self) -> None:
        """Note that records came which do not count: to wait for the next one begins anew."""
        self._last = time.monotonic()

    def spent(self) -> bool:
        """Say whether nothing more may be read."""
        if self.ending is Ending.END:
            self.ending = self._reached()
        return self.ending is not Ending.END

    def full(self) -> None:
        """Note that the result has as many rows as it may."""
        self.ending = Ending.ROWS

    def stopped(self, ending: Ending) -> None:
        """Note that the query was interrupted, whatever has ended its reading before."""
        self.ending = ending

    def _reached(self) -> Ending:
        limits, now = self._limits, time.monotonic()
        if limits.max_bytes is not None and self.bytes >= limits.max_bytes:
            return Ending.SIZE
        if limits.max_seconds is not None and now - self._began >= limits.max_seconds:
            return Ending.TIME
        if limits.idle_seconds is not None and now - self._last >= limits.idle_seconds:
            return Ending.IDLE
        if limits.killed is not None and limits.killed():
            return Ending.KILLED
        return Ending.END


def _lengths(values: pa.Array[Any]) -> pa.Array[Any]:
    """Give the bytes of each value; none for one that is not there."""
    lengths = pc.binary_length(cast("pa.BinaryArray", values)).cast(pa.int64())
    found: pa.Array[Any] = pc.if_else(pc.is_null(lengths), pa.scalar(0, pa.int64()), lengths)
    return found
