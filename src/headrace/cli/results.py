"""Prints the result of a query, a batch at a time: as a table, JSON lines, CSV or an Arrow stream."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

import pyarrow as pa
from pyarrow import csv

from headrace.cli.json_lines import write_lines
from headrace.cli.tables import TableWriter
from headrace.formats import make_encoder
from headrace.formats.interface import Format, Side

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import IOBase

RESULT_FORMATS: Final = ("table", "json", "csv", "arrow")


class ResultPrinter(Protocol):
    """Prints batches of one result."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Print a batch."""


@contextmanager
def open_printer(form: str, schema: pa.Schema) -> Iterator[ResultPrinter]:
    """Give the printer of a format, for a result of this schema; an empty result is printed too."""
    if form == "table":
        with TableWriter(schema.names) as table:
            yield _Table(table)
    elif form == "json":
        yield _Json(schema)
    elif form == "csv":
        flat = pa.schema(
            [(field.name, pa.string() if _is_nested(field.type) else field.type) for field in schema]
        )
        with csv.CSVWriter(sys.stdout.buffer, flat) as written:
            yield _Csv(written, flat)
    else:
        with pa.ipc.new_stream(cast("IOBase", sys.stdout.buffer), schema) as stream:
            yield _Arrow(stream)


class _Table:
    def __init__(self, table: TableWriter) -> None:
        self._table = table

    def write(self, batch: pa.RecordBatch) -> None:
        columns = [[_cell(value) for value in column.to_pylist()] for column in batch.columns]
        self._table.write(list(zip(*columns, strict=True)))


class _Json:
    def __init__(self, schema: pa.Schema) -> None:
        self._encoder = make_encoder(Side(Format.JSON, pa.struct(list(schema))))

    def write(self, batch: pa.RecordBatch) -> None:
        write_lines(self._encoder.encode(batch.to_struct_array()).data.cast(pa.string()))


class _Csv:
    def __init__(self, written: csv.CSVWriter, schema: pa.Schema) -> None:
        self._written = written
        self._schema = schema

    def write(self, batch: pa.RecordBatch) -> None:
        columns = [
            make_encoder(Side(Format.JSON, column.type)).encode(column).data.cast(pa.string())
            if _is_nested(column.type)
            else column
            for column in batch.columns
        ]
        self._written.write_batch(pa.RecordBatch.from_arrays(columns, schema=self._schema))
        sys.stdout.flush()


class _Arrow:
    def __init__(self, stream: pa.RecordBatchStreamWriter) -> None:
        self._stream = stream

    def write(self, batch: pa.RecordBatch) -> None:
        self._stream.write_batch(batch)
        sys.stdout.buffer.flush()


def _is_nested(kind: pa.DataType) -> bool:
    return pa.types.is_nested(kind) or pa.types.is_dictionary(kind)


def _cell(value: Any) -> str:
    """Give the text of a value in a table."""
    if value is None:
        return "null"
    if isinstance(value, str):
        return value.replace("\n", "\\n")
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=_cell)
    return str(value)
