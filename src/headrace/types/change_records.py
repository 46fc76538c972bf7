"""The shape of change records as Debezium writes them: the row before, the row after, what was done."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from headrace.types.coercion import common_type
from headrace.types.shape import field_named, fields

BEFORE: Final = "before"
AFTER: Final = "after"
OPERATION: Final = "op"
PAYLOAD: Final = "payload"
"""Where the record stands if its schema stands beside it."""

ROW_THERE: Final = ("c", "u", "r")
"""Operations after which the row is there: created, updated, read in a snapshot."""

ROW_GONE: Final = "d"
"""The operation that removes the row. Others, such as the truncation of a table, are about no row."""


def change_record(row: pa.DataType, *, text: bool) -> pa.DataType:
    """Give the type of the change records of a table with such rows.

    Args:
        row: of the table.
        text: other parts come as the text of their JSON; otherwise they are left out, for nothing tells their type.
    """
    others = [pa.field("source", pa.string()), pa.field("transaction", pa.string())] if text else []
    return pa.struct(
        [
            pa.field(BEFORE, row),
            pa.field(AFTER, row),
            pa.field(OPERATION, pa.string()),
            pa.field("ts_ms", pa.int64()),
            *others,
        ]
    )


def row_of(kind: pa.DataType) -> pa.DataType | None:
    """Give the type of the rows in change records; None if it is not the type of change records."""
    after, operation = field_named(kind, AFTER), field_named(kind, OPERATION)
    if after is None or operation is None or not pa.types.is_struct(after.type):
        return None
    return after.type


def seen_change_record(kind: pa.DataType) -> pa.DataType | None:
    """Give the type of change records of which some were seen as JSON; None if they were none.

    A row that is absent from all that were seen has the type of the other one.
    """
    payload = field_named(kind, PAYLOAD)
    if payload is not None and field_named(payload.type, OPERATION) is not None:
        kind = payload.type
    before, after = (field_named(kind, name) for name in (BEFORE, AFTER))
    rows = [part.type for part in (before, after) if part is not None and pa.types.is_struct(part.type)]
    if not rows or field_named(kind, OPERATION) is None:
        return None
    row = rows[0] if len(rows) == 1 else common_type(rows[1], rows[0])
    if row is None:
        return None
    others = [part for part in fields(kind) if part.name not in (BEFORE, AFTER)]
    return pa.struct([pa.field(BEFORE, row), pa.field(AFTER, row), *others])
