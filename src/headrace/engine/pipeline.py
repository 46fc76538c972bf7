"""Runs one pipeline: the relation `input` in, records of the sink out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headrace.engine.assembly import Assembly
from headrace.engine.combining import Combiner
from headrace.engine.faults import Fault, Stage
from headrace.engine.guarded import GuardedQuery
from headrace.formats import make_encoder
from headrace.log.records import TIMESTAMP
from headrace.plan.topology import ROW, KeyMode, OutputColumn, Pipeline, Sink, ValueMode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.engine.query import InputRelation
    from headrace.formats.interface import Encoder, Side


@dataclass(frozen=True, slots=True)
class Output:
    """Records for one topic.

    Args:
        topic: the target.
        records: as `Producer.send` takes them.
        rows: for each of them the row of the input record that it came from; of the operator's output if `operator` is set.
        operator: id of the operator whose rows these are; such records come from no single input record.
    """

    topic: str
    records: pa.RecordBatch
    rows: pa.Int32Array
    operator: str | None = None


@dataclass(frozen=True, slots=True)
class SchemaIds:
    """What the registry gave for the schemas of a sink."""

    key: int | None = None
    value: int | None = None


@dataclass(frozen=True, slots=True)
class Computed:
    """What a query gave for some rows of `input`: keys and values before they are encoded."""

    rows: pa.Int32Array
    key: pa.Array[Any] | None
    value: pa.Array[Any] | None
    time: pa.Array[Any] | None


class SideWriter:
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
        """Give the bytes; what fails is added to the faults by its row of `input`, and to `bad` by its place here."""
        encoded = self._encoder.encode(values)
        for error in encoded.errors:
            bad.add(error.row)
            faults.setdefault(rows[error.row].as_py(), Fault(self._stage, error.reason))
        return encoded.data


class Computation:
    """The query of a pipeline and the sides that it fills. Belongs to one thread."""

    def __init__(self, pipeline: Pipeline, sink: Sink, ids: SchemaIds, relation: InputRelation) -> None:
        keys, values = pipeline.key_columns, pipeline.value_columns
        names = [ROW, *(column.name for column in keys), *(column.name for column in values)]
        self.key = (
            SideWriter(sink.key, keys, names, ids.key, Stage.ENCODE_KEY)
            if pipeline.key_mode is KeyMode.ENCODE
            else None
        )
        self.value = (
            SideWriter(sink.value, values, names, ids.value, Stage.ENCODE_VALUE)
            if pipeline.value_mode is ValueMode.ENCODE
            else None
        )
        self._time = len(names) if pipeline.sets_time else None
        self._query = GuardedQuery(relation, pipeline.query, self._shape)

    def run(self, rows: pa.RecordBatch, faults: dict[int, Fault]) -> Iterator[Computed]:
        """Compute n rows of `input`, in order; what fails is added to the faults."""
        return self._query.run(rows, faults)

    def _shape(self, batch: pa.RecordBatch) -> Computed:
        return Computed(
            rows=cast("pa.Int32Array", batch.column(0)),
            key=self.key.assembly.build(batch) if self.key else None,
            value=self.value.assembly.build(batch) if self.value else None,
            time=None if self._time is None else batch.column(self._time).cast(TIMESTAMP),
        )


class PipelineRunner:
    """One pipeline over the records of a topic, compiled. Belongs to one thread."""

    def __init__(
        self,
        pipeline: Pipeline,
        sink: Sink,
        ids: SchemaIds,
        relation: InputRelation,
        *,
        combines: bool = False,
    ) -> None:
        """Compile.

        Args:
            pipeline: the plan.
            sink: where the records go.
            ids: what the registry gave for its schemas.
            relation: where `input` is.
            combines: rows of one group may go as one, where the plan says how.
        """
        self._pipeline = pipeline
        self._topic = sink.topic
        # Nobody reads the headers of a repartition topic.
        self._passes_headers = not sink.internal
        self._computation = Computation(pipeline, sink, ids, relation)
        self._key, self._value = self._computation.key, self._computation.value
        self._combiner: Combiner | None = None
        if combines and pipeline.combined is not None:
            self._combiner = Combiner(pipeline.combined, relation, self._key, self._value)

    def process(
        self, rows: pa.RecordBatch, records: pa.RecordBatch, faults: dict[int, Fault]
    ) -> Iterator[Output]:
        """Give the outputs of a batch, in input order; what fails is added to the faults.

        Args:
            rows: the relation `input`.
            records: the records that `_row` counts.
            faults: by row of the records; the first fault of a record stands.
        """
        combined = self._combiner.run(rows, faults) if self._combiner is not None else None
        if combined is not None:
            yield Output(self._topic, *combined)
            return
        for computed in self._computation.run(rows, faults):
            output = self._write(computed, records, faults)
            if output is not None:
                yield output

    def _write(self, computed: Computed, records: pa.RecordBatch, faults: dict[int, Fault]) -> Output | None:
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
        if self._passes_headers and headers.null_count < len(headers):
            columns["headers"] = passed("headers")
        output = pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))
        if bad:
            # All rows of a failed record go, so that it is either processed or failed, never half of each.
            failed = pa.array(sorted({rows[row].as_py() for row in bad}), pa.int32())
            keep = pc.invert(pc.is_in(rows, value_set=failed))
            output, rows = output.filter(keep), rows.filter(keep)
        if not output.num_rows:
            return None
        return Output(self._topic, output, rows)


_COUNTING = pa.array(np.arange(1 << 15, dtype=np.int32), pa.int32())


def _numbers(count: int) -> pa.Int32Array:
    if count <= len(_COUNTING):
        return _COUNTING.slice(0, count)
    return pa.array(np.arange(count, dtype=np.int32), pa.int32())
