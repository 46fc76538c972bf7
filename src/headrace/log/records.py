"""The shape of records between a log and everything else."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

HEADERS: Final = pa.list_(
    pa.struct([pa.field("key", pa.string(), nullable=False), pa.field("value", pa.binary())])
)
"""Type of the headers column; null where a record has none."""

TIMESTAMP: Final = pa.timestamp("ms", tz="UTC")

RECORDS: Final = pa.schema(
    [
        pa.field("topic", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("partition", pa.int32(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("timestamp", TIMESTAMP),
        pa.field("key", pa.binary()),
        pa.field("value", pa.binary()),
        pa.field("headers", HEADERS),
    ]
)
"""What `Consumer.poll` returns: null is apart from empty in key, value and header values."""
