"""Avro schemas as Arrow types, and Arrow types as Avro schemas.

The catalog reads the types of topics with `avro_to_arrow`; the planner makes schemas of new topics with `arrow_to_avro`.
The native codec reads and writes exactly the pairs that these two functions give.

- Enums and UUIDs are text, `fixed` (and so `duration`) is bytes, timestamps have the time zone UTC, local timestamps none.
- `["null", T]`, in any order, is T that may be null.
- A union of several types is a struct with one field for each, named as the type (the full name if two named types share
  their short one); just one of the fields is set.
- Recursive schemas have no fixed set of columns and are refused.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, NoReturn

import pyarrow as pa

from headrace.errors import Diagnostic, ProgramError
from headrace.errors.codes.format import BAD_SCHEMA, UNSUPPORTED_TYPE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MAX_DEPTH: Final = 128
_MAX_NODES: Final = 100_000
_MAX_PRECISION: Final = 38
_UUID_SIZE: Final = 16

_PRIMITIVES: Final[Mapping[str, pa.DataType]] = {
    "null": pa.null(),
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "bytes": pa.binary(),
    "string": pa.string(),
}

_LOGICAL: Final[Mapping[tuple[str, str], pa.DataType]] = {
    ("int", "date"): pa.date32(),
    ("int", "time-millis"): pa.time32("ms"),
    ("long", "time-micros"): pa.time64("us"),
    ("long", "timestamp-millis"): pa.timestamp("ms", tz="UTC"),
    ("long", "timestamp-micros"): pa.timestamp("us", tz="UTC"),
    ("long", "timestamp-nanos"): pa.timestamp("ns", tz="UTC"),
    ("long", "local-timestamp-millis"): pa.timestamp("ms"),
    ("long", "local-timestamp-micros"): pa.timestamp("us"),
    ("long", "local-timestamp-nanos"): pa.timestamp("ns"),
}

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def avro_to_arrow(schema_text: str) -> pa.DataType:
    """Give the Arrow type of an Avro schema; fields say whether they may be null.

    Raises:
        ProgramError: the schema is malformed or recursive, or has a type that no column can hold.
    """
    try:
        schema = json.loads(schema_text)
    except (ValueError, RecursionError):
        _refuse("the schema is not JSON")
    return _Reader().read(schema, None, 0)[0]


def arrow_to_avro(type: pa.DataType, name: str, namespace: str | None = None) -> str:
    """Give an Avro schema for an Arrow type; fields that may be null become `["null", T]` with null as default.

    Args:
        type: a struct for a record, else a single value.
        name: of the record; characters that Avro does not allow become `_`. Nested records are named after their place.
        namespace: of all records.

    Raises:
        ProgramError: a field has a name that Avro does not allow, or a type that it does not have.
    """
    clean = _clean(name)
    spaces = [_clean(part) for part in namespace.split(".")] if namespace else []
    return json.dumps(_Writer(".".join(spaces) or None).write(type, clean, ()), separators=(",", ":"))


class _Reader:
    """Walks a schema; knows the named types met so far, None for those whose definition is still open."""

    def __init__(self) -> None:
        self._named: dict[str, tuple[pa.DataType, int] | None] = {}

    def read(self, schema: Any, namespace: str | None, depth: int) -> tuple[pa.DataType, int]:
        """Give the type and how many nodes it has."""
        if depth > _MAX_DEPTH:
            _refuse("the schema is nested too deep")
        match schema:
            case str():
                return self._reference(schema, namespace)
            case list():
                return self._union(schema, namespace, depth)
            case {"type": "record" | "error" | "enum" | "fixed"}:
                return self._definition(schema, namespace, depth)
            case {"type": "array", "items": items}:
                item, nodes = self._field("item", items, namespace, depth)
                return pa.list_(item), nodes
            case {"type": "map", "values": values}:
                value, nodes = self._field("value", values, namespace, depth)
                key = pa.field("key", pa.string(), nullable=False)
                return pa.map_(key, value), nodes  # type: ignore[call-overload]  # the stubs lack fields
            case {"type": str(kind)}:
                plain, nodes = self._reference(kind, namespace)
                return _logical(kind, schema) or plain, nodes
            case {"type": inner}:
                return self.read(inner, namespace, depth + 1)
        _refuse("the schema holds something that is no type")

    def _reference(self, name: str, namespace: str | None) -> tuple[pa.DataType, int]:
        if name in _PRIMITIVES:
            return _PRIMITIVES[name], 1
        full = _full(name, namespace)
        key = full if full in self._named else name
        if key not in self._named:
            _refuse(f"the schema has no type `{full}`")
        known = self._named[key]
        if known is None:
            _refuse(
                f"the schema is recursive: `{full}` contains itself",
                help="give the topic a schema without recursion",
            )
        return known

    def _definition(
        self, schema: Mapping[str, Any], namespace: str | None, depth: int
    ) -> tuple[pa.DataType, int]:
        name = schema.get("name")
        if not isinstance(name, str):
            _refuse(f"the schema has a type {schema['type']} without a name")
        if "." in name:
            namespace = name.rpartition(".")[0]
        elif isinstance(schema.get("namespace"), str):
            namespace = schema["namespace"]
        full = _full(name, namespace)
        if full in self._named:
            _refuse(f"the schema defines `{full}` twice")
        self._named[full] = None
        match schema["type"]:
            case "enum":
                known: tuple[pa.DataType, int] = pa.string(), 1
            case "fixed":
                uuid = schema.get("logicalType") == "uuid" and schema.get("size") == _UUID_SIZE
                known = pa.string() if uuid else (_logical("fixed", schema) or pa.binary()), 1
            case _:
                known = self._record(schema.get("fields"), namespace, depth)
        self._named[full] = known
        return known

    def _record(self, fields: Any, namespace: str | None, depth: int) -> tuple[pa.DataType, int]:
        if not isinstance(fields, list):
            _refuse("the schema has a record without fields")
        made: dict[str, pa.Field[Any]] = {}
        nodes = 1
        for field in fields:
            match field:
                case {"name": str(name), "type": type}:
                    if name in made:
                        _refuse(f"the schema has the field `{name}` twice in one record")
                    made[name], size = self._field(name, type, namespace, depth)
                    nodes = _count(nodes + size)
                case _:
                    _refuse("the schema has a field without a name or a type")
        return pa.struct(list(made.values())), nodes

    def _field(self, name: str, schema: Any, namespace: str | None, depth: int) -> tuple[pa.Field[Any], int]:
        wrapped = schema.get("type") if isinstance(schema, dict) else None
        union = schema if isinstance(schema, list) else wrapped if isinstance(wrapped, list) else [schema]
        nullable = any(_is_null(branch) for branch in union)
        type, nodes = self.read(schema, namespace, depth + 1)
        return pa.field(name, type, nullable=nullable), _count(nodes + 1)

    def _union(self, branches: Sequence[Any], namespace: str | None, depth: int) -> tuple[pa.DataType, int]:
        if not branches:
            _refuse("the schema has a union without branches")
        if any(isinstance(branch, list) for branch in branches):
            _refuse("the schema has a union directly in a union")
        types = [
            (branch, self.read(branch, namespace, depth + 1)) for branch in branches if not _is_null(branch)
        ]
        if not types:
            return pa.null(), 1
        if len(types) == 1:
            return types[0][1]
        names = [_branch_name(branch, namespace) for branch, _ in types]
        short = [name.rpartition(".")[2] for name in names]
        fields = [
            pa.field(full if short.count(brief) > 1 else brief, type)
            for full, brief, (_, (type, _)) in zip(names, short, types, strict=True)
        ]
        return pa.struct(fields), _count(1 + sum(nodes for _, (_, nodes) in types))


class _Writer:
    """Writes types as schema; record names are used once."""

    def __init__(self, namespace: str | None) -> None:
        self._namespace = namespace
        self._names: set[str] = set()

    def write(self, type: pa.DataType, name: str, path: tuple[str, ...]) -> Any:
        types = pa.types
        if types.is_struct(type):
            return self._record(type, name, path)
        if types.is_map(type):
            if not types.is_string(type.key_type):
                _cannot(path, "Avro has only maps with text as keys")
            return {"type": "map", "values": self._nullable(type.item_field, f"{name}_value", path)}
        if types.is_list(type):
            return {"type": "array", "items": self._nullable(type.value_field, f"{name}_item", path)}
        if types.is_decimal128(type):
            if type.scale < 0:
                _cannot(path, f"Avro has no decimal with {type.scale} places")
            return {
                "type": "bytes",
                "logicalType": "decimal",
                "precision": type.precision,
                "scale": type.scale,
            }
        if types.is_timestamp(type):
            unit = "nanos" if type.unit == "ns" else "micros" if type.unit == "us" else "millis"
            local = "" if type.tz else "local-"
            return {"type": "long", "logicalType": f"{local}timestamp-{unit}"}
        for (kind, logical), known in _LOGICAL.items():
            if type == known:
                return {"type": kind, "logicalType": logical}
        for kind, known in _PRIMITIVES.items():
            if type == known:
                return kind
        if type in (pa.int8(), pa.int16(), pa.uint8(), pa.uint16()):
            return "int"
        if type == pa.uint32():
            return "long"
        _cannot(path, f"Avro has no type {type}")

    def _nullable(self, field: pa.Field[Any], name: str, path: tuple[str, ...]) -> Any:
        written = self.write(field.type, name, path)
        return ["null", written] if field.nullable and written != "null" else written

    def _record(self, type: pa.StructType, name: str, path: tuple[str, ...]) -> Any:
        unique = name
        number = 2
        while unique in self._names:
            unique = f"{name}_{number}"
            number += 1
        self._names.add(unique)
        fields = []
        for field in type:
            if _NAME.fullmatch(field.name) is None:
                message = f"Avro does not allow the field name `{field.name}`"
                help = "give it a name of letters, digits and `_` with `AS`"
                raise ProgramError((Diagnostic(UNSUPPORTED_TYPE, message, help=help),))
            written: dict[str, Any] = {
                "name": field.name,
                "type": self._nullable(field, f"{unique}_{field.name}", (*path, field.name)),
            }
            if field.nullable:
                written["default"] = None
            fields.append(written)
        record: dict[str, Any] = {"type": "record", "name": unique, "fields": fields}
        if self._namespace and not path:
            record["namespace"] = self._namespace
        return record


def _logical(kind: str, schema: Mapping[str, Any]) -> pa.DataType | None:
    """Give the type of a logical type; None if there is none that fits, which then does not count."""
    name = schema.get("logicalType")
    if name == "decimal" and kind in ("bytes", "fixed"):
        precision, scale = schema.get("precision"), schema.get("scale", 0)
        if not isinstance(precision, int) or not isinstance(scale, int):
            return None
        if precision < 1 or not 0 <= scale <= precision:
            return None
        if precision > _MAX_PRECISION:
            _refuse(f"a decimal of {precision} digits; at most {_MAX_PRECISION} are supported")
        return pa.decimal128(precision, scale)
    return _LOGICAL.get((kind, name)) if isinstance(name, str) else None


def _is_null(schema: Any) -> bool:
    return schema == "null" or (isinstance(schema, dict) and schema.get("type") == "null")


def _branch_name(branch: Any, namespace: str | None) -> str:
    match branch:
        case str():
            return branch if branch in _PRIMITIVES else _full(branch, namespace)
        case {"type": "record" | "error" | "enum" | "fixed", "name": name}:
            return _full(name, branch.get("namespace", namespace))
        case {"type": inner}:
            return _branch_name(inner, namespace)
    _refuse("the schema holds something that is no type")


def _full(name: str, namespace: str | None) -> str:
    return f"{namespace}.{name}" if namespace and "." not in name else name


def _clean(name: str) -> str:
    clean = re.sub(r"[^A-Za-z0-9_]", "_", name)
    return clean if _NAME.fullmatch(clean) else f"_{clean}"


def _count(nodes: int) -> int:
    if nodes > _MAX_NODES:
        _refuse("the schema is too large")
    return nodes


def _refuse(message: str, help: str | None = None) -> NoReturn:
    raise ProgramError((Diagnostic(BAD_SCHEMA, message, help=help),)) from None


def _cannot(path: tuple[str, ...], message: str) -> NoReturn:
    where = f"field `{'.'.join(path)}`: " if path else ""
    raise ProgramError((Diagnostic(UNSUPPORTED_TYPE, where + message),))
