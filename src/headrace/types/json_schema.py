"""JSON Schemas as Arrow types, and Arrow types as JSON Schemas.

The subset is what records need: objects with properties, arrays, maps (`additionalProperties`), alternatives with null,
references inside the schema. A place whose values have no one type is text that holds their JSON, as the JSON decoder gives
it. Types of numbers and times that JSON lacks stand in `connect.type` and `title`, as Confluent's converters for Kafka Connect
write them. Decimals have a word of their own: what Connect titles a decimal may be Base64 text, and ours are numbers.

Source: JSON Schema draft 7, https://json-schema.org/draft-07/json-schema-validation.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, NoReturn

import pyarrow as pa

from headrace.errors import Diagnostic, ProgramError
from headrace.errors.codes.format import BAD_SCHEMA, UNSUPPORTED_TYPE
from headrace.types.shape import fields

if TYPE_CHECKING:
    from collections.abc import Mapping

DRAFT: Final = "http://json-schema.org/draft-07/schema#"
_MAX_DEPTH: Final = 64
_CONNECT: Final = "connect.type"
_CONNECT_TYPES: Final[Mapping[str, pa.DataType]] = {
    "int8": pa.int32(),
    "int16": pa.int32(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float32": pa.float32(),
    "float64": pa.float64(),
    "bytes": pa.binary(),
}
_TITLES: Final[Mapping[str, pa.DataType]] = {
    "org.apache.kafka.connect.data.Date": pa.date32(),
    "org.apache.kafka.connect.data.Time": pa.time32("ms"),
    "org.apache.kafka.connect.data.Timestamp": pa.timestamp("ms", tz="UTC"),
}
_PLAIN: Final[Mapping[str, pa.DataType]] = {
    "boolean": pa.bool_(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "string": pa.string(),
    "null": pa.null(),
}
_OWN: Final = "headrace.type"
"""Says the type of a decimal, `decimal(12,2)`; whoever does not know the word reads a number."""
_DECIMAL: Final = re.compile(r"decimal\(([0-9]{1,2}),([0-9]{1,2})\)")
_MAX_PRECISION: Final = 38
_RAW: Final = pa.string()
"""What has no one type is kept as the text of its JSON."""


def json_schema_to_arrow(schema_text: str) -> pa.DataType:
    """Give the Arrow type of a JSON Schema; fields say whether they may be null or absent.

    Raises:
        ProgramError: the text is no JSON Schema, or a recursive one, which has no fixed set of columns.
    """
    try:
        tree = json.loads(schema_text)
    except (ValueError, RecursionError):
        tree = None
    if not isinstance(tree, dict | bool):
        _bad("the schema is no JSON object")
    kind, _ = _Reader(tree).type_of(tree, ())
    return kind


def arrow_to_json_schema(kind: pa.DataType, name: str) -> str:
    """Give the JSON Schema under which values of a type are written.

    Objects are closed, so that a later version may have further fields under the usual rules of compatibility.

    Raises:
        ProgramError: the type has no form in JSON.
    """
    tree = {"$schema": DRAFT, "title": name, **_schema_of(kind)}
    return json.dumps(tree, separators=(",", ":"), ensure_ascii=False)


class _Reader:
    """Walks a schema."""

    def __init__(self, root: object) -> None:
        self._root = root

    def type_of(self, tree: object, open: tuple[str, ...]) -> tuple[pa.DataType, bool]:
        """Give the type at a place, and whether null may stand there.

        Args:
            tree: the schema of the place.
            open: the references that were followed to get here.
        """
        if not isinstance(tree, dict):
            return _RAW, True
        if len(open) > _MAX_DEPTH:
            _bad("the schema is nested too deep")
        if "$ref" in tree:
            place = str(tree["$ref"])
            if place in open:
                _unsupported(
                    f"the schema refers to itself at `{place}`: a recursive type has no fixed columns"
                )
            return self.type_of(self._follow(place), (*open, place))
        for word in ("oneOf", "anyOf"):
            if isinstance(tree.get(word), list):
                return self._alternatives(tree[word], open)
        if isinstance(tree.get("allOf"), list) and len(tree["allOf"]) == 1:
            return self.type_of(tree["allOf"][0], open)
        names = tree.get("type")
        if isinstance(names, list):
            return self._alternatives([{**tree, "type": item} for item in names], open)
        return self._single(tree, names, open)

    def _single(self, tree: dict[str, Any], name: object, open: tuple[str, ...]) -> tuple[pa.DataType, bool]:
        if name is None and "properties" in tree:
            name = "object"
        if name is None and isinstance(tree.get("enum"), list):
            found = {_PLAIN.get(_name_of(value), _RAW) for value in tree["enum"]} - {pa.null()}
            return (found.pop() if len(found) == 1 else _RAW), None in tree["enum"]
        if name == "object":
            return self._object(tree, open), False
        if name == "array":
            item, _ = self.type_of(tree.get("items", True), open)
            return pa.list_(item), False
        decimal = _decimal(tree.get(_OWN)) if name in ("number", "integer") else None
        if decimal is not None:
            return decimal, False
        for key, types in ((_CONNECT, _CONNECT_TYPES), ("title", _TITLES)):
            if tree.get(key) in types:
                return types[tree[key]], False
        if isinstance(name, str) and name in _PLAIN:
            return _PLAIN[name], name == "null"
        return _RAW, True

    def _object(self, tree: dict[str, Any], open: tuple[str, ...]) -> pa.DataType:
        properties = tree.get("properties")
        if isinstance(properties, dict) and properties:
            required = tree.get("required")
            needed = set(required) if isinstance(required, list) else set()
            found = []
            for name, inner in properties.items():
                kind, nullable = self.type_of(inner, open)
                found.append(pa.field(name, kind, nullable or name not in needed))
            return pa.struct(found)
        if isinstance(tree.get("additionalProperties"), dict):
            kind, _ = self.type_of(tree["additionalProperties"], open)
            return pa.map_(pa.string(), kind)
        return _RAW

    def _alternatives(self, trees: list[Any], open: tuple[str, ...]) -> tuple[pa.DataType, bool]:
        found = [self.type_of(tree, open) for tree in trees]
        others = [kind for kind, _ in found if not pa.types.is_null(kind)]
        nullable = any(may for _, may in found)
        if not others:
            return pa.null(), True
        if all(kind == others[0] for kind in others):
            return others[0], nullable
        if all(kind in (pa.int32(), pa.int64(), pa.float32(), pa.float64()) for kind in others):
            return pa.float64(), nullable
        return _RAW, nullable

    def _follow(self, place: str) -> object:
        if not place.startswith("#"):
            _unsupported(f"the schema refers to `{place}`, outside of itself")
        found: object = self._root
        for part in place.removeprefix("#").strip("/").split("/"):
            if not part:
                continue
            name = part.replace("~1", "/").replace("~0", "~")
            if not isinstance(found, dict) or name not in found:
                _bad(f"the schema has nothing at `{place}`")
            found = found[name]
        return found


def _decimal(text: object) -> pa.DataType | None:
    """Give the type that our own word says; what it cannot mean is as if it was not there."""
    match = _DECIMAL.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    precision, scale = int(match[1]), int(match[2])
    if not 1 <= precision <= _MAX_PRECISION or scale > precision:
        return None
    return pa.decimal128(precision, scale)


def _name_of(value: object) -> str:
    if value is None:
        return "null"
    names = {bool: "boolean", int: "integer", float: "number", str: "string"}
    return names.get(type(value), "")


def _schema_of(kind: pa.DataType) -> dict[str, Any]:
    if pa.types.is_struct(kind):
        properties = {}
        required = []
        for field in fields(kind):
            inner = _schema_of(field.type)
            if field.nullable:
                properties[field.name] = {"oneOf": [{"type": "null"}, inner]}
            else:
                properties[field.name] = inner
                required.append(field.name)
        tree: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
        return {**tree, "required": required} if required else tree
    if isinstance(kind, pa.ListType):
        return {"type": "array", "items": _schema_of(kind.value_type)}
    if isinstance(kind, pa.MapType):
        return {"type": "object", "additionalProperties": _schema_of(kind.item_type)}
    for title, titled in _TITLES.items():
        if titled == kind:
            # Dates and times are written as text, timestamps as milliseconds: what the JSON encoder does.
            return {"type": "integer" if pa.types.is_timestamp(kind) else "string", "title": title}
    if pa.types.is_timestamp(kind):
        return {"type": "integer", "title": "org.apache.kafka.connect.data.Timestamp"}
    if isinstance(kind, pa.Decimal128Type):
        return {"type": "number", _OWN: f"decimal({kind.precision},{kind.scale})"}
    for name, connected in _CONNECT_TYPES.items():
        if connected == kind and name not in ("int8", "int16"):
            word = "integer" if name.startswith("int") else "string" if name == "bytes" else "number"
            return {"type": word, _CONNECT: name}
    for name, plain in _PLAIN.items():
        if plain == kind:
            return {"type": name}
    _unsupported(f"{kind} has no form in a JSON Schema")


def _bad(message: str) -> NoReturn:
    raise ProgramError((Diagnostic(BAD_SCHEMA, message),))


def _unsupported(message: str) -> NoReturn:
    raise ProgramError((Diagnostic(UNSUPPORTED_TYPE, message),))
