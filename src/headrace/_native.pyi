"""The Rust module: bytes to Arrow and back, and Kafka. Private; use `headrace.formats` and `headrace.log`."""

from collections.abc import Sequence
from typing import Self

import pyarrow as pa

class JsonDecoder:
    """Decodes JSON into the fields of a type that some paths lead to. Belongs to one thread; releases the GIL.

    Raises:
        ValueError: JSON cannot hold the type, or a path leads nowhere.
    """

    def __new__(cls, type: pa.DataType, paths: Sequence[tuple[str, ...]]) -> Self: ...
    def decode(self, data: pa.BinaryArray) -> tuple[list[pa.Array], list[tuple[int, str]]]:
        """Give one array a path, each as long as `data`, and the rows that could not be decoded with the reasons."""

class JsonEncoder:
    """Encodes arrays of a type as JSON. Belongs to one thread; releases the GIL.

    Raises:
        ValueError: JSON cannot hold the type.
    """

    def __new__(cls, type: pa.DataType) -> Self: ...
    def encode(self, values: pa.Array) -> tuple[pa.BinaryArray, list[tuple[int, str]]]:
        """Give the bytes of each row, null for a null row, and the rows that could not be encoded with the reasons."""

class CsvDecoder:
    """Decodes lines of CSV into fields of a struct, by position. Belongs to one thread; releases the GIL.

    Raises:
        ValueError: CSV cannot hold the type, a path leads nowhere, or the delimiter is not one ASCII character.
    """

    def __new__(cls, type: pa.DataType, paths: Sequence[tuple[str, ...]], delimiter: str) -> Self: ...
    def decode(self, data: pa.BinaryArray) -> tuple[list[pa.Array], list[tuple[int, str]]]:
        """Give one array a path, each as long as `data`, and the rows that could not be decoded with the reasons."""

class PrimitiveCodec:
    """Reads and writes STRING, INT, LONG or BYTES. Thread safe; releases the GIL."""

    def __new__(cls, format: str) -> Self: ...
    def decode(
        self, data: pa.BinaryArray, paths: Sequence[tuple[str, ...]]
    ) -> tuple[list[pa.Array], list[tuple[int, str]]]:
        """Give one array a path, each of which must be (), and the rows that could not be decoded with the reasons."""

    def encode(self, values: pa.Array) -> tuple[pa.BinaryArray, list[tuple[int, str]]]:
        """Give the bytes of each row, null for a null row, and the rows that could not be encoded with the reasons."""
