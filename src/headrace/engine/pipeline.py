"""Runs one pipeline: the relation `input` in, records of the sink out."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from headrace.engine.assembly import Assembly
from headrace.engine.failures import failure_of
from headrace.engine.faults import Fault, Stage, isolate
from headrace.engine.probe import probe_query
from headrace.errors import Diagnostic, RunError
from headrace.errors.codes.run import ENGINE_BROKEN
from headrace.formats import make_encoder
from headrace.log.records import TIMESTAMP
from headrace.plan.topology import ROW, KeyMode, OutputColumn, Pipeline, Sink, ValueMode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from headrace.engine.query import InputRelation
    from headrace.formats.interface import Encoder, Side

_ROW_FAILURES = (duckdb.Error, pa.ArrowInvalid, pa.ArrowNotImplementedError)

_FEW = 64
"""Failing rows of one batch that are found one by one, each with its own reason."""

_SAMPLE = 8
"""Rows that are asked for the reason when there are more."""


@dataclass(frozen=True, slots=True)
class Output:
    """Records for one topic.

    Args:
        topic: the target.
        records: as `Producer.send` takes them.
        rows: for each of them the row of the input record that it came from.
    """

    topic: str
    records: pa.RecordBatch
    rows: pa.Int32Array


@dataclass(frozen=True, slots=True)
class SchemaIds:
    """What the registry gave for the schemas of a sink."""

    key: int | None = None
    value: int | None = None


class PipelineRunner:
    """One pipeline, compiled. Belongs to one thread."""

    def __init__(self, pipeline: Pipeline, sink: Sink, ids: SchemaIds, relation: InputRelation) -> None:
        self._pipeline = pipeline
        self._run = relation.prepare(pipeline.query)
        self._relation = relation
        self._probe: Callable[[pa.RecordBatch], pa.Table] | None = None
        self._probe_made = False
        keys, values = pipeline.key_columns, pipeline.value_columns
        names = [ROW, *(column.name for column in keys), *(column.name for column in values)]
        self._key = (
            _Side(sink.key, keys, names, ids.key, Stage.ENCODE_KEY)
            if pipeline.key_mode is KeyMode.ENCODE
            else None
        )
        self._value = (
            _Side(sink.value, values, names, ids.value, Stage.ENCODE_VALUE)
            if pipeline.value_mode is ValueMode.ENCODE
            else None
        )
        self._time = len(names) if pipeline.sets_time else None

    def process(
        self, rows: pa.RecordBatch, records: pa.RecordBatch, faults: dict[int, Fault]
    ) -> Iterator[Output]:
        """Give the outputs of a batch, in input order; what fails is added to the faults.

        Args:
            rows: the relation `input`.
            records: the records that `_row` counts.
            faults: by row of the records; the first fault of a record stands.
        """
        if not rows.num_rows:
            return

        def compute_failed(row: int, error: Exception) -> None:
            faults.setdefault(rows.column(ROW)[row].as_py(), Fault(Stage.COMPUTE, failure_of(error)))

        try:
            pieces: Iterable[list[_Computed]] = [self._compute(rows)]
        except _ROW_FAILURES:
            rows = self._without_failing(rows, faults)
            pieces = isolate(self._compute, rows, _ROW_FAILURES, compute_failed)
        for computed in pieces:
            for piece in computed:
                output = self._write(piece, records, faults)
                if output is not None:
                    yield output

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
            query = probe_query(self._pipeline.query)
            if query is not None:
                # Some expressions cannot stand under TRY.
                with contextlib.suppress(duckdb.Error):
                    self._probe = self._relation.prepare(query)
        if self._probe is not None:
            with contextlib.suppress(*_ROW_FAILURES):
                return cast("pa.Int32Array", self._probe(rows).column(ROW).combine_chunks())
        return pa.array([], pa.int32())

    def _compute(self, rows: pa.RecordBatch) -> list[_Computed]:
        try:
            table = self._run(rows)
        except duckdb.FatalException as error:
            # Every later query on the connection fails too: no record is to blame, and none must be dropped for it.
            message = "DuckDB has failed and cannot go on"
            raise RunError((Diagnostic(ENGINE_BROKEN, message, help="start the processor again"),)) from error
        return [
            _Computed(
                rows=cast("pa.Int32Array", batch.column(0)),
                key=self._key.assembly.build(batch) if self._key else None,
                value=self._value.assembly.build(batch) if self._value else None,
                time=None if self._time is None else batch.column(self._time).cast(TIMESTAMP),
            )
            for batch in table.to_batches()
            if batch.num_rows
        ]

    def _write(self, computed: _Computed, records: pa.RecordBatch, faults: dict[int, Fault]) -> Output | None:
        bad: set[int] = set()
        if self._key:
            assert computed.key is not None
            key = self._key.encode(computed.key, computed.rows, faults, bad)
        if self._value:
            assert computed.value is not None
            value = self._value.encode(computed.value, computed.rows, faults, bad)
        rows = computed.rows
        count = len(rows)
        whole = count == records.num_rows and rows.equals(_numbers(count))

        def passed(name: str) -> pa.Array[Any]:
            column = records.column(name)
            return column if whole else column.take(rows)

        columns: dict[str, pa.Array[Any]] = {}
        if self._key:
            columns["key"] = key
        elif self._pipeline.key_mode is KeyMode.PASS:
            columns["key"] = passed("key")
        if self._value:
            columns["value"] = value
        elif self._pipeline.value_mode is ValueMode.PASS:
            columns["value"] = passed("value")
        else:
            columns["value"] = pa.nulls(count, pa.binary())
        columns["timestamp"] = passed("timestamp") if computed.time is None else computed.time
        headers = records.column("headers")
        if headers.null_count < len(headers):
            columns["headers"] = passed("headers")
        output = pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))
        if bad:
            # All rows of a failed record go, so that it is either processed or failed, never half of each.
            failed = pa.array(sorted({rows[row].as_py() for row in bad}), pa.int32())
            keep = pc.invert(pc.is_in(rows, value_set=failed))
            output, rows = output.filter(keep), rows.filter(keep)
        if not output.num_rows:
            return None
        return Output(self._pipeline.sink, output, rows)


@dataclass(frozen=True, slots=True)
class _Computed:
    rows: pa.Int32Array
    key: pa.Array[Any] | None
    value: pa.Array[Any] | None
    time: pa.Array[Any] | None


class _Side:
    """Assembles and encodes the keys or the values of a pipeline."""

    def __init__(
        self,
        side: Side,
        columns: tuple[OutputColumn, ...],
        names: list[str],
        schema_id: int | None,
        stage: Stage,
    ) -> None:
        self.assembly = Assembly(side.type, columns, names)
        self._encoder: Encoder = make_encoder(side, schema_id)
        self._stage = stage

    def encode(
        self, values: pa.Array[Any], rows: pa.Int32Array, faults: dict[int, Fault], bad: set[int]
    ) -> pa.BinaryArray:
        encoded = self._encoder.encode(values)
        for error in encoded.errors:
            bad.add(error.row)
            faults.setdefault(rows[error.row].as_py(), Fault(self._stage, error.reason))
        return encoded.data


_COUNTING = pa.array(range(1 << 15), pa.int32())


def _numbers(count: int) -> pa.Int32Array:
    if count <= len(_COUNTING):
        return _COUNTING.slice(0, count)
    return pa.array(range(count), pa.int32())
