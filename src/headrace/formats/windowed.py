"""Keys of windowed results, byte for byte as Kafka Streams writes them: the key, and behind it the bounds of the window.

A window of time has its start behind the key; its end follows from the size, which the bytes do not tell. A session has its
end and then its start. Each bound takes 8 bytes, big-endian, milliseconds since 1970.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headrace.formats.interface import (
    WINDOW_END,
    WINDOW_KEY,
    WINDOW_SIZE,
    WINDOW_START,
    Decoded,
    Decoder,
    Encoded,
    Encoder,
    Path,
    RowError,
    Side,
    Windowing,
)
from headrace.types.shape import field_named, fields

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

_BOUND: Final = 8
_BIG_ENDIAN: Final = np.dtype(">i8")


def key_of(side: Side) -> Side:
    """Give the side of the keys without their windows."""
    found = field_named(side.type, WINDOW_KEY)
    assert found is not None
    return replace(side, type=found.type, window=None)


def windowed(side: Side, window: Windowing, size: int | None = None) -> Side:
    """Give the side of keys with their windows: a record of the key and its bounds.

    Args:
        side: of the keys alone.
        window: what bounds stand behind them.
        size: of windows of time in milliseconds, where it is known: it gives the end to whoever reads.
    """
    kind = pa.struct(
        [
            pa.field(WINDOW_KEY, side.type),
            pa.field(WINDOW_START, pa.int64(), nullable=False),
            pa.field(WINDOW_END, pa.int64()),
        ]
    )
    properties = dict(side.properties) if size is None else {**side.properties, WINDOW_SIZE: str(size)}
    return replace(side, type=kind, window=window, properties=properties)


class WindowedEncoder:
    """Encodes records of key, start and end."""

    def __init__(self, side: Side, make: Callable[[Side], Encoder]) -> None:
        self._keys = make(key_of(side))
        self._session = side.window is Windowing.SESSION

    def encode(self, values: pa.Array[Any]) -> Encoded:
        """Encode n keys; a key that fails has no bytes."""
        assert isinstance(values, pa.StructArray)
        encoded = self._keys.encode(pc.struct_field(values, [WINDOW_KEY]))
        names = (WINDOW_END, WINDOW_START) if self._session else (WINDOW_START,)
        bounds = np.stack([_numbers(values.field(name)) for name in names], axis=1).astype(_BIG_ENDIAN)
        width = _BOUND * len(names)
        offsets = np.arange(0, (len(values) + 1) * width, width, dtype=np.int32)
        tails = pa.Array.from_buffers(
            pa.binary(), len(values), [None, pa.py_buffer(offsets.tobytes()), pa.py_buffer(bounds.tobytes())]
        )
        join: Any = pc.binary_join_element_wise
        joined = join(encoded.data, tails, pa.scalar(b"", pa.binary()))
        return Encoded(cast("pa.BinaryArray", joined), encoded.errors)


class WindowedDecoder:
    """Decodes parts of records of key, start and end."""

    def __init__(
        self, side: Side, paths: Sequence[Path], make: Callable[[Side, Sequence[Path]], Decoder]
    ) -> None:
        self._session = side.window is Windowing.SESSION
        size = side.properties.get(WINDOW_SIZE)
        self._size = None if size is None else int(size)
        self._paths = tuple(paths)
        self._type = side.type
        whole = any(not path for path in paths)
        inner = [path[1:] for path in paths if path[:1] == (WINDOW_KEY,)]
        self._inner = list(dict.fromkeys([*inner, ()] if whole else inner))
        self._keys = make(key_of(side), self._inner) if self._inner else None

    def decode(self, data: pa.BinaryArray) -> Decoded:
        """Decode n keys; one that is too short to have bounds is an error of its row."""
        width = 2 * _BOUND if self._session else _BOUND
        lengths: pa.Array[Any] = pc.binary_length(data)
        short = pc.less(lengths.fill_null(width), pa.scalar(width, pa.int32()))
        there = pc.and_not(pc.is_valid(data), short)
        errors = [
            RowError(int(row), "the key is too short to have a window")
            for row in np.flatnonzero(short.to_numpy(zero_copy_only=False))
        ]
        bounds = self._bounds(data, there, width)
        columns: dict[Path, pa.Array[Any]] = {(name,): column for name, column in bounds.items()}
        if self._keys is not None:
            keys = pc.if_else(there, pc.binary_slice(data, 0, -width), pa.scalar(None, pa.binary()))
            decoded = self._keys.decode(cast("pa.BinaryArray", keys))
            errors += decoded.errors
            for path, column in zip(self._inner, decoded.columns, strict=True):
                columns[WINDOW_KEY, *path] = column
        if () in self._paths:
            parts = [columns[field.name,].cast(field.type) for field in fields(self._type)]
            whole: pa.Array[Any] = pa.StructArray.from_arrays(
                parts, fields=fields(self._type), mask=pc.invert(there)
            )
            columns[()] = whole
        return Decoded(tuple(columns[path] for path in self._paths), tuple(errors))

    def _bounds(self, data: pa.BinaryArray, there: pa.Array[Any], width: int) -> dict[str, pa.Array[Any]]:
        zeros = pa.scalar(bytes(width), pa.binary())
        tails = pc.if_else(there, pc.binary_slice(data, -width), zeros)
        numbers = (
            np.frombuffer(_contents(tails), _BIG_ENDIAN).reshape(len(data), width // _BOUND).astype(np.int64)
        )
        missing = ~there.to_numpy(zero_copy_only=False)
        start = pa.array(numbers[:, -1].copy(), pa.int64(), mask=missing)
        if self._session:
            return {WINDOW_START: start, WINDOW_END: pa.array(numbers[:, 0].copy(), pa.int64(), mask=missing)}
        end = pa.nulls(len(data), pa.int64()) if self._size is None else pc.add(start, self._size)
        return {WINDOW_START: start, WINDOW_END: end}


def _numbers(bounds: pa.Array[Any]) -> npt.NDArray[np.int64]:
    return cast("npt.NDArray[np.int64]", bounds.fill_null(0).to_numpy(zero_copy_only=False))


def _contents(array: pa.Array[Any]) -> bytes:
    """Give the bytes of all elements, one behind the other."""
    _, places, contents = array.buffers()
    if places is None or contents is None or not len(array):
        return b""
    offsets = np.frombuffer(memoryview(places), np.int32)[array.offset : array.offset + len(array) + 1]
    return bytes(memoryview(contents)[offsets[0] : offsets[-1]])
