"""A query over `input` that a bad row cannot stop: what fails is found and left out, the others come out."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Generic, TypeVar, cast

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from headrace.engine import passing
from headrace.engine.failures import failure_of
from headrace.engine.faults import Fault, Stage, isolate
from headrace.engine.probe import probe_query
from headrace.errors import Diagnostic, ProgramError, RunError
from headrace.errors.codes.run import ENGINE_BROKEN
from headrace.plan.topology import ROW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from headrace.engine.query import InputRelation

_ROW_FAILURES = (duckdb.Error, pa.ArrowInvalid, pa.ArrowNotImplementedError)

_FEW = 64
"""Failing rows of one batch that are found one by one, each with its own reason."""

_SAMPLE = 8
"""Rows that are asked for the reason when there are more."""

Shaped = TypeVar("Shaped")


class GuardedQuery(Generic[Shaped]):
    """One query, compiled, and what is made of its results. Belongs to one thread."""

    def __init__(
        self, relation: InputRelation, query: str, shape: Callable[[pa.RecordBatch], Shaped]
    ) -> None:
        """Compile.

        Args:
            relation: where `input` is.
            query: a SELECT over `input` that gives `_row`.
            shape: makes of a batch of results what the caller needs; may fail for values that do not fit.
        """
        self._relation = relation
        self._query = query
        self._shape = shape
        self._run = passing.prepare(relation.prepare, query, relation.schema)
        self._probe: Callable[[pa.RecordBatch], pa.Table] | None = None
        self._probe_made = False

    def run(self, rows: pa.RecordBatch, faults: dict[int, Fault]) -> Iterator[Shaped]:
        """Give the results of n rows of `input`, in input order; what fails is added to the faults, by `_row`.

        The first fault of a row stands.
        """
        if not rows.num_rows:
            return

        def compute_failed(row: int, error: Exception) -> None:
            faults.setdefault(rows.column(ROW)[row].as_py(), Fault(Stage.COMPUTE, failure_of(error)))

        try:
            pieces = self._compute(rows)
        except _ROW_FAILURES:
            rows = self._without_failing(rows, faults)
            for piece in isolate(self._compute, rows, _ROW_FAILURES, compute_failed):
                yield from piece
        else:
            yield from pieces

    def _without_failing(self, rows: pa.RecordBatch, faults: dict[int, Fault]) -> pa.RecordBatch:
        """Take out the rows that the query fails for if they are many; a few are found sooner by trying halves."""
        bad = self._find_failing(rows) if rows.num_rows > _FEW else pa.array([], pa.int32())
        if len(bad) <= _FEW:
            return rows
        reasons: dict[str, None] = {}
        is_bad = pc.is_in(rows.column(ROW), value_set=bad)
        suspects = rows.filter(is_bad)
        for index in range(_SAMPLE):
            try:
                self._compute(suspects.slice(index, 1))
            except _ROW_FAILURES as error:
                reasons[failure_of(error)] = None
            else:
                return rows
        known = ", ".join(reasons)
        reason = known if len(reasons) == 1 else f"one of: {known}"
        fault = Fault(Stage.COMPUTE, f"{reason} (found for the first {_SAMPLE} of many in one batch)")
        for row in suspects.column(ROW).to_numpy().tolist():
            faults.setdefault(row, fault)
        return rows.filter(pc.invert(is_bad))

    def _find_failing(self, rows: pa.RecordBatch) -> pa.Int32Array:
        if not self._probe_made:
            self._probe_made = True
            query = probe_query(self._query)
            if query is not None:
                # Some expressions cannot stand under TRY.
                with contextlib.suppress(ProgramError):
                    self._probe = self._relation.prepare(query)
        if self._probe is not None:
            with contextlib.suppress(*_ROW_FAILURES):
                return cast("pa.Int32Array", self._probe(rows).column(ROW).combine_chunks())
        return pa.array([], pa.int32())

    def _compute(self, rows: pa.RecordBatch) -> list[Shaped]:
        try:
            table = self._run(rows)
        except duckdb.FatalException as error:
            # Every later query on the connection fails too: no record is to blame, and none must be dropped for it.
            message = "DuckDB has failed and cannot go on"
            raise RunError((Diagnostic(ENGINE_BROKEN, message, help="start the processor again"),)) from error
        return [self._shape(batch) for batch in table.to_batches() if batch.num_rows]
