"""Makes records of JSON lines: finds the types, and reads keys, values, times and headers a chunk at a time."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as compute

from headrace.catalog.infer import infer_json
from headrace.cli.envelope import EnvelopeReader
from headrace.cli.failures import bad_call
from headrace.cli.json_sides import SideWriter
from headrace.cli.topic_sides import side_of
from headrace.formats import make_decoder
from headrace.formats.interface import Decoder, Format, Path, Registry, RowError, Side
from headrace.formats.registered import KINDS, schema_text
from headrace.log.records import HEADERS, TIMESTAMP

pc: Any = compute
"""Its functions; the stubs have them for some types of arrays only."""


SAMPLE = 1000
"""How many lines are looked at where the type must be inferred."""


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """What `headrace produce` was told about its lines."""

    topic: str
    value_format: Format
    key_format: Format | None = None
    key: Path | None = None
    timestamp: Path | None = None
    schema: str | None = None
    key_schema: str | None = None
    envelope: bool = False


@dataclass(frozen=True, slots=True)
class Chunk:
    """The records before the first bad line, the places of their lines in the chunk, and what is wrong with that line."""

    records: pa.RecordBatch
    places: pa.Array[Any]
    error: RowError | None

    def line_of(self, row: int) -> int:
        """Give the place in the chunk of the line that became this record."""
        place: int = self.places[row].as_py()
        return place


@dataclass(frozen=True, slots=True)
class _Writers:
    value: SideWriter
    key: SideWriter | None
    timestamp: Decoder | None


class RecordSource:
    """Reads chunks of lines. The types are settled by the first chunk. Belongs to one thread; close it."""

    def __init__(self, options: SourceOptions, registry: Registry | None) -> None:
        self._options = options
        self._registry = registry
        self._envelopes = EnvelopeReader() if options.envelope else None
        self._writers: _Writers | None = None

    def read(self, lines: pa.BinaryArray) -> Chunk:
        """Make records of n lines, empty ones left out.

        Raises:
            ProgramError: a schema is missing, or does not fit what the registry holds.
        """
        places = pc.indices_nonzero(pc.greater(pc.binary_length(lines), 0)).cast(pa.int64())
        texts = lines.take(places)
        if self._envelopes is None:
            key = value = texts
            timestamp = headers = None
            errors: list[RowError] = []
        else:
            parts = self._envelopes.read(texts)
            errors = list(parts.errors)
            # No type is told from a line that is no envelope, nor from what stands behind it.
            end = min((error.row for error in errors), default=len(texts))
            texts = texts.slice(0, end)
            key, value = parts.key.slice(0, end), parts.value.slice(0, end)
            timestamp, headers = parts.timestamp.slice(0, end), parts.headers.slice(0, end)
            if errors and end == 0:
                return _before(pa.RecordBatch.from_pydict({}), places, errors)
        writers = self._settled(key, value)
        written = writers.value.write(value)
        errors += written.errors
        columns: dict[str, pa.Array[Any]] = {"value": written.data}
        if writers.key is not None:
            keys = writers.key.write(key)
            errors += keys.errors
            errors += _without(self._options.key, texts, keys.data)
            columns["key"] = keys.data
        if writers.timestamp is not None:
            times = writers.timestamp.decode(value)
            errors += times.errors
            timestamp = times.columns[0]
            errors += _without(self._options.timestamp, texts, timestamp)
        columns["timestamp"] = pa.nulls(len(texts), TIMESTAMP) if timestamp is None else timestamp
        columns["headers"] = pa.nulls(len(texts), HEADERS) if headers is None else headers
        records = pa.RecordBatch.from_pydict(columns)
        return _before(records, places, errors)

    def close(self) -> None:
        """Free what was opened for reading."""
        if self._envelopes is not None:
            self._envelopes.close()

    def _settled(self, key: pa.BinaryArray, value: pa.BinaryArray) -> _Writers:
        if self._writers is None:
            options = self._options
            timestamp = options.timestamp and make_decoder(
                Side(Format.JSON, _nested(options.timestamp, TIMESTAMP)), [options.timestamp], None
            )
            self._writers = _Writers(
                self._writer("value", options.value_format, options.schema, value, ()),
                self._key_writer(key),
                timestamp or None,
            )
        return self._writers

    def _key_writer(self, texts: pa.BinaryArray) -> SideWriter | None:
        options = self._options
        if options.key is None and not options.envelope:
            if options.key_format is not None:
                message = "--key-format is given, but no key"
                raise bad_call(message, help="name the field of the key with --key, or use --envelope")
            return None
        return self._writer(
            "key", options.key_format or Format.STRING, options.key_schema, texts, options.key or ()
        )

    def _writer(
        self, part: str, format: Format, schema: str | None, texts: pa.BinaryArray, path: Path
    ) -> SideWriter:
        subject = f"{self._options.topic}-{part}"
        if format is Format.JSON and path:
            return SideWriter(Side(format, self._inferred(texts, path)), None, path)
        if format not in KINDS:
            return SideWriter(side_of(format, None, subject), None, path)
        if self._registry is None:
            message = f"{format} needs a schema registry"
            raise bad_call(message, help="name it with --registry or HEADRACE_SCHEMA_REGISTRY")
        if schema is None and self._registry.latest(subject) is None:
            name = subject.replace(".", "_").replace("-", "_")
            schema = schema_text(format, self._inferred(texts, path), name, "headrace")
        side = side_of(format, self._registry, subject, schema)
        assert side.schema is not None
        return SideWriter(side, self._registry.register(subject, side.schema, KINDS[format]), path)

    def _inferred(self, texts: pa.BinaryArray, path: Path) -> pa.DataType:
        sample = [text for text in texts.slice(0, SAMPLE).to_pylist() if text is not None]
        found, _ = infer_json(sample)
        for name in path:
            if found is None or not pa.types.is_struct(found) or found.get_field_index(name) < 0:
                message = f"no line of the first {SAMPLE} has the field `{'.'.join(path)}`"
                raise bad_call(message, help="field names are case sensitive")
            found = found.field(name).type
        if found is None:
            message = "the first lines hold nothing but null: no schema can be inferred"
            raise bad_call(message, help="give one with --schema or --key-schema")
        return found


def _before(records: pa.RecordBatch, places: pa.Array[Any], errors: list[RowError]) -> Chunk:
    """Give the records before the first error."""
    if not errors:
        return Chunk(records, places, None)
    first = min(errors, key=lambda error: error.row)
    place: int = places[first.row].as_py()
    return Chunk(records.slice(0, first.row), places, RowError(place, first.reason))


def _without(path: Path | None, texts: pa.BinaryArray, found: pa.Array[Any]) -> list[RowError]:
    """Give an error for the first line that does not have the field; one that has it with `null` is good.

    Only lines where nothing was found are read once more, for the decoder does not tell absent from null.
    """
    if not path:
        return []
    for row in pc.indices_nonzero(pc.is_null(found)).to_pylist():
        if not _has(texts[row].as_py(), path):
            return [RowError(row, f"it has no field `{'.'.join(path)}`")]
    return []


def _has(text: bytes, path: Path) -> bool:
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        # No JSON: the decoder has said so with a better reason.
        return True
    for name in path:
        if not isinstance(value, dict) or name not in value:
            return False
        value = value[name]
    return True


def _nested(path: Path, leaf: pa.DataType) -> pa.DataType:
    for name in reversed(path):
        leaf = pa.struct([(name, leaf)])
    return leaf
