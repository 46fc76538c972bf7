"""Segments: cut, packed, merged, found again."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from headrace.log.embedded import layout, segments

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def stored(values: Sequence[bytes | None], **columns: Sequence[Any]) -> pa.RecordBatch:
    rows = len(values)
    times = pa.array(columns.get("timestamp", range(rows)), pa.int64()).cast(pa.timestamp("ms", tz="UTC"))
    keys = pa.array(columns.get("key", [None] * rows), pa.binary())
    headers = pa.array(columns.get("headers", [None] * rows), segments.STORED.field("headers").type)
    return pa.record_batch([times, keys, pa.array(values, pa.binary()), headers], schema=segments.STORED)


@pytest.fixture
def tx() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    for statement in layout.TABLES:
        connection.execute(statement)
    connection.execute("INSERT INTO topic VALUES (1, 't', 1, '{}', 0)")
    connection.execute("INSERT INTO partition VALUES (1, 0, 0, 0, 0)")
    yield connection
    connection.close()


def append(tx: sqlite3.Connection, batch: pa.RecordBatch) -> int:
    return segments.append(tx, 1, 0, segments.pack(batch))


def read(tx: sqlite3.Connection, offset: int = 0, count: int = 1 << 30) -> list[tuple[int, bytes | None]]:
    found: list[tuple[int, bytes | None]] = []
    for base, batch in segments.read(tx, 1, 0, offset, count):
        found += [(base + row, value) for row, value in enumerate(batch.column("value").to_pylist())]
    return found


def counts(tx: sqlite3.Connection) -> list[int]:
    return [count for (count,) in tx.execute("SELECT records FROM segment ORDER BY base_offset")]


def test_all_columns_come_back(tx: sqlite3.Connection) -> None:
    batch = stored(
        [b"v", None, b""],
        key=[None, b"", b"k"],
        headers=[None, [], [{"key": "a", "value": None}]],
        timestamp=[5, -1, 7],
    )
    append(tx, batch)
    ((base, found),) = segments.read(tx, 1, 0, 0, 10)
    assert base == 0
    assert found.equals(batch)


def test_large_batches_are_cut_by_records_and_by_bytes() -> None:
    assert [item.records for item in segments.pack(stored([b"x"] * 20_000))] == [8192, 8192, 3616]
    big = b"x" * (700 << 10)
    assert [item.records for item in segments.pack(stored([big, big, b"s", b"s", big * 3, b"s"]))] == [
        1,
        3,
        1,
        1,
    ]
    assert segments.pack(stored([])) == []


def test_reading_begins_in_the_middle_and_stops_after_enough(tx: sqlite3.Connection) -> None:
    for start in range(0, 30, 10):
        append(tx, stored([str(number).encode() for number in range(start, start + 10)]))
    assert read(tx, 15)[0] == (15, b"15")
    assert len(read(tx, 15)) == 15
    assert [offset for offset, _ in read(tx, 15, 3)] == [15, 16, 17, 18, 19]
    assert read(tx, 30) == []


def test_small_segments_are_merged_and_nothing_changes(tx: sqlite3.Connection) -> None:
    total = 1000
    for number in range(total):
        assert append(tx, stored([str(number).encode()], timestamp=[number])) == number
    assert read(tx) == [(number, str(number).encode()) for number in range(total)]
    assert len(counts(tx)) < 70
    assert sum(counts(tx)) == total
    assert segments.offset_at(tx, 1, 0, 777) == 777


def test_full_segments_are_left_alone(tx: sqlite3.Connection) -> None:
    for _ in range(70):
        append(tx, stored([b"x" * 1000] * 800))
    assert set(counts(tx)) == {800}


def test_merging_cuts_again_by_bytes(tx: sqlite3.Connection) -> None:
    for _ in range(130):
        append(tx, stored([bytes(range(256)) * 400]))
    assert len(read(tx)) == 130
    assert max(counts(tx)) <= 11


def test_offset_at_takes_the_first_that_is_late_enough(tx: sqlite3.Connection) -> None:
    append(tx, stored([b"0", b"1"], timestamp=[10, 30]))
    append(tx, stored([b"2", b"3"], timestamp=[20, 40]))
    assert [segments.offset_at(tx, 1, 0, time) for time in (0, 10, 11, 31, 40, 41)] == [0, 0, 1, 3, 3, None]
