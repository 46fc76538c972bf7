"""Write functions of SQL in Python: `from headrace.udf import scalar, table, aggregate`.

A file of such functions is named by `SET functions.file='functions.py'`, by `--functions` or by `HEADRACE_FUNCTIONS`; a package
offers its own by entry points of the group `headrace.functions`. See the guide on user functions.

Plain annotations say the types: `bool`, `int` (LONG), `float` (DOUBLE), `str`, `bytes`, `Decimal` (38 digits, 18 of them decimal
places), `date`, `datetime` (TIMESTAMP, in UTC), `time`, `list[T]`, `dict[K, V]`, and dataclasses, NamedTuples and TypedDicts as
records; `| None` where null is taken or given. The names below say other types of SQL; `Annotated[T, arrow_type]` says
any.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import pyarrow as pa

from headrace.functions.user import DeclarationError, UserFunctionError, aggregate, scalar, table

if TYPE_CHECKING:
    Array: TypeAlias = pa.Array[Any]
else:
    Array = pa.Array
"""Arguments and results of functions that take many values at once: `Annotated[Array, pa.float64()]`."""

Int32: TypeAlias = Annotated[int, pa.int32()]
"""INT."""

Float32: TypeAlias = Annotated[float, pa.float32()]
"""FLOAT."""

__all__ = [
    "Array",
    "DeclarationError",
    "Float32",
    "Int32",
    "UserFunctionError",
    "aggregate",
    "scalar",
    "table",
]
