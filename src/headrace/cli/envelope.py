"""Splits `{"key":…, "value":…, "timestamp":…, "headers":…}` into its parts, many lines at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as compute

from headrace.formats import make_decoder, make_encoder
from headrace.formats.interface import Format, RowError, Side
from headrace.log.records import HEADERS, TIMESTAMP
from headrace.planner import connection

pc: Any = compute
"""Its functions; the stubs have them for some types of arrays only."""


LINE: Final = pa.struct([("key", pa.string()), ("value", pa.string()), ("timestamp", TIMESTAMP)])
STRING: Final = Side(Format.JSON, pa.string())

# The decoder gives strings without their quotes and everything else as its JSON text, number for number as written.
# Which of the two it was, and the headers, whose names are not known beforehand, is asked of DuckDB.
KINDS = """
SELECT
    json_type(line, '$.key') = 'VARCHAR' AS key,
    json_type(line, '$.value') = 'VARCHAR' AS value,
    map_entries(CAST(json_extract(line, '$.headers') AS MAP(VARCHAR, VARCHAR))) AS headers,
    NOT list_has_all(['key', 'value', 'timestamp', 'headers'], json_keys(line)) AS unknown,
    NOT list_has_any(['key', 'value'], json_keys(line)) AS bare
FROM lines
ORDER BY row
"""

UNKNOWN: Final = "an envelope has no members but `key`, `value`, `timestamp` and `headers`"
BARE: Final = "an envelope has a `key` or a `value`, and this line has neither"


@dataclass(frozen=True, slots=True)
class Envelopes:
    """The parts of n lines; key and value as JSON text, null where they are absent or null."""

    key: pa.BinaryArray
    value: pa.BinaryArray
    timestamp: pa.Array[Any]
    headers: pa.Array[Any]
    errors: tuple[RowError, ...]


class EnvelopeReader:
    """Splits lines. Belongs to one thread; close it."""

    def __init__(self) -> None:
        self._decoder = make_decoder(Side(Format.JSON, LINE), [("key",), ("value",), ("timestamp",)], None)
        self._quote = make_encoder(STRING)
        self._connection = connection()

    def read(self, lines: pa.BinaryArray) -> Envelopes:
        """Split n lines, none of them empty."""
        decoded = self._decoder.decode(lines)
        key, value, timestamp = decoded.columns
        bad = pa.array([error.row for error in decoded.errors], pa.int64())
        rows = pa.array(np.arange(len(lines)), pa.int64())
        good = pc.if_else(pc.is_in(rows, bad), pa.scalar(None, lines.type), lines)
        batch = pa.table({"row": rows, "line": good.cast(pa.string())})
        self._connection.register("lines", batch)
        kinds: Any = self._connection.sql(KINDS).to_arrow_table()
        self._connection.unregister("lines")
        return Envelopes(
            self._texts(key, kinds.column("key")),
            self._texts(value, kinds.column("value")),
            timestamp,
            _whole(kinds.column("headers")).cast(HEADERS),
            (
                *decoded.errors,
                *_refused(kinds.column("unknown"), UNKNOWN),
                *_refused(kinds.column("bare"), BARE),
            ),
        )

    def close(self) -> None:
        """Free the connection."""
        self._connection.close()

    def _texts(self, column: pa.Array[Any], quoted: Any) -> pa.BinaryArray:
        strings = self._quote.encode(column).data
        texts: pa.BinaryArray = pc.if_else(
            pc.fill_null(_whole(quoted), False), strings, column.cast(pa.binary())
        )
        return texts


def _refused(column: Any, reason: str) -> list[RowError]:
    """Give an error for each row that is true; lines that could not be read are null here."""
    return [RowError(row, reason) for row in pc.indices_nonzero(_whole(column)).to_pylist()]


def _whole(column: Any) -> pa.Array[Any]:
    """Give a column of a table as one array."""
    whole: pa.Array[Any] = column.combine_chunks()
    return whole
