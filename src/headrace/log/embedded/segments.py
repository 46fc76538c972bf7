"""Records at rest: a run of consecutive records of one partition is one Arrow batch in a row of `segment`.

A batch goes in and comes out as a whole; there is no row per record. Columns that hold nothing are left out,
and the bytes are packed with LZ4, which costs less than writing the difference. Offsets are not stored: they
are dense.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headrace.log.records import HEADERS, TIMESTAMP

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

_COLUMNS: Final[dict[str, pa.DataType]] = {
    "timestamp": TIMESTAMP,
    "key": pa.binary(),
    "value": pa.binary(),
    "headers": HEADERS,
}

STORED: Final = pa.schema(_COLUMNS)
"""What `append` takes and `read` gives: the records of one partition."""

MAX_BYTES: Final = 1 << 20
MAX_RECORDS: Final = 8192
"""Bounds of a segment, so that a reader that wants little need not unpack much. One record may be larger."""

_MERGE_AFTER: Final = 64
"""So many segments at the end of a partition are merged: producers of small batches leave small ones."""

_KEYS: Final = 1
_HEADERS: Final = 2
_PACK_FROM: Final = 1024
_CODEC: Final = pa.Codec("lz4_raw")


@dataclass(frozen=True, slots=True)
class Packed:
    """A segment that has no place yet."""

    records: int
    latest_ms: int
    columns: int
    plain_size: int
    data: pa.Buffer


def pack(records: pa.RecordBatch) -> list[Packed]:
    """Cut records with schema `STORED` into segments, in order."""
    cuts = _cuts(records)
    return [_pack_one(records.slice(start, end - start)) for start, end in pairwise(cuts)]


def join(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    """Put batches of one schema, at least one of them, into one."""
    if len(batches) == 1:
        return batches[0]
    return pa.Table.from_batches(batches).combine_chunks().to_batches()[0]


def _binary(records: pa.RecordBatch, name: str) -> pa.BinaryArray:
    return cast("pa.BinaryArray", records.column(name))


def sizes(records: pa.RecordBatch) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Give the bytes of key and value of each record."""
    total = np.zeros(records.num_rows, np.int64)
    for name in ("key", "value"):
        total += pc.binary_length(_binary(records, name)).fill_null(0).to_numpy(zero_copy_only=False)
    return total


def _cuts(records: pa.RecordBatch) -> list[int]:
    count = records.num_rows
    if count <= MAX_RECORDS and records.nbytes <= MAX_BYTES:
        return [0, count] if count else [0]
    ends = np.cumsum(sizes(records))
    cuts = [0]
    while cuts[-1] < count:
        start = cuts[-1]
        before = int(ends[start - 1]) if start else 0
        full = int(np.searchsorted(ends, before + MAX_BYTES, side="right"))
        cuts.append(min(max(full, start + 1), start + MAX_RECORDS, count))
    return cuts


def _pack_one(records: pa.RecordBatch) -> Packed:
    columns = 0
    if records.column("key").null_count < records.num_rows:
        columns |= _KEYS
    if records.column("headers").null_count < records.num_rows:
        columns |= _HEADERS
    plain = records.select(_names(columns)).serialize()
    latest = pc.max(records.column("timestamp").cast(pa.int64())).as_py()
    if plain.size < _PACK_FROM:
        return Packed(records.num_rows, latest, columns, 0, plain)
    return Packed(records.num_rows, latest, columns, plain.size, _CODEC.compress(plain))


def _names(columns: int) -> list[str]:
    names = ["timestamp", "value"]
    if columns & _KEYS:
        names.append("key")
    if columns & _HEADERS:
        names.append("headers")
    return names


_SCHEMAS: Final = {
    columns: pa.schema([STORED.field(name) for name in _names(columns)])
    for columns in (0, _KEYS, _HEADERS, _KEYS | _HEADERS)
}


def _unpack(columns: int, plain_size: int, data: bytes) -> pa.RecordBatch:
    buffer = pa.py_buffer(data)
    if plain_size:
        buffer = _CODEC.decompress(buffer, plain_size)
    batch = pa.ipc.read_record_batch(buffer, _SCHEMAS[columns])
    rows = batch.num_rows
    return pa.record_batch(
        [
            batch.column("timestamp"),
            batch.column("key") if columns & _KEYS else pa.nulls(rows, pa.binary()),
            batch.column("value"),
            batch.column("headers") if columns & _HEADERS else pa.nulls(rows, HEADERS),
        ],
        schema=STORED,
    )


def append(tx: sqlite3.Connection, topic: int, partition: int, segments: list[Packed]) -> int:
    """Add segments to the end of a partition and give the offset of their first record."""
    base, tail_segments = tx.execute(
        "SELECT end_offset, tail_segments FROM partition WHERE topic = ? AND partition = ?",
        (topic, partition),
    ).fetchone()
    end = _insert(tx, topic, partition, base, segments)
    tx.execute(
        "UPDATE partition SET end_offset = ?, tail_segments = tail_segments + ?"
        " WHERE topic = ? AND partition = ?",
        (end, len(segments), topic, partition),
    )
    if tail_segments + len(segments) >= _MERGE_AFTER:
        _merge_tail(tx, topic, partition)
    return int(base)


def _insert(tx: sqlite3.Connection, topic: int, partition: int, base: int, segments: list[Packed]) -> int:
    for item in segments:
        tx.execute(
            "INSERT INTO segment"
            " (topic, partition, base_offset, records, latest_ms, columns, plain_size, data)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (topic, partition, base, item.records, item.latest_ms, item.columns, item.plain_size, item.data),
        )
        base += item.records
    return base


def _merge_tail(tx: sqlite3.Connection, topic: int, partition: int) -> None:
    """Replace the segments after `tail_offset` by full ones.

    The last of them, if it has room, begins the next tail.
    """
    tail = tx.execute(
        "SELECT tail_offset FROM partition WHERE topic = ? AND partition = ?", (topic, partition)
    ).fetchone()[0]
    rows = tx.execute(
        "SELECT count(*), sum(records), sum(max(plain_size, length(data))) FROM segment"
        " WHERE topic = ? AND partition = ? AND base_offset >= ?",
        (topic, partition, tail),
    ).fetchone()
    segments, records, plain = rows
    # A tail of segments that are well filled already is left as it is.
    if segments > 2 * (1 + max(records // MAX_RECORDS, plain // MAX_BYTES)):
        batches = [batch for _, batch in read(tx, topic, partition, tail, records)]
        merged = pack(join(batches))
        tx.execute(
            "DELETE FROM segment WHERE topic = ? AND partition = ? AND base_offset >= ?",
            (topic, partition, tail),
        )
        end = _insert(tx, topic, partition, tail, merged)
        last = merged[-1]
        room = last.records < MAX_RECORDS // 2 and last.plain_size < MAX_BYTES // 2
        tail, segments = (end - last.records, 1) if room else (end, 0)
    else:
        tail, segments = tail + records, 0
    tx.execute(
        "UPDATE partition SET tail_offset = ?, tail_segments = ? WHERE topic = ? AND partition = ?",
        (tail, segments, topic, partition),
    )


def first_offset(tx: sqlite3.Connection, topic: int, partition: int) -> int:
    """Give the offset of the oldest record that is still there; the end offset if there is none."""
    row = tx.execute(
        "SELECT ifnull((SELECT min(base_offset) FROM segment WHERE topic = :topic AND partition = :partition), end_offset)"
        " FROM partition WHERE topic = :topic AND partition = :partition",
        {"topic": topic, "partition": partition},
    ).fetchone()
    return 0 if row is None else int(row[0])


def delete_before(tx: sqlite3.Connection, topic: int, partition: int, offset: int) -> None:
    """Remove the records before an offset, which is not beyond the end; a segment that it cuts is written anew."""
    place = (topic, partition, offset)
    cut = tx.execute(
        "SELECT id, base_offset, columns, plain_size, data FROM segment"
        " WHERE topic = ? AND partition = ? AND base_offset < ? AND base_offset + records > ?",
        (*place, offset),
    ).fetchone()
    tx.execute("DELETE FROM segment WHERE topic = ? AND partition = ? AND base_offset < ?", place)
    if cut is not None:
        _, base, columns, plain_size, data = cut
        rest = _unpack(columns, plain_size, data).slice(offset - base)
        _insert(tx, topic, partition, offset, pack(rest))
    tail = tx.execute(
        "SELECT tail_offset FROM partition WHERE topic = ? AND partition = ?", (topic, partition)
    ).fetchone()[0]
    if tail < offset:
        tx.execute(
            "UPDATE partition SET tail_offset = :offset, tail_segments ="
            " (SELECT count(*) FROM segment WHERE topic = :topic AND partition = :partition AND base_offset >= :offset)"
            " WHERE topic = :topic AND partition = :partition",
            {"topic": topic, "partition": partition, "offset": offset},
        )


def read(
    tx: sqlite3.Connection, topic: int, partition: int, offset: int, max_records: int
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Give segments, each with its first offset, until they hold `max_records`.

    The first is the one that holds `offset`, cut to begin there; the last is given whole.
    """
    rows = tx.execute(
        "SELECT base_offset, records, columns, plain_size, data FROM segment"
        " WHERE topic = :topic AND partition = :partition AND base_offset >= ifnull((SELECT max(base_offset)"
        " FROM segment WHERE topic = :topic AND partition = :partition AND base_offset <= :offset), 0)"
        " ORDER BY base_offset",
        {"topic": topic, "partition": partition, "offset": offset},
    )
    found = 0
    for base, records, columns, plain_size, data in rows:
        skip = max(offset - base, 0)
        if skip >= records:
            continue
        yield base + skip, _unpack(columns, plain_size, data).slice(skip)
        found += records - skip
        if found >= max_records:
            rows.close()
            return


def offset_at(tx: sqlite3.Connection, topic: int, partition: int, time_ms: int) -> int | None:
    """Give the first offset whose timestamp is not earlier than `time_ms`, None if there is none."""
    row = tx.execute(
        "SELECT base_offset, columns, plain_size, data FROM segment"
        " WHERE topic = ? AND partition = ? AND latest_ms >= ? ORDER BY base_offset LIMIT 1",
        (topic, partition, time_ms),
    ).fetchone()
    if row is None:
        return None
    base, columns, plain_size, data = row
    times = _unpack(columns, plain_size, data).column("timestamp").cast(pa.int64())
    return int(base) + int(np.argmax(times.to_numpy() >= time_ms))
