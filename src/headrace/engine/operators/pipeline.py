"""Runs one pipeline over what an operator gives: changes in, records of the sink out, tombstones for what goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headrace.engine.operators.changes import updates
from headrace.engine.pipeline import Computation, Computed, Output, SideWriter
from headrace.log.records import TIMESTAMP
from headrace.plan.operators import Changes

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from headrace.engine.faults import Fault
    from headrace.engine.operators.feed import Lineage
    from headrace.engine.pipeline import SchemaIds
    from headrace.engine.query import InputRelation
    from headrace.engine.refusals import Refusals
    from headrace.plan.topology import Pipeline, Sink


class ChangePipeline:
    """One pipeline over the output of an operator, compiled. Belongs to one thread."""

    def __init__(
        self,
        pipeline: Pipeline,
        sink: Sink,
        ids: SchemaIds,
        relation: InputRelation,
        upstream: Changes,
        refusals: Refusals,
        read_as: Changes | None = None,
        *,
        old_first: bool = False,
    ) -> None:
        """Compile.

        Args:
            pipeline: the plan.
            sink: what it writes.
            ids: of the schemas of the sink.
            relation: the operator's output.
            upstream: what the operator gives.
            refusals: finds records that the log would not take.
            read_as: what the program takes the records for where it reads the topic itself; None if it does not.
            old_first: whoever reads them tells rows apart, so that the old row must have gone when the new one comes.
        """
        self._operator = pipeline.source
        self._topic = sink.topic
        self._deletes = pipeline.deletes and upstream is not Changes.APPEND
        self._pairs = upstream is Changes.RETRACT
        self._read_as = read_as if self._pairs else None
        self._new_first = not old_first
        self._computation = Computation(pipeline, sink, ids, relation)
        self._refusals = refusals

    def process(self, rows: pa.RecordBatch, lineage: Lineage, faults: dict[int, Fault]) -> Iterator[Output]:
        """Give the outputs of n rows, in order; what fails is added to the faults, by `_row`."""
        for computed in self._computation.run(rows, faults):
            output = self._write(computed, lineage, faults)
            if output is not None:
                yield output

    def _write(self, computed: Computed, lineage: Lineage, faults: dict[int, Fault]) -> Output | None:
        rows = computed.rows.to_numpy()
        bad: set[int] = set()
        columns: dict[str, pa.Array[Any]] = {}
        if self._computation.key is not None:
            assert computed.key is not None
            columns["key"] = self._computation.key.encode(computed.key, computed.rows, faults, bad)
        keep = np.ones(len(rows), np.bool_)
        gone = np.zeros(len(rows), np.bool_)
        if self._deletes:
            kinds = lineage.kind[rows]
            gone = kinds < 0
            if self._pairs:
                keep = ~_replaced(updates(kinds, rows), columns.get("key"))
        elif self._read_as is Changes.UPSERT:
            # The new row of a key replaces the old one.
            keep = ~updates(lineage.kind[rows], rows)
        columns["value"] = self._values(computed, keep & ~gone, faults, bad)
        times = pa.array(lineage.time[rows], pa.int64()).cast(TIMESTAMP)
        columns["timestamp"] = times if computed.time is None else computed.time
        output = pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))
        for place, fault in self._refusals.find_rows(self._topic, output).items():
            faults.setdefault(int(rows[place]), fault)
            bad.add(place)
        if bad:
            keep &= ~np.isin(rows, rows[sorted(bad)])
        if not keep.all():
            chosen = pa.array(keep)
            output, rows = output.filter(chosen), rows[keep]
        if self._read_as is Changes.RETRACT and self._new_first:
            # Old and new row go on as rows of their own, to a task that knows nothing of pairs.
            order = _new_first(updates(lineage.kind[rows], rows))
            output, rows = output.take(pa.array(order, pa.int64())), rows[order]
        if not output.num_rows:
            return None
        return Output(self._topic, output, pa.array(rows, pa.int32()), self._operator)

    def _values(
        self, computed: Computed, there: npt.NDArray[np.bool_], faults: dict[int, Fault], bad: set[int]
    ) -> pa.Array[Any]:
        """Encode the values of the rows that have one; the others are tombstones, whose columns may hold nothing."""
        writer = self._computation.value
        if writer is None:
            return pa.nulls(len(there), pa.binary())
        assert computed.value is not None
        if there.all():
            return writer.encode(computed.value, computed.rows, faults, bad)
        return _encode_some(writer, computed, there, faults, bad)


def _encode_some(
    writer: SideWriter,
    computed: Computed,
    there: npt.NDArray[np.bool_],
    faults: dict[int, Fault],
    bad: set[int],
) -> pa.Array[Any]:
    assert computed.value is not None
    places = np.flatnonzero(there)
    chosen = pa.array(places, pa.int64())
    failed: set[int] = set()
    encoded = writer.encode(computed.value.take(chosen), computed.rows.take(chosen), faults, failed)
    bad.update(int(places[index]) for index in failed)
    order = np.cumsum(there) - 1
    return encoded.take(pa.array(order, pa.int64(), mask=~there))


def _new_first(before: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Give the order in which the new row of each update stands before the old one.

    Whoever takes rows in and out one by one then never sees a key or group without any row in between.
    """
    order = np.arange(len(before))
    places = np.flatnonzero(before)
    order[places], order[places + 1] = places + 1, places
    return order


def _replaced(before: npt.NDArray[np.bool_], keys: pa.Array[Any] | None) -> npt.NDArray[np.bool_]:
    """Say which UPDATE_BEFORE rows are overwritten by their UPDATE_AFTER: those of the same key; others leave a tombstone."""
    if keys is None or not before.any():
        return before
    places = np.flatnonzero(before)
    old, new = keys.take(pa.array(places, pa.int64())), keys.take(pa.array(places + 1, pa.int64()))
    same = pc.fill_null(pc.equal(old, new), pc.and_(pc.is_null(old), pc.is_null(new)))
    overwritten = before.copy()
    overwritten[places] = cast("npt.NDArray[np.bool_]", same.to_numpy(zero_copy_only=False))
    return overwritten
