"""Makes columns of a result plain: what an output has no form for becomes text, a batch at a time."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as compute

from headrace.planner.connection import connection

if TYPE_CHECKING:
    from collections.abc import Callable

    Convert = Callable[[pa.Array[Any]], pa.Array[Any]]

pc: Any = compute
"""Its functions; the stubs have them for some types of arrays only."""

types: Any = pa.types
"""The stubs lack some of its tests."""

_map_type: Any = pa.map_
"""The stubs take no field for the values."""

_EPOCH: Final = date(1970, 1, 1)
_FIRST_DAY: Final = (date.min - _EPOCH).days
_LAST_DAY: Final = (date.max - _EPOCH).days
_IN_A_DAY: Final = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000}


def plain_type(kind: pa.DataType) -> pa.DataType:
    """Give the type that stands in for another one in JSON: text for intervals, unions, enums and the keys of maps."""
    if _is_said_as_text(kind):
        return pa.string()
    if isinstance(kind, pa.StructType):
        return pa.struct([field.with_type(plain_type(field.type)).with_nullable(True) for field in kind])
    if isinstance(kind, pa.MapType):
        key = kind.key_type if _is_text(kind.key_type) else pa.string()
        mapped: pa.DataType = _map_type(
            key, kind.item_field.with_type(plain_type(kind.item_type)).with_nullable(True)
        )
        return mapped
    if isinstance(kind, pa.ListType | pa.FixedSizeListType):
        return pa.list_(kind.value_field.with_type(plain_type(kind.value_type)).with_nullable(True))
    return kind


def for_json(column: pa.Array[Any]) -> pa.Array[Any]:
    """Give a column of the type `plain_type` says, with null for the numbers that JSON has no form for."""
    plain = _converted(column, _finite, _text_key)
    wanted = plain_type(column.type)
    return plain if plain.type == wanted else plain.cast(wanted)


def for_table(column: pa.Array[Any]) -> pa.Array[Any]:
    """Give a column whose values Python can hold: dates and times beyond its years become text too."""
    return _converted(column, _within_python, for_table)


def _converted(column: pa.Array[Any], of_leaf: Convert, of_key: Convert) -> pa.Array[Any]:
    kind = column.type
    if _is_said_as_text(kind):
        return as_text(column)
    if isinstance(column, pa.StructArray):
        parts = [_converted(part, of_leaf, of_key) for part in column.flatten()]
        fields = [field.with_type(part.type) for field, part in zip(kind, parts, strict=True)]
        if not fields:
            return column
        # A part that is null as a whole becomes null, whatever the field said of its values.
        fields = [field.with_nullable(True) for field in fields]
        return pa.StructArray.from_arrays(parts, fields=fields, mask=column.is_null())
    if isinstance(kind, pa.FixedSizeListType):
        return _converted(column.cast(pa.list_(kind.value_field)), of_leaf, of_key)
    if isinstance(column, pa.MapArray | pa.ListArray):
        return _entries_converted(column, of_leaf, of_key)
    return of_leaf(column)


def _entries_converted(column: Any, of_leaf: Convert, of_key: Convert) -> pa.Array[Any]:
    """Convert what stands in lists or maps; `column` may be a slice of a longer one."""
    kind = column.type
    first, last = column.offsets[0].as_py(), column.offsets[-1].as_py()
    offsets = pc.subtract(column.offsets, column.offsets[0])
    absent = column.is_null() if column.null_count else None
    whole: Any
    if isinstance(kind, pa.MapType):
        keys = of_key(column.keys[first:last])
        items = _converted(column.items[first:last], of_leaf, of_key)
        shape = _map_type(keys.type, kind.item_field.with_type(items.type).with_nullable(True))
        whole = pa.MapArray
        converted: pa.Array[Any] = whole.from_arrays(offsets, keys, items, type=shape, mask=absent)
        return converted
    values = _converted(column.values[first:last], of_leaf, of_key)
    shape = pa.list_(kind.value_field.with_type(values.type).with_nullable(True))
    whole = pa.ListArray
    converted = whole.from_arrays(offsets, values, type=shape, mask=absent)
    return converted


def as_text(column: pa.Array[Any]) -> pa.Array[Any]:
    """Give values as DuckDB writes them."""
    with connection() as duck:
        rows = duck.from_arrow(pa.table({"x": column}))
        text = rows.project("CAST(x AS VARCHAR) AS x").to_arrow_table().column("x")
    whole: pa.Array[Any] = pc.cast(text.combine_chunks(), pa.string())
    return whole


def finite_times(column: pa.Array[Any]) -> pa.Array[Any]:
    """Give dates and times with null for DuckDB's infinities: its largest and smallest number, a wrong date elsewhere."""
    if types.is_timestamp(column.type):
        numbers, most = pc.cast(column, pa.int64()), (1 << 63) - 1
    elif types.is_date32(column.type):
        numbers, most = pc.cast(column, pa.int32()), (1 << 31) - 1
    else:
        return column
    infinite = pc.is_in(numbers, pa.array([most, -most], numbers.type))
    if not pc.any(infinite).as_py():
        return column
    kept: pa.Array[Any] = pc.if_else(infinite, pa.scalar(None, column.type), column)
    return kept


def _finite(column: pa.Array[Any]) -> pa.Array[Any]:
    if not types.is_floating(column.type):
        return finite_times(column)
    finite = pc.is_finite(column)
    if pc.all(finite).as_py() is not False:
        return column
    kept: pa.Array[Any] = pc.if_else(finite, column, pa.scalar(None, column.type))
    return kept


def _within_python(column: pa.Array[Any]) -> pa.Array[Any]:
    kind = column.type
    if (types.is_timestamp(kind) or types.is_time64(kind)) and kind.unit == "ns":
        # Python's times end at microseconds.
        return as_text(column)
    if types.is_date32(kind):
        least, most = _FIRST_DAY, _LAST_DAY
        numbers = pc.cast(column, pa.int32())
    elif types.is_timestamp(kind) and kind.unit in _IN_A_DAY:
        day = _IN_A_DAY[kind.unit]
        least, most = _FIRST_DAY * day, (_LAST_DAY + 1) * day - 1
        numbers = pc.cast(column, pa.int64())
    elif types.is_time64(kind) and kind.unit in _IN_A_DAY:
        # SQL has the time 24:00:00.
        least, most = 0, _IN_A_DAY[kind.unit] - 1
        numbers = pc.cast(column, pa.int64())
    else:
        return column
    bounds = pc.min_max(numbers).as_py()
    if bounds["min"] is None or (bounds["min"] >= least and bounds["max"] <= most):
        return column
    text: pa.Array[Any] = as_text(column)
    if types.is_timestamp(kind) and kind.tz:
        # As Python writes the zone of the values in other batches.
        text = pc.replace_substring_regex(text, r"\+00$", "+00:00")
    return text


def _text_key(keys: pa.Array[Any]) -> pa.Array[Any]:
    return keys if _is_text(keys.type) else as_text(keys)


def _is_said_as_text(kind: pa.DataType) -> bool:
    return bool(types.is_interval(kind) or types.is_union(kind) or types.is_dictionary(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(types.is_string(kind) or types.is_large_string(kind))
