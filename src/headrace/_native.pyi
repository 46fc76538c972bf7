"""The Rust module: bytes to Arrow and back, and Kafka. Private; use `headrace.formats` and `headrace.log`."""

from collections.abc import Mapping, Sequence
from typing import Any, Self, final

import pyarrow as pa

@final
class JsonDecoder:
    """Decodes JSON into the fields of a type that some paths lead to. Belongs to one thread; releases the GIL.

    Raises:
        ValueError: JSON cannot hold the type, or a path leads nowhere.
    """

    def __new__(cls, type: pa.DataType, paths: Sequence[tuple[str, ...]]) -> Self: ...
    def decode(self, data: pa.BinaryArray) -> tuple[list[pa.Array[Any]], list[tuple[int, str]]]:
        """Give one array a path, each as long as `data`, and the rows that could not be decoded with the reasons."""

@final
class JsonEncoder:
    """Encodes arrays of a type as JSON. Belongs to one thread; releases the GIL.

    Raises:
        ValueError: JSON cannot hold the type.
    """

    def __new__(cls, type: pa.DataType) -> Self: ...
    def encode(self, values: pa.Array[Any]) -> tuple[pa.BinaryArray, list[tuple[int, str]]]:
        """Give the bytes of each row, null for a null row, and the rows that could not be encoded with the reasons."""

@final
class AvroDecoder:
    """Decodes Avro in the registry's framing into the fields of a reader's schema that some paths lead to.

    Belongs to one thread; releases the GIL.

    Raises:
        ValueError: the schema is malformed or does not fit the type, or a path leads nowhere.
    """

    def __new__(cls, schema: str, type: pa.DataType, paths: Sequence[tuple[str, ...]]) -> Self: ...
    def add_writer(self, id: int, schema: str) -> None:
        """Make the values of a writer readable.

        Raises:
            ValueError: the schema is malformed, or the reader's schema cannot read it.
        """

    def unknown(self, data: pa.BinaryArray) -> list[int]:
        """Give the ids of the writers in this batch that have not been added, each once."""

    def decode(
        self, data: pa.BinaryArray, refused: Mapping[int, str]
    ) -> tuple[list[pa.Array[Any]], list[tuple[int, str]]]:
        """Give one array a path, each as long as `data`, and the rows that could not be decoded with the reasons.

        Args:
            data: n values.
            refused: why the writers that are missing could not be added.
        """

@final
class AvroEncoder:
    """Encodes arrays of a type as Avro in the registry's framing. Belongs to one thread; releases the GIL.

    Raises:
        ValueError: the schema is malformed or does not fit the type.
    """

    def __new__(cls, schema: str, id: int, type: pa.DataType) -> Self: ...
    def encode(self, values: pa.Array[Any]) -> tuple[pa.BinaryArray, list[tuple[int, str]]]:
        """Give the bytes of each row, null for a null row, and the rows that could not be encoded with the reasons."""

@final
class CsvDecoder:
    """Decodes lines of CSV into fields of a struct, by position. Belongs to one thread; releases the GIL.

    Raises:
        ValueError: CSV cannot hold the type, a path leads nowhere, or the delimiter is not one ASCII character.
    """

    def __new__(cls, type: pa.DataType, paths: Sequence[tuple[str, ...]], delimiter: str) -> Self: ...
    def decode(self, data: pa.BinaryArray) -> tuple[list[pa.Array[Any]], list[tuple[int, str]]]:
        """Give one array a path, each as long as `data`, and the rows that could not be decoded with the reasons."""

@final
class PrimitiveCodec:
    """Reads and writes STRING, INT, LONG or BYTES. Thread safe; releases the GIL."""

    def __new__(cls, format: str) -> Self: ...
    def decode(
        self, data: pa.BinaryArray, paths: Sequence[tuple[str, ...]]
    ) -> tuple[list[pa.Array[Any]], list[tuple[int, str]]]:
        """Give one array a path, each of which must be (), and the rows that could not be decoded with the reasons."""

    def encode(self, values: pa.Array[Any]) -> tuple[pa.BinaryArray, list[tuple[int, str]]]:
        """Give the bytes of each row, null for a null row, and the rows that could not be encoded with the reasons."""
