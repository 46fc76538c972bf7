"""Arrow types as JSON: text for what has no parts, an object for what has."""

from __future__ import annotations

import re
from typing import Any, Final

import pyarrow as pa

from headrace.types.shape import Field, fields

_KINDS: Final[tuple[pa.DataType, ...]] = (
    pa.null(),
    pa.bool_(),
    pa.int8(),
    pa.int16(),
    pa.int32(),
    pa.int64(),
    pa.uint8(),
    pa.uint16(),
    pa.uint32(),
    pa.uint64(),
    pa.float32(),
    pa.float64(),
    pa.string(),
    pa.binary(),
    pa.date32(),
    pa.timestamp("s"),
    pa.timestamp("ms"),
    pa.timestamp("us"),
    pa.timestamp("ns"),
    pa.timestamp("s", tz="UTC"),
    pa.timestamp("ms", tz="UTC"),
    pa.timestamp("us", tz="UTC"),
    pa.timestamp("ns", tz="UTC"),
    pa.time32("s"),
    pa.time32("ms"),
    pa.time64("us"),
    pa.time64("ns"),
    pa.duration("us"),
)
_PLAIN: Final = {str(kind): kind for kind in _KINDS}
_SIZED: Final = re.compile(r"(decimal128|fixed_size_binary)[(\[](\d+)(?:, (\d+))?[)\]]")


def type_to_json(kind: pa.DataType) -> Any:
    """Give the JSON form of a type.

    Raises:
        ValueError: plans hold no such type.
    """
    if pa.types.is_struct(kind):
        return {"struct": [_field(part) for part in fields(kind)]}
    if pa.types.is_list(kind):
        return {"list": _field(kind.value_field)}
    if pa.types.is_map(kind):
        return {"map": [_field(kind.key_field), _field(kind.item_field)]}
    shown = str(kind)
    if shown in _PLAIN or _SIZED.fullmatch(shown):
        return shown
    message = f"a plan holds no type {shown}"
    raise ValueError(message)


def type_from_json(data: Any) -> pa.DataType:
    """Give the type of a JSON form. Raises ValueError for anything else."""
    if isinstance(data, str):
        return _plain(data)
    if isinstance(data, dict) and len(data) == 1:
        ((form, parts),) = data.items()
        if form == "struct":
            return pa.struct([_field_back(part) for part in parts])
        if form == "list":
            return pa.list_(_field_back(parts))
        if form == "map":
            key, item = (_field_back(part) for part in parts)
            found: pa.DataType = pa.map_(key, item)  # type: ignore[call-overload]
            return found
    message = "no type of a plan"
    raise ValueError(message)


def _plain(shown: str) -> pa.DataType:
    known = _PLAIN.get(shown)
    if known is not None:
        return known
    sized = _SIZED.fullmatch(shown)
    if sized is None:
        message = f"a plan holds no type {shown}"
        raise ValueError(message)
    if sized[1] == "decimal128":
        return pa.decimal128(int(sized[2]), int(sized[3]))
    return pa.binary(int(sized[2]))


def _field(part: Field) -> dict[str, Any]:
    found: dict[str, Any] = {"name": part.name, "type": type_to_json(part.type)}
    if not part.nullable:
        found["nullable"] = False
    return found


def _field_back(data: Any) -> Field:
    return pa.field(data["name"], type_from_json(data["type"]), data.get("nullable", True))
