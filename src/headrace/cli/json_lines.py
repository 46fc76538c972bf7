"""JSON lines to records and back, a batch at a time: what `produce` reads and `consume` prints."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as compute

from headrace.formats import make_decoder, make_encoder
from headrace.formats.interface import Decoder, Encoder, Format, Registry, RowError, Side

if TYPE_CHECKING:
    from collections.abc import Iterator

pc: Any = compute
"""Its functions; the stubs have them for some types of arrays only."""


CHUNK = 1 << 20
"""How much of the input is taken at once, in bytes. What a slow writer has sent so far is taken at once too."""

NULL = pa.scalar("null")


def read_lines(stream: BinaryIO) -> Iterator[tuple[int, pa.BinaryArray]]:
    """Give the lines that are there as soon as they are there: the number of the first one, and the lines.

    A line number is that of the input, from 1. Empty lines are given too, so that the numbers are right.
    """
    rest = b""
    number = 1
    reader = getattr(stream, "read1", stream.read)
    while chunk := reader(CHUNK):
        lines = (rest + chunk).split(b"\n")
        rest = lines.pop()
        if lines:
            yield number, pa.array(lines, pa.binary())
            number += len(lines)
    if rest:
        yield number, pa.array([rest], pa.binary())


def write_lines(lines: pa.Array[Any]) -> None:
    """Write one line a row to standard output, at once."""
    if len(lines):
        whole = pc.binary_join(pa.ListArray.from_arrays([0, len(lines)], lines), "\n")
        sys.stdout.write(whole[0].as_py() + "\n")
        sys.stdout.flush()


@dataclass(frozen=True, slots=True)
class JsonText:
    """One JSON text a row, without line breaks; null for a null value and for a row with an error."""

    text: pa.Array[Any]
    errors: tuple[RowError, ...]


class JsonPrinter:
    """Turns the bytes of one side of a topic into JSON text."""

    def __init__(self, side: Side, registry: Registry | None) -> None:
        self._raw = side.format is Format.JSON
        # The text of a JSON value is passed on as it was written; decoding it only tells whether it is JSON at all.
        seen = Side(Format.JSON, pa.string()) if self._raw else side
        self._decoder: Decoder = make_decoder(seen, [()], registry)
        self._encoder: Encoder | None = None if self._raw else make_encoder(Side(Format.JSON, side.type))

    def print(self, data: pa.BinaryArray) -> JsonText:
        """Give the JSON text of n values."""
        decoded = self._decoder.decode(data)
        if self._encoder is None:
            text = _without_rows(data, decoded.errors)
            # JSON has line breaks between tokens only, never inside a string.
            text = pc.replace_substring_regex(text.cast(pa.string()), r"[\r\n]+", " ")
            return JsonText(pc.utf8_trim_whitespace(text), decoded.errors)
        encoded = self._encoder.encode(decoded.columns[0])
        return JsonText(encoded.data.cast(pa.string()), decoded.errors + encoded.errors)


def envelopes(records: pa.RecordBatch, key: pa.Array[Any], value: pa.Array[Any]) -> pa.Array[Any]:
    """Join key, value, timestamp and headers of each record to one JSON object."""
    timestamp = records.column("timestamp").cast(pa.int64()).cast(pa.string())
    parts = [
        pa.scalar('{"key":'),
        pc.fill_null(key, NULL),
        pa.scalar(',"value":'),
        pc.fill_null(value, NULL),
        pa.scalar(',"timestamp":'),
        pc.fill_null(timestamp, NULL),
        pa.scalar(',"headers":'),
        _headers_text(records.column("headers")),
        pa.scalar("}"),
    ]
    joined: pa.Array[Any] = pc.binary_join_element_wise(*parts, "")
    return joined


def _headers_text(headers: Any) -> pa.Array[Any]:
    """Give the headers of each record as a JSON object; `{}` where there are none."""
    if headers.null_count == len(headers):
        return pa.repeat(pa.scalar("{}"), len(headers))
    flat = headers.flatten()
    texts = make_encoder(Side(Format.JSON, pa.string()))
    names = texts.encode(flat.field("key")).data.cast(pa.string())
    values = texts.encode(_as_text(flat.field("value"))).data.cast(pa.string())
    pairs = pc.binary_join_element_wise(names, pc.fill_null(values, NULL), ":")
    offsets = pc.fill_null(headers.offsets, 0)
    lists = pa.ListArray.from_arrays(offsets, pairs)
    joined = pc.fill_null(pc.binary_join(lists, ","), "")
    text: pa.Array[Any] = pc.binary_join_element_wise(pa.scalar("{"), joined, pa.scalar("}"), "")
    return text


def _as_text(values: pa.BinaryArray) -> pa.Array[Any]:
    """Give header values as text; those that are not UTF-8 as Base64 text, as BYTES are printed elsewhere."""
    text = make_decoder(Side(Format.STRING, pa.string()), [()], None).decode(values)
    if not text.errors:
        return text.columns[0]
    encoded = make_encoder(Side(Format.JSON, pa.binary())).encode(values).data.cast(pa.string())
    both: pa.Array[Any] = pc.coalesce(text.columns[0], pc.utf8_trim(encoded, characters='"'))
    return both


def _without_rows(data: pa.Array[Any], errors: tuple[RowError, ...]) -> pa.Array[Any]:
    if not errors:
        return data
    bad = pa.array([error.row for error in errors], pa.int64())
    rows = pa.array(np.arange(len(data)), pa.int64())
    kept: pa.Array[Any] = pc.if_else(pc.is_in(rows, bad), pa.scalar(None, data.type), data)
    return kept
