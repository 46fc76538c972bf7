"""How times come out of a snapshot query: as they are, as text, or as milliseconds since 1970."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from headrace.types.shape import Field

_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
"""The seconds come with the digits that the type has."""


def shown_as(field: Field, way: str | None) -> Field:
    """Give a column of a result as `format.timestamp` wants it: `text`, `long`, or None for no change."""
    if way is None or not pa.types.is_timestamp(field.type):
        return field
    return field.with_type(pa.string() if way == "text" else pa.int64())


def shown(column: pa.Array[Any], wanted: pa.DataType) -> pa.Array[Any]:
    """Give the values of a column in the type of `shown_as`."""
    if column.type == wanted or not pa.types.is_timestamp(column.type):
        return column
    millis = column.cast(pa.timestamp("ms"), safe=False)
    if pa.types.is_integer(wanted):
        return millis.cast(pa.int64())
    text: pa.Array[Any] = pc.strftime(cast("pa.TimestampArray", millis), format=_FORMAT)
    return text
