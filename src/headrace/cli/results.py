"""Prints the result of a query, a batch at a time: as a table, JSON lines, CSV or an Arrow stream."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

import pyarrow as pa
from pyarrow import csv

from headrace.cli.json_lines import write_lines
from headrace.cli.plain import as_text, finite_times, for_json, for_table, plain_type
from headrace.cli.tables import TableWriter
from headrace.errors import Diagnostic, RunError
from headrace.errors.codes.run import QUERY_FAILED
from headrace.formats import make_encoder
from headrace.formats.interface import Format, Side

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from io import IOBase

    from headrace.formats.interface import RowError

RESULT_FORMATS: Final = ("table", "json", "csv", "arrow")


class ResultPrinter(Protocol):
    """Prints batches of one result."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Print a batch."""


@contextmanager
def open_printer(form: str, schema: pa.Schema) -> Iterator[ResultPrinter]:
    """Give the printer of a format, for a result of this schema; an empty result is printed too.

    Raises:
        RunError: at the end, if the format has no form for some rows; all others are printed.
    """
    refused = _Refused()
    if form == "table":
        with TableWriter(schema.names) as table:
            yield _Table(table)
    elif form == "json":
        yield _Json(schema, refused)
    elif form == "csv":
        flat = pa.schema([(field.name, _csv_type(field.type)) for field in schema])
        with csv.CSVWriter(sys.stdout.buffer, flat) as written:
            yield _Csv(written, schema, flat, refused)
    else:
        with pa.ipc.new_stream(cast("IOBase", sys.stdout.buffer), schema) as stream:
            yield _Arrow(stream)
    refused.report()


class _Refused:
    """Counts the rows that are left out."""

    def __init__(self) -> None:
        self._rows = 0
        self._reason = ""

    def kept(self, batch: pa.RecordBatch, errors: Sequence[RowError]) -> pa.RecordBatch:
        """Give the rows of a batch without those that have errors."""
        if not errors:
            return batch
        self._reason = self._reason or errors[0].reason
        bad = {error.row for error in errors}
        self._rows += len(bad)
        return batch.filter(pa.array([row not in bad for row in range(batch.num_rows)]))

    def report(self) -> None:
        """Raise what there is to say."""
        if self._rows:
            rows = "1 row" if self._rows == 1 else f"{self._rows} rows"
            message = f"{rows} of the result cannot be printed: {self._reason}"
            raise RunError((Diagnostic(QUERY_FAILED, message, help="print the result with --format table"),))


class _Table:
    def __init__(self, table: TableWriter) -> None:
        self._table = table

    def write(self, batch: pa.RecordBatch) -> None:
        columns = [[_cell(value) for value in for_table(column).to_pylist()] for column in batch.columns]
        self._table.write(list(zip(*columns, strict=True)))


class _Json:
    def __init__(self, schema: pa.Schema, refused: _Refused) -> None:
        self._type = pa.struct([_plain(field) for field in schema])
        self._encoder = make_encoder(Side(Format.JSON, self._type))
        self._refused = refused

    def write(self, batch: pa.RecordBatch) -> None:
        columns = [for_json(column) for column in batch.columns]
        encoded = self._encoder.encode(pa.StructArray.from_arrays(columns, fields=list(self._type)))
        lines = pa.RecordBatch.from_arrays([encoded.data.cast(pa.string())], names=["line"])
        write_lines(self._refused.kept(lines, encoded.errors).column(0))


class _Csv:
    def __init__(self, written: csv.CSVWriter, schema: pa.Schema, flat: pa.Schema, refused: _Refused) -> None:
        self._written = written
        self._flat = flat
        self._encoders = [
            make_encoder(Side(Format.JSON, plain_type(field.type))) if _is_nested(field.type) else None
            for field in schema
        ]
        self._refused = refused

    def write(self, batch: pa.RecordBatch) -> None:
        columns: list[Any] = []
        errors: list[RowError] = []
        for column, encoder in zip(batch.columns, self._encoders, strict=True):
            if encoder is not None:
                encoded = encoder.encode(for_json(column))
                columns.append(encoded.data.cast(pa.string()))
                errors += encoded.errors
            else:
                plain = plain_type(column.type) == column.type
                columns.append(finite_times(column) if plain else as_text(column))
        rows = pa.RecordBatch.from_arrays(columns, schema=self._flat)
        self._written.write_batch(self._refused.kept(rows, errors))
        sys.stdout.flush()


class _Arrow:
    def __init__(self, stream: pa.RecordBatchStreamWriter) -> None:
        self._stream = stream

    def write(self, batch: pa.RecordBatch) -> None:
        self._stream.write_batch(batch)
        sys.stdout.buffer.flush()


def _is_nested(kind: pa.DataType) -> bool:
    # Arrow counts unions as nested, too; they are printed as the text of what they hold.
    return pa.types.is_nested(kind) and not pa.types.is_union(kind)


def _csv_type(kind: pa.DataType) -> pa.DataType:
    return pa.string() if _is_nested(kind) else plain_type(kind)


def _plain(field: pa.Field[Any]) -> pa.Field[Any]:
    # NaN becomes null, whatever the field says.
    return field.with_type(plain_type(field.type)).with_nullable(True)


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
