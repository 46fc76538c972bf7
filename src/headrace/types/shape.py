"""Parts of nested Arrow types, with the types that the stubs of pyarrow cannot tell."""

from __future__ import annotations

from typing import Any, TypeAlias

import pyarrow as pa

Field: TypeAlias = "pa.Field[Any]"


def fields(kind: pa.DataType) -> list[Field]:
    """Give the fields of a record; none for anything else."""
    if not pa.types.is_struct(kind):
        return []
    return [kind.field(index) for index in range(kind.num_fields)]


def field_names(kind: pa.DataType) -> list[str]:
    """Give the names of a record's fields; none for anything else."""
    return [part.name for part in fields(kind)]


def field_named(kind: pa.DataType, name: str) -> Field | None:
    """Give a field of a record by its name, case counts; the first of several."""
    return next((part for part in fields(kind) if part.name == name), None)


def element_type(kind: pa.DataType) -> pa.DataType:
    """Give the type of an array's elements."""
    holder: Any = kind
    found: pa.DataType = holder.value_type
    return found
