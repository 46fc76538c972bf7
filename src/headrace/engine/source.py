"""Turns the records of a source topic into the relation `input` of its pipelines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headrace.engine.clock import wall_clock
from headrace.engine.faults import Fault, Stage
from headrace.formats import make_decoder
from headrace.plan.topology import CLOCK, ROW, TOMBSTONE, Facet, InputColumn, SourceTopic
from headrace.types.sql import INSTANT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from headrace.formats.interface import Decoder, Registry


def _binary(records: pa.RecordBatch, name: str) -> pa.BinaryArray:
    return cast("pa.BinaryArray", records.column(name))


def _sizes(records: pa.RecordBatch, name: str) -> pa.Array[Any]:
    return pc.binary_length(_binary(records, name))


def _clock_of(records: pa.RecordBatch) -> pa.Array[Any]:
    """Give the clock that the records were stamped with; what is read in no session, such as a whole table, has the present."""
    if CLOCK in records.schema.names:
        return records.column(CLOCK)
    return pa.array(np.full(records.num_rows, wall_clock(), np.int64)).cast(INSTANT)


_META: dict[str, Callable[[pa.RecordBatch], pa.Array[Any]]] = {
    "partition": lambda records: records.column("partition"),
    "offset": lambda records: records.column("offset"),
    "timestamp": lambda records: records.column("timestamp").cast(pa.int64()),
    CLOCK: lambda records: _clock_of(records),
    "topic": lambda records: records.column("topic").cast(pa.string()),
    "__keysize": lambda records: _sizes(records, "key"),
    "__valuesize": lambda records: _sizes(records, "value"),
}


@dataclass(frozen=True, slots=True)
class Input:
    """The readable rows of a batch of records.

    Args:
        rows: the relation `input`; column `_row` gives the row of each in the records.
        faults: rows of the records that could not be decoded, left out of `rows`.
    """

    rows: pa.RecordBatch
    faults: dict[int, Fault]


class SourceReader:
    """Decodes what the pipelines of one source topic read. Belongs to one thread."""

    def __init__(self, source: SourceTopic, registry: Registry | None) -> None:
        self._columns = source.columns
        self._key = _Facet(source.columns, Facet.KEY)
        self._value = _Facet(source.columns, Facet.VALUE)
        if self._key.columns:
            self._key.decoder = make_decoder(source.key, self._key.paths, registry)
        if self._value.columns:
            self._value.decoder = make_decoder(source.value, self._value.paths, registry)
        self.schema = pa.schema(
            [pa.field(column.name, column.type) for column in source.columns]
            + [pa.field(ROW, pa.int32()), pa.field(TOMBSTONE, pa.bool_())]
        )
        self._numbers = pa.array([], pa.int32())

    def read(self, records: pa.RecordBatch) -> Input:
        """Decode n records. Raises RegistryUnavailableError if a schema cannot be had now."""
        faults: dict[int, Fault] = {}
        arrays: dict[str, pa.Array[Any]] = {}
        self._key.decode(_binary(records, "key"), Stage.DECODE_KEY, arrays, faults)
        self._value.decode(_binary(records, "value"), Stage.DECODE_VALUE, arrays, faults)
        for column in self._columns:
            if column.facet is Facet.META:
                arrays[column.name] = _as(_META[column.path[0]](records), column.type)
            elif column.facet is Facet.HEADERS:
                arrays[column.name] = _as(records.column("headers"), column.type)
        count = records.num_rows
        arrays[ROW] = self._row_numbers(count)
        arrays[TOMBSTONE] = records.column("value").is_null()
        rows = pa.RecordBatch.from_arrays([arrays[name] for name in self.schema.names], schema=self.schema)
        if faults:
            rows = rows.take(pa.array([row for row in range(count) if row not in faults], pa.int32()))
        return Input(rows, faults)

    def _row_numbers(self, count: int) -> pa.Array[Any]:
        if len(self._numbers) < count:
            self._numbers = pa.array(np.arange(count, dtype=np.int32), pa.int32())
        return self._numbers.slice(0, count)


class _Facet:
    """The decoded columns of the key or of the value."""

    def __init__(self, columns: Sequence[InputColumn], facet: Facet) -> None:
        self.columns = tuple(column for column in columns if column.facet is facet)
        self.paths = tuple(column.path for column in self.columns)
        self.decoder: Decoder | None = None

    def decode(
        self, data: pa.BinaryArray, stage: Stage, arrays: dict[str, pa.Array[Any]], faults: dict[int, Fault]
    ) -> None:
        if self.decoder is None:
            return
        decoded = self.decoder.decode(data)
        for column, array in zip(self.columns, decoded.columns, strict=True):
            arrays[column.name] = _as(array, column.type)
            for row in _out_of_range(array):
                place = f"field `{'.'.join(column.path)}`: " if column.path else ""
                faults.setdefault(row, Fault(stage, f"{place}timestamp out of range"))
        reasons: dict[str, Fault] = {}
        for error in decoded.errors:
            if error.reason not in reasons:
                reasons[error.reason] = Fault(stage, error.reason)
            faults.setdefault(error.row, reasons[error.reason])


_FACTORS = {"s": 1_000_000, "ms": 1_000}
_MOST_MICROSECONDS = (1 << 63) - 1


def _out_of_range(array: pa.Array[Any]) -> list[int]:
    """Give the rows with times that DuckDB, which counts microseconds, refuses together with all of their batch."""
    if not pa.types.is_timestamp(array.type) or array.type.unit not in _FACTORS:
        return []
    most = _MOST_MICROSECONDS // _FACTORS[array.type.unit]
    numbers = array.view(pa.int64())
    least, largest = pc.min(numbers).as_py(), pc.max(numbers).as_py()
    if least is None or (least >= -most and largest <= most):
        return []
    values = numbers.fill_null(0).to_numpy(zero_copy_only=False)
    return [int(row) for row in np.flatnonzero((values < -most) | (values > most))]


def _as(array: pa.Array[Any], wanted: pa.DataType) -> pa.Array[Any]:
    return array if array.type == wanted else array.cast(wanted)
