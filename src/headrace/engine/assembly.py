"""Puts the flat columns of a query's result together to the keys or values of a sink."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from headrace.types.shape import field_named

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.plan.topology import OutputColumn

_Place = int | dict[str, "_Place"]
"""The column that stands here, or the fields below here that have columns."""


class Assembly:
    """Builds arrays of the type of one side of a sink from the columns of a result."""

    def __init__(self, wanted: pa.DataType, columns: Sequence[OutputColumn], names: Sequence[str]) -> None:
        """Work out where each column goes.

        Args:
            wanted: the type of the side.
            columns: what the pipeline gives and where it belongs.
            names: the columns of the result, in order.
        """
        self._type = wanted
        position = {name: index for index, name in enumerate(names)}
        self._root: _Place = {}
        for column in columns:
            if not column.path:
                self._root = position[column.name]
                break
            place: _Place = self._root
            for name in column.path[:-1]:
                place = _below(place, name)
            assert isinstance(place, dict)
            place[column.path[-1]] = position[column.name]

    def build(self, batch: pa.RecordBatch) -> pa.Array[Any]:
        """Give n keys or values. Raises `pyarrow.ArrowInvalid` if a column does not fit the sink's type."""
        return _build(self._type, self._root, batch)


def first_misfit(
    wanted: pa.DataType, columns: Sequence[OutputColumn], names: Sequence[str], batch: pa.RecordBatch
) -> tuple[int, OutputColumn, pa.DataType] | None:
    """Give the first row with a value that `Assembly.build` cannot convert: its number, the column, and the type of that."""
    found = []
    for column in columns:
        kind = wanted
        for name in column.path:
            part = field_named(kind, name)
            assert part is not None
            kind = part.type
        row = _misfit(batch.column(names.index(column.name)), kind)
        if row is not None:
            found.append((row, column, kind))
    return min(found, key=lambda item: item[0]) if found else None


def _misfit(array: pa.Array[Any], wanted: pa.DataType) -> int | None:
    if _fits(array, wanted):
        return None
    low, high = 0, len(array)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _fits(array.slice(low, middle - low), wanted) else (low, middle)
    return low


def _fits(array: pa.Array[Any], wanted: pa.DataType) -> bool:
    try:
        conform(array, wanted)
    except pa.ArrowException:
        return False
    return True


def _below(place: _Place, name: str) -> _Place:
    assert isinstance(place, dict)
    return place.setdefault(name, {})


def _build(wanted: pa.DataType, place: _Place, batch: pa.RecordBatch) -> pa.Array[Any]:
    if isinstance(place, int):
        return conform(batch.column(place), wanted)
    fields = [wanted.field(index) for index in range(wanted.num_fields)]
    children = [
        _build(field.type, place[field.name], batch)
        if field.name in place
        else pa.nulls(batch.num_rows, field.type)
        for field in fields
    ]
    if not fields:
        return pa.Array.from_buffers(wanted, batch.num_rows, [None])
    return pa.StructArray.from_arrays(children, fields=fields)


def conform(array: pa.Array[Any], wanted: pa.DataType) -> pa.Array[Any]:
    """Cast to a type of the same shape; fields of records go by position, for names may differ in case."""
    if array.type == wanted:
        return array
    if (
        isinstance(array, pa.StructArray)
        and pa.types.is_struct(wanted)
        and array.type.num_fields == wanted.num_fields
    ):
        fields = [wanted.field(index) for index in range(wanted.num_fields)]
        children = [conform(array.field(index), field.type) for index, field in enumerate(fields)]
        return pa.StructArray.from_arrays(
            children, fields=fields, mask=array.is_null() if array.null_count else None
        )
    return array.cast(wanted)
