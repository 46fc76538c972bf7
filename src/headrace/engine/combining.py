"""Rows of one group that go into a repartition topic as one: a batch of clicks gives one record for each page, not one for each.

A batch is combined as a whole or not at all: not where a row fails, has no event time, or could be late because of another row
of the batch; the pipeline's own query then takes it row by row, and finds out what there is to say of each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from headrace.log.records import TIMESTAMP
from headrace.plan.operators import TIME

if TYPE_CHECKING:
    from headrace.engine.faults import Fault
    from headrace.engine.pipeline import SideWriter
    from headrace.engine.query import InputRelation
    from headrace.plan.topology import Combined

_FEWEST: Final = 2
"""Rows of a batch that can be fewer."""

_MOST_LEFT: Final = 0.7
"""Of the rows of a batch: more groups than this, and the query costs more than the records that it saves."""

_REST: Final = 16
"""Batches that go row by row after one that was not worth it."""

_LARGEST_KEY: Final = 1 << 16
"""Bytes. A record that the log refuses for its size must be that of one row, which then fails alone."""

_lengths: Final = cast("Any", pc.binary_length)
"""The stubs have it for some types of arrays only."""

_FAILURES: Final = (duckdb.Error, pa.ArrowInvalid, pa.ArrowNotImplementedError)


class Combiner:
    """The query of a pipeline that combines rows, compiled. Belongs to one thread."""

    def __init__(
        self, combined: Combined, relation: InputRelation, key: SideWriter | None, value: SideWriter | None
    ) -> None:
        """Compile.

        Args:
            combined: the plan.
            relation: where `input` is.
            key: writes the keys of the pipeline.
            value: writes its values.
        """
        self._combined = combined
        self._run = relation.prepare(combined.query)
        self._key, self._value = key, value
        self._resting = 0

    def run(
        self, rows: pa.RecordBatch, faults: dict[int, Fault]
    ) -> tuple[pa.RecordBatch, pa.Int32Array] | None:
        """Give records for n rows of `input`, and for each the first row that it is of; None if they must go row by row."""
        if faults or rows.num_rows < _FEWEST:
            return None
        if self._resting:
            self._resting -= 1
            return None
        try:
            batch = self._run(rows).combine_chunks()
        except duckdb.FatalException:
            raise
        except _FAILURES:
            return None
        if batch.num_rows > rows.num_rows * _MOST_LEFT:
            self._resting = _REST
            return None
        pieces = batch.to_batches()
        return self._written(pieces[0]) if pieces else None

    def _written(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, pa.Int32Array] | None:
        if not self._in_time(batch):
            return None
        numbers = cast("pa.Int32Array", batch.column(0))
        columns: dict[str, pa.Array[Any]] = {}
        for name, writer in (("key", self._key), ("value", self._value)):
            if writer is None:
                continue
            bad: set[int] = set()
            try:
                columns[name] = writer.encode(writer.assembly.build(batch), numbers, {}, bad)
            except _FAILURES:
                return None
            if bad:
                return None
        if "key" in columns and (pc.max(_lengths(columns["key"])).as_py() or 0) > _LARGEST_KEY:
            return None
        columns["timestamp"] = batch.column(TIME).cast(TIMESTAMP)
        return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns)), numbers

    def _in_time(self, batch: pa.RecordBatch) -> bool:
        """Say whether no row can be late because of another."""
        if pc.any(batch.column("_undated")).as_py():
            return False
        least, most = pc.min(batch.column("_least")).as_py(), pc.max(batch.column(TIME)).as_py()
        if least < 0:
            return False
        plan = self._combined
        if not plan.pane:
            return True
        first_end = ((least - plan.offset) // plan.pane + 1) * plan.pane + plan.offset
        return bool(first_end + plan.grace > most)
