"""The topics that the programs read, and the same records for DuckDB."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from benchmarks.nexmark.comparison import Expected
from benchmarks.nexmark.rules import AUCTIONS, EPOCH, PERSONS, Rules
from benchmarks.nexmark.topics import KINDS, Topics
from benchmarks.pipeline import workload as vessels
from benchmarks.state.workloads import Topic
from headrace.formats.interface import Format

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.formats.interface import Registry
    from headrace.log.interface import Log

KEYS: Final = 50_000
RATE: Final = 10_000
"""Records a second of event time, of all topics."""


@dataclass(frozen=True, slots=True)
class Data:
    """Topics of one size.

    Args:
        records: positions, payments, and events of Nexmark each.
        disorder: of the events.
    """

    records: int
    disorder: int = 50

    @property
    def topics(self) -> dict[str, str]:
        """Give the names of the topics, by what programs call them."""
        return {
            name: f"{name}_{self.records}" for name in ("positions", "positions_avro", "payments", *KINDS)
        }

    @property
    def _rules(self) -> Rules:
        return Rules(rate=RATE, disorder=self.disorder)

    def fill(self, log: Log, registry: Registry | None) -> None:
        """Make the topics; those of Avro only where there is a registry for their schemas."""
        if registry is not None:
            vessels.fill(log, registry, self.topics["positions_avro"], Format.AVRO, self.records)
        vessels.fill(log, None, self.topics["positions"], Format.JSON, self.records)
        self._payments.fill(log)
        Topics(log, None, Format.JSON, self.topics).fill(self._rules, self.records, closing=False)

    def count(self, sources: tuple[str, ...]) -> int:
        """Give how many records stand in these sources."""
        rounds, rest = divmod(self.records, EPOCH)
        persons = rounds * PERSONS + min(rest, PERSONS)
        auctions = rounds * AUCTIONS + min(max(rest - PERSONS, 0), AUCTIONS)
        bids = self.records - persons - auctions
        counts = {
            "positions": self.records,
            "positions_avro": self.records,
            "payments": self.records,
            "person": persons,
            "auction": auctions,
            "bid": bids,
        }
        return sum(counts[source] for source in sources)

    def expected(self) -> Expected:
        """Give DuckDB with all records in it."""
        found = Expected(self._rules, self.records, closing=False)
        batches = vessels_of(self.records)
        found.add("positions", pa.Table.from_batches(list(batches)))
        keyed = list(self._payments.batches())
        ids = pa.chunked_array([batch.column("key") for batch in keyed])
        times = pa.chunked_array([batch.column("timestamp").cast(pa.int64()) for batch in keyed])
        found.add("payments", pa.table({"id": ids, "millis": times}))
        return found

    @property
    def _payments(self) -> Topic:
        return Topic(self.topics["payments"], self.records, KEYS, self.records / RATE)


def vessels_of(records: int) -> Iterator[pa.RecordBatch]:
    """Give the positions again."""
    for seed, start in enumerate(range(0, records, vessels.BATCH)):
        rows = vessels.positions(min(vessels.BATCH, records - start), seed)
        yield pa.RecordBatch.from_struct_array(rows)
