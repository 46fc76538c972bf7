"""Prepares the input of an operator: one query over the rows of a source or of an earlier operator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import pyarrow as pa

from headrace.engine.assembly import conform
from headrace.engine.faults import Fault, Stage
from headrace.engine.guarded import GuardedQuery
from headrace.engine.operators.changes import alone, settled, updates
from headrace.engine.state.kernels import schema
from headrace.plan.operators import OP, TIME, Changes, RowKind

if TYPE_CHECKING:
    import numpy.typing as npt

    from headrace.engine.query import InputRelation
    from headrace.plan.operators import Feed

_NO_TIME: Final = "the event time is null"
_BEFORE_TIME: Final = "the event time is before 1970"


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where the rows of a relation stand in their tasks; arrays by `_row`.

    Args:
        partition: int32.
        seq: int64, the order within the task.
        time: int64, event time in ms.
        kind: int8, `RowKind`.
    """

    partition: npt.NDArray[np.int32]
    seq: npt.NDArray[np.int64]
    time: npt.NDArray[np.int64]
    kind: npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Fed:
    """Rows for one input of a kernel.

    Args:
        batch: as the kernel takes them.
        rows: for each the `_row` that it came from.
    """

    batch: pa.RecordBatch
    rows: npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class _Answer:
    rows: npt.NDArray[np.int32]
    columns: list[pa.Array[Any]]
    time: pa.Array[Any] | None
    kind: npt.NDArray[np.int8] | None


class FeedRunner:
    """One feed, compiled. Belongs to one thread."""

    def __init__(self, feed: Feed, relation: InputRelation, upstream: Changes | None) -> None:
        """Compile.

        Args:
            feed: the plan.
            relation: of the source or operator that it reads.
            upstream: what the operator gives; None for a source.
        """
        self._feed = feed
        self._upstream = upstream
        self._columns = feed.columns
        self._schema = schema(self._columns)
        self._query = GuardedQuery(relation, feed.query, self._shape)

    def run(self, rows: pa.RecordBatch, lineage: Lineage, faults: dict[int, Fault]) -> Fed | None:
        """Prepare n rows of `input`; None if nothing is left of them. What fails is added to the faults, by `_row`."""
        pieces = [
            piece
            for answer in self._query.run(rows, faults)
            if (piece := self._fed(answer, lineage, faults)) is not None
        ]
        if not pieces:
            return None
        if len(pieces) == 1:
            return pieces[0]
        whole = pa.Table.from_batches([piece.batch for piece in pieces]).combine_chunks().to_batches()[0]
        return Fed(whole, np.concatenate([piece.rows for piece in pieces]))

    def _shape(self, batch: pa.RecordBatch) -> _Answer:
        names = batch.schema.names
        return _Answer(
            rows=batch.column(0).to_numpy(),
            columns=[
                conform(batch.column(index), column.type)
                for index, column in enumerate(self._columns, start=1)
            ],
            time=batch.column(names.index(TIME)).cast(pa.int64()) if self._feed.sets_time else None,
            kind=batch.column(names.index(OP)).to_numpy() if self._feed.sets_op else None,
        )

    def _fed(self, answer: _Answer, lineage: Lineage, faults: dict[int, Fault]) -> Fed | None:
        rows = answer.rows
        keep = np.ones(len(rows), np.bool_)
        times = lineage.time[rows]
        if answer.time is not None:
            times, bad = _times(answer.time, rows, faults)
            if bad is not None:
                keep &= ~np.isin(rows, rows[bad])
        kinds = lineage.kind[rows] if answer.kind is None else answer.kind
        if self._upstream is None:
            kinds = alone(kinds)
        elif self._upstream is Changes.RETRACT:
            before = updates(kinds, rows)
            kinds = settled(kinds, before)
            if self._feed.changes is Changes.UPSERT:
                keep &= ~before
        if self._feed.changes is Changes.APPEND and self._upstream not in (None, Changes.APPEND):
            # A table read as a stream: each new state is a fact, what goes is none.
            keep &= kinds > 0
            kinds = np.full(len(rows), RowKind.INSERT, np.int8)
        arrays: list[pa.Array[Any]] = [
            pa.array(lineage.partition[rows], pa.int32()),
            pa.array(lineage.seq[rows], pa.int64()),
            pa.array(times, pa.int64()),
            pa.array(kinds, pa.int8()),
            *answer.columns,
        ]
        batch = pa.RecordBatch.from_arrays(arrays, schema=self._schema)
        if not keep.all():
            batch, rows = batch.filter(pa.array(keep)), rows[keep]
        return Fed(batch, rows) if len(rows) else None


def _times(
    column: pa.Array[Any], rows: npt.NDArray[np.int32], faults: dict[int, Fault]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_] | None]:
    """Give event times, and which of them no window can take; their records have failed."""
    absent = column.is_null().to_numpy(zero_copy_only=False)
    times = cast("npt.NDArray[np.int64]", column.fill_null(0).to_numpy(zero_copy_only=False))
    bad = absent | (times < 0)
    if not bad.any():
        return times, None
    for place in np.flatnonzero(bad).tolist():
        reason = _NO_TIME if absent[place] else _BEFORE_TIME
        faults.setdefault(int(rows[place]), Fault(Stage.COMPUTE, reason))
    return np.maximum(times, 0), bad
