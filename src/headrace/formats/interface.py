"""What a format is: bytes to Arrow and back, a batch at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from headrace.formats.registry.compatibility import Compatibility
    from headrace.formats.registry.kinds import SchemaKind


class Format(StrEnum):
    """How the bytes of a key or a value are written."""

    JSON = "JSON"
    AVRO = "AVRO"
    JSON_SR = "JSON_SR"
    """JSON in the framing of a schema registry, under a JSON Schema."""
    PROTOBUF = "PROTOBUF"
    STRING = "STRING"
    INT = "INT"
    LONG = "LONG"
    BYTES = "BYTES"
    CSV = "CSV"
    XML = "XML"
    DEBEZIUM_JSON = "DEBEZIUM_JSON"
    """Changes of a database table, as JSON."""
    DEBEZIUM_AVRO = "DEBEZIUM_AVRO"
    """Changes of a database table, as AVRO."""
    ROWS = "ROWS"
    """Of internal topics alone: rows of our own, of any type."""


WRITTEN_BY_USERS = tuple(item for item in Format if item is not Format.ROWS)
"""The formats that a program or a command can name."""


CHANGE_RECORDS = (Format.DEBEZIUM_JSON, Format.DEBEZIUM_AVRO)
"""Values that say what happened to a row; read as a table, they are the row."""

READ_ONLY = (Format.XML, *CHANGE_RECORDS)
"""Formats that nothing is written in."""

WRITTEN_INSTEAD = {
    Format.CSV: Format.JSON,
    Format.XML: Format.JSON,
    Format.DEBEZIUM_JSON: Format.JSON,
    Format.DEBEZIUM_AVRO: Format.AVRO,
}
"""How results are written where the program does not say it and the source has one of these formats."""


Path = tuple[str, ...]
"""Field names from the root of a key or value; () is the whole of it."""


class Windowing(StrEnum):
    """What stands behind the bytes of a key, see `headrace.formats.windowed`."""

    TIME = "time"
    """The start of a window of time."""
    SESSION = "session"
    """End and start of a session."""


WINDOW_KEY, WINDOW_START, WINDOW_END = "key", "start", "end"
"""Fields of the type of keys with windows: the key, and its bounds (epoch ms, int64; the end is null where nobody knows it)."""

WINDOW_SIZE = "window.size"
"""Property of such a side: the size of windows of time in milliseconds."""


@dataclass(frozen=True, slots=True)
class Side:
    """The format and type of a key or of a value.

    Args:
        format: how bytes are written.
        type: what they hold: a struct for records, anything else for a primitive (a JSON or Avro value may be either).
            Fields say whether they may be null.
        schema: the reader's schema as text, if the format has one (Avro JSON); it fixes names and defaults.
        properties: of the format (`delimiter` for CSV, `message` for PROTOBUF).
        window: the keys are those of windowed results; `type` is then a record of the key and its bounds, `schema` of the key.
    """

    format: Format
    type: pa.DataType
    schema: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict, hash=False)
    window: Windowing | None = None


@dataclass(frozen=True, slots=True)
class RowError:
    """A row that could not be decoded or encoded. The reason never holds data of the record."""

    row: int
    reason: str


@dataclass(frozen=True, slots=True)
class Decoded:
    """One array a path, each as long as the input.

    Null input gives nulls without an error; a row with an error is null in all columns.
    """

    columns: tuple[pa.Array[Any], ...]
    errors: tuple[RowError, ...]


class Decoder(Protocol):
    """Decodes the paths it was made for. Belongs to one thread."""

    def decode(self, data: pa.BinaryArray) -> Decoded:
        """Decode n values; never raises for what the bytes hold.

        Raises:
            RegistryUnavailableError: a schema could not be fetched because the registry is away. Try the same batch again,
                so that no good record is taken for a bad one.
        """


@dataclass(frozen=True, slots=True)
class Encoded:
    """The bytes of n rows; null for a null row or a row with an error."""

    data: pa.BinaryArray
    errors: tuple[RowError, ...]


class Encoder(Protocol):
    """Encodes arrays of the type of its side. Belongs to one thread."""

    def encode(self, values: pa.Array[Any]) -> Encoded:
        """Encode n rows; a null row gives null (a tombstone)."""


class Registry(Protocol):
    """A schema registry: Confluent's API, or the one in the file of the embedded log. Thread safe. Caches by id."""

    def kind(self, schema_id: int) -> SchemaKind:
        """Give the language of a schema. Raises as `schema`."""

    def schema(self, schema_id: int) -> str:
        """Give the schema text. Raises UnknownSchemaError, or RegistryUnavailableError (worth trying again)."""

    def latest(self, subject: str) -> tuple[int, str] | None:
        """Give id and text of the latest version; None if the subject does not exist."""

    def versions(self, subject: str) -> Sequence[tuple[int, str]]:
        """Give id and text of every version of the subject, oldest first; none if it does not exist."""

    def level(self, subject: str) -> Compatibility:
        """Give which versions of the subject must be able to read which."""

    def check(self, subject: str, schema: str, kind: SchemaKind = ...) -> Sequence[str]:
        """Give the reasons why this schema cannot be the next version of the subject; empty if it can."""

    def register(self, subject: str, schema: str, kind: SchemaKind = ...) -> int:
        """Register and give the id. Raises IncompatibleSchemaError."""

    def subjects(self) -> list[str]:
        """Give the names of all subjects."""

    def close(self) -> None:
        """Free the connections; may be called twice."""
