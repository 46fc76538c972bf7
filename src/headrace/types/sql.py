"""SQL type names and Arrow types: what a user writes, what messages say, what DuckDB is told.

`timestamp` is an instant (UTC), as in Kafka; `timestamp without time zone` is a wall-clock time without a zone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
from sqlglot import exp
from sqlglot.errors import SqlglotError

from headrace.types.shape import element_type, fields

if TYPE_CHECKING:
    from collections.abc import Callable

_Type = exp.DataType.Type

INSTANT: Final = pa.timestamp("ms", tz="UTC")
"""The type of a `timestamp` column."""

_SCALARS: Final[dict[Any, pa.DataType]] = {
    _Type.BOOLEAN: pa.bool_(),
    _Type.TINYINT: pa.int32(),
    _Type.SMALLINT: pa.int32(),
    _Type.INT: pa.int32(),
    _Type.BIGINT: pa.int64(),
    _Type.FLOAT: pa.float32(),
    _Type.DOUBLE: pa.float64(),
    _Type.TEXT: pa.string(),
    _Type.VARCHAR: pa.string(),
    _Type.CHAR: pa.string(),
    _Type.BINARY: pa.binary(),
    _Type.VARBINARY: pa.binary(),
    _Type.BLOB: pa.binary(),
    _Type.DATE: pa.date32(),
    _Type.TIME: pa.time64("us"),
    _Type.TIMESTAMP: INSTANT,
    _Type.TIMESTAMPTZ: INSTANT,
    _Type.TIMESTAMPNTZ: INSTANT,
    _Type.TIMESTAMP_MS: INSTANT,
    _Type.DATETIME: pa.timestamp("us"),
}

_NAMED: Final[dict[str, pa.DataType]] = {"bytes": pa.binary(), "long": pa.int64(), "string": pa.string()}

DEFAULT_DECIMAL: Final = (38, 18)
"""Precision and scale of `decimal` without arguments."""


def parse_type(text: str) -> pa.DataType:
    """Give the Arrow type of a SQL type name.

    Raises:
        ValueError: no such type.
    """
    known = _NAMED.get(text.strip().lower())
    if known is not None:
        return known
    try:
        node = exp.DataType.build(text)
    except SqlglotError:
        node = None
    if node is None:
        message = f"`{text}` is not a type"
        raise ValueError(message)
    return arrow_type(node)


def arrow_type(node: exp.DataType) -> pa.DataType:
    """Give the Arrow type of a type in the syntax tree.

    Raises:
        ValueError: Headrace has no such type.
    """
    kind = node.this
    scalar = _SCALARS.get(kind)
    if scalar is not None:
        return scalar
    arguments = node.expressions
    if kind in (_Type.DECIMAL, _Type.BIGDECIMAL):
        sizes = [int(item.name) for item in arguments] or list(DEFAULT_DECIMAL)
        return pa.decimal128(sizes[0], sizes[1] if len(sizes) > 1 else 0)
    if kind in (_Type.ARRAY, _Type.LIST):
        return pa.list_(arrow_type(arguments[0]))
    if kind is _Type.MAP:
        return pa.map_(arrow_type(arguments[0]), arrow_type(arguments[1]))
    if kind in (_Type.STRUCT, _Type.OBJECT):
        return pa.struct([(item.name, arrow_type(item.args["kind"])) for item in arguments])
    if kind is _Type.USERDEFINED:
        named = _NAMED.get(str(node.args.get("kind") or "").lower())
        if named is not None:
            return named
    message = f"`{node.sql()}` is not a type"
    raise ValueError(message)


def type_name(kind: pa.DataType) -> str:
    """Give the name of a type as messages say it: `long`, `decimal(10,2)`, `string[]`, `record(a int)`."""
    if pa.types.is_struct(kind):
        return f"record({_fields(kind, type_name)})"
    if _is_list(kind):
        return f"{type_name(element_type(kind))}[]"
    if pa.types.is_map(kind):
        return f"map({type_name(kind.key_type)}, {type_name(kind.item_type)})"
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    for test, name in _NAMES:
        if test(kind):
            return name
    return str(kind)


def duckdb_type(kind: pa.DataType) -> str:
    """Give the DuckDB type that an Arrow array of this type arrives as."""
    if pa.types.is_struct(kind):
        return f"STRUCT({_fields(kind, duckdb_type)})"
    if _is_list(kind):
        return f"{duckdb_type(element_type(kind))}[]"
    if pa.types.is_map(kind):
        return f"MAP({duckdb_type(kind.key_type)}, {duckdb_type(kind.item_type)})"
    if pa.types.is_decimal(kind):
        return f"DECIMAL({kind.precision}, {kind.scale})"
    if pa.types.is_timestamp(kind):
        if kind.tz is not None:
            return "TIMESTAMPTZ"
        return {"s": "TIMESTAMP_S", "ms": "TIMESTAMP_MS", "us": "TIMESTAMP", "ns": "TIMESTAMP_NS"}[kind.unit]
    for test, name in _DUCKDB:
        if test(kind):
            return name
    message = f"DuckDB has no type for {kind}"
    raise ValueError(message)


def is_integer(kind: pa.DataType) -> bool:
    """Say whether a type holds whole numbers."""
    return bool(pa.types.is_integer(kind))


def is_number(kind: pa.DataType) -> bool:
    """Say whether a type holds numbers."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def is_text(kind: pa.DataType) -> bool:
    """Say whether a type holds text."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _fields(kind: pa.DataType, name: Callable[[pa.DataType], str]) -> str:
    return ", ".join(
        f"{quote(part.name) if name is duckdb_type else part.name} {name(part.type)}" for part in fields(kind)
    )


def quote(name: str) -> str:
    """Give a name as a DuckDB identifier."""
    return '"' + name.replace('"', '""') + '"'


_NAMES: Final = (
    (pa.types.is_null, "null"),
    (pa.types.is_boolean, "boolean"),
    (pa.types.is_int8, "tinyint"),
    (pa.types.is_int16, "smallint"),
    (pa.types.is_int32, "int"),
    (pa.types.is_int64, "long"),
    (pa.types.is_float32, "float"),
    (pa.types.is_float64, "double"),
    (is_text, "string"),
    (pa.types.is_binary, "bytes"),
    (pa.types.is_large_binary, "bytes"),
    (pa.types.is_fixed_size_binary, "bytes"),
    (pa.types.is_date, "date"),
    (pa.types.is_time, "time"),
    (lambda kind: pa.types.is_timestamp(kind) and kind.tz is not None, "timestamp"),
    (pa.types.is_timestamp, "timestamp without time zone"),
    (pa.types.is_duration, "interval"),
    (pa.types.is_dictionary, "string"),
)

_DUCKDB: Final = (
    (pa.types.is_null, '"NULL"'),
    (pa.types.is_boolean, "BOOLEAN"),
    (pa.types.is_int8, "TINYINT"),
    (pa.types.is_int16, "SMALLINT"),
    (pa.types.is_int32, "INTEGER"),
    (pa.types.is_int64, "BIGINT"),
    (pa.types.is_uint8, "UTINYINT"),
    (pa.types.is_uint16, "USMALLINT"),
    (pa.types.is_uint32, "UINTEGER"),
    (pa.types.is_uint64, "UBIGINT"),
    (pa.types.is_float32, "FLOAT"),
    (pa.types.is_float64, "DOUBLE"),
    (is_text, "VARCHAR"),
    (pa.types.is_dictionary, "VARCHAR"),
    (pa.types.is_binary, "BLOB"),
    (pa.types.is_large_binary, "BLOB"),
    (pa.types.is_fixed_size_binary, "BLOB"),
    (pa.types.is_date, "DATE"),
    (pa.types.is_time, "TIME"),
    (pa.types.is_duration, "INTERVAL"),
)
