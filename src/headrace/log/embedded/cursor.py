"""A consumer's place in one partition."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from headrace.log.embedded import segments

if TYPE_CHECKING:
    import sqlite3

    import pyarrow as pa


@dataclass(slots=True)
class Cursor:
    """Where to read on, and what has been unpacked beyond: a reader of few records unpacks a segment once.

    Args:
        topic: id of the topic; another one if the topic was deleted and made again.
        position: the offset after the last record that was taken.
        ahead: unpacked records from `position` on, each run with its first offset.
    """

    topic: int
    partition: int
    position: int
    paused: bool = False
    ahead: deque[tuple[int, pa.RecordBatch]] = field(default_factory=deque)

    def seek(self, position: int) -> None:
        """Read on from another offset."""
        if position != self.position:
            self.position = position
            self.ahead.clear()

    def fill(self, tx: sqlite3.Connection, records: int) -> None:
        """Unpack at least so many records, if there are so many."""
        held = sum(batch.num_rows for _, batch in self.ahead)
        if held < records:
            self.ahead.extend(
                segments.read(tx, self.topic, self.partition, self.position + held, records - held)
            )

    def take(self, records: int, size: int) -> list[tuple[int, pa.RecordBatch]]:
        """Take up to so many unpacked records, of about so many bytes, but at least one if there is one."""
        taken: list[tuple[int, pa.RecordBatch]] = []
        while self.ahead and records > 0 and (size > 0 or not taken):
            base, batch = self.ahead.popleft()
            if batch.num_rows > records:
                self.ahead.appendleft((base + records, batch.slice(records)))
                batch = batch.slice(0, records)
            taken.append((base, batch))
            records -= batch.num_rows
            size -= batch.nbytes
            self.position = base + batch.num_rows
        return taken
