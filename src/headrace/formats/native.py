"""Between the native codecs and the interface: results as dataclasses, refusals as diagnostics."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from headrace.errors import Diagnostic, ProgramError
from headrace.errors.codes.format import UNSUPPORTED_TYPE
from headrace.formats.interface import Decoded, Encoded, Format, RowError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa


class _NativeDecoder(Protocol):
    def decode(self, data: pa.BinaryArray) -> tuple[list[pa.Array[Any]], list[tuple[int, str]]]: ...


class _NativeEncoder(Protocol):
    def encode(self, values: pa.Array[Any]) -> tuple[pa.BinaryArray, list[tuple[int, str]]]: ...


class NativeDecoder:
    """A decoder whose work is done by one native object."""

    def __init__(self, native: _NativeDecoder) -> None:
        self._native = native

    def decode(self, data: pa.BinaryArray) -> Decoded:
        """Decode n values."""
        return decoded(*self._native.decode(data))


class NativeEncoder:
    """An encoder whose work is done by one native object."""

    def __init__(self, native: _NativeEncoder) -> None:
        self._native = native

    def encode(self, values: pa.Array[Any]) -> Encoded:
        """Encode n rows."""
        data, errors = self._native.encode(values)
        return Encoded(data, row_errors(errors))


def decoded(columns: Sequence[pa.Array[Any]], errors: Sequence[tuple[int, str]]) -> Decoded:
    """Give a native result the shape of the interface."""
    return Decoded(tuple(columns), row_errors(errors))


def row_errors(errors: Sequence[tuple[int, str]]) -> tuple[RowError, ...]:
    """Give native errors the shape of the interface."""
    return tuple(RowError(row, reason) for row, reason in errors)


@contextmanager
def refusing(format: Format) -> Iterator[None]:
    """Turn the refusal of a type by the native module into a diagnostic."""
    try:
        yield
    except ValueError as error:
        message = f"format {format} cannot be used here: {error}"
        raise ProgramError((Diagnostic(UNSUPPORTED_TYPE, message),)) from None
