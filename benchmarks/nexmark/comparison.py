"""What a query has written, beside what DuckDB says of the same events."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import duckdb
import pyarrow as pa

from benchmarks.nexmark.generator import generate
from benchmarks.nexmark.topics import KINDS, closing_time, with_closing
from headrace.log.interface import ConsumerOptions, TopicPartition
from headrace.log.records import TIMESTAMP

if TYPE_CHECKING:
    from benchmarks.nexmark.queries import Query
    from benchmarks.nexmark.rules import Rules
    from headrace.log.interface import Log

SIDE: Final = 10_000
"""How many rows q13's bounded side has."""
_SHOWN: Final = 3


class Expected:
    """DuckDB with the first `count` events in it, and closing records if the topics have them."""

    def __init__(self, rules: Rules, count: int, *, closing: bool = True) -> None:
        self._duckdb = duckdb.connect()
        batches = list(with_closing(rules, count) if closing else generate(rules, count))
        for kind, schema in KINDS.items():
            parts = [getattr(events, f"{kind}s") for events in batches]
            self._register(kind, pa.Table.from_batches(parts, schema))
        self._register("side", side())
        self._end = closing_time(rules, count)

    def add(self, name: str, rows: pa.Table) -> None:
        """Put another table beside the events."""
        self._register(name, rows)

    def _text(self, sql: str) -> str:
        return sql.replace("$end", str(self._end))

    def _register(self, name: str, rows: pa.Table) -> None:
        # Times without a zone, which DuckDB computes with by itself; they are in UTC.
        plain = [
            pa.field(field.name, pa.timestamp("ms")) if field.type == TIMESTAMP else field
            for field in rows.schema
        ]
        self._duckdb.register("arrow_rows", rows.cast(pa.schema(plain)))
        self._duckdb.execute(f"CREATE TABLE {name} AS SELECT * FROM arrow_rows")
        self._duckdb.unregister("arrow_rows")

    def compare(self, query: Query, found: pa.Table) -> tuple[int, list[str]]:
        """Compare the results with what is expected.

        Args:
            query: that was run.
            found: columns `place` (of the record in the topic), `key`, `value` (JSON, null for a tombstone).

        Returns:
            How many rows are expected, and lines about those that differ (some of them); none when all is right.
        """
        self._duckdb.execute(f"CREATE OR REPLACE TEMP TABLE expected AS {self._text(query.duckdb)}")
        columns = self._duckdb.execute("DESCRIBE expected").fetchall()
        shape = "{" + ", ".join(f'"{name}": "{kind}"' for name, kind, *_ in columns) + "}"
        self._duckdb.register("found_rows", found)
        latest = "QUALIFY row_number() OVER (PARTITION BY key ORDER BY place DESC) = 1" if query.table else ""
        self._duckdb.execute(
            "CREATE OR REPLACE TEMP TABLE found AS "
            f"SELECT unnest(from_json(value, '{shape}')) FROM (SELECT * FROM found_rows {latest}) WHERE value IS NOT NULL"
        )
        self._duckdb.unregister("found_rows")
        listed = ", ".join(
            f'round("{name}", 6) AS "{name}"' if kind == "DOUBLE" else f'"{name}"'
            for name, kind, *_ in columns
        )
        differing = []
        for what, one, other in (("missing", "expected", "found"), ("not wanted", "found", "expected")):
            rows = self._duckdb.execute(
                f"SELECT {listed} FROM {one} EXCEPT ALL SELECT {listed} FROM {other}"
            ).fetchall()
            if rows:
                shown = "; ".join(str(row)[:200] for row in rows[:_SHOWN])
                differing.append(f"{len(rows)} {what}: {shown}")
        (wanted,) = self._duckdb.execute("SELECT count(*) FROM expected").fetchall()[0]
        return int(wanted), differing

    def close(self) -> None:
        """Let the events go."""
        self._duckdb.close()


def side() -> pa.Table:
    """Give the rows of the bounded side."""
    return pa.table(
        {
            "id": pa.array(range(SIDE), pa.int64()),
            "label": pa.array([f"side input {number}" for number in range(SIDE)]),
        }
    )


def results(log: Log, topic: str) -> pa.Table:
    """Read all that is in a topic, committed: place, key, value."""
    admin = log.admin()
    try:
        description = admin.describe(topic)
    finally:
        admin.close()
    assert description is not None
    consumer = log.consumer(ConsumerOptions())
    try:
        parts = [TopicPartition(topic, number) for number in range(description.partitions)]
        ends = {part: high for part, (low, high) in consumer.watermarks(parts).items() if high > low}
        consumer.assign(dict.fromkeys(ends, 0))
        batches: list[Any] = []
        until = time.monotonic() + 120
        while any(consumer.positions().get(part, 0) < end for part, end in ends.items()):
            assert time.monotonic() < until, f"{topic} could not be read to its end"
            for batch in consumer.poll(50_000, 0.5):
                columns = [
                    batch.column("offset"),
                    batch.column("key"),
                    batch.column("value").cast(pa.string()),
                ]
                batches.append(pa.RecordBatch.from_arrays(columns, ["place", "key", "value"]))
    finally:
        consumer.close()
    fields: list[pa.Field[Any]] = [
        pa.field("place", pa.int64()),
        pa.field("key", pa.binary()),
        pa.field("value", pa.string()),
    ]
    return pa.Table.from_batches(batches, pa.schema(fields))
