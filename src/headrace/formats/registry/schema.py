"""Avro schemas as trees with their names resolved."""

from __future__ import annotations

import json
from typing import Any, Final, TypeAlias

Schema: TypeAlias = "dict[str, Any] | list[Any]"
"""A type, always an object with `type`, or a list for a union; names of types are full names."""

PRIMITIVES: Final = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
_NAMED: Final = frozenset({"record", "error", "enum", "fixed"})


class SchemaSyntaxError(ValueError):
    """The text is no Avro schema; the message says where, in lower case."""


class ParsedSchema:
    """A schema and the named types in it."""

    def __init__(self, text: str) -> None:
        """Parse the JSON text of a schema, or raise SchemaSyntaxError."""
        try:
            tree = json.loads(text)
        except (ValueError, RecursionError) as error:
            message = "the schema is no JSON text"
            raise SchemaSyntaxError(message) from error
        self.names: dict[str, Schema] = {}
        self.root = self._resolve(tree, "", "the schema")

    def follow(self, schema: Schema) -> Schema:
        """Give the definition where `schema` is the name of one."""
        if isinstance(schema, dict) and schema["type"] in self.names:
            return self.names[schema["type"]]
        return schema

    def _resolve(self, tree: object, namespace: str, place: str) -> Schema:
        if isinstance(tree, str):
            return self._by_name(tree, namespace, place)
        if isinstance(tree, list):
            return [self._resolve(branch, namespace, place) for branch in tree]
        if not isinstance(tree, dict) or "type" not in tree:
            message = f"{place} has no `type`"
            raise SchemaSyntaxError(message)
        kind = tree["type"]
        if kind in _NAMED if isinstance(kind, str) else False:
            return self._named(tree, namespace, place)
        if kind == "array":
            return {**tree, "items": self._resolve(tree.get("items"), namespace, f"items of {place}")}
        if kind == "map":
            return {**tree, "values": self._resolve(tree.get("values"), namespace, f"values of {place}")}
        inner = self._resolve(kind, namespace, place)
        # {"type": {"type": "long", …}} is long; {"type": "long", "logicalType": …} keeps its attributes.
        return {**tree, "type": inner["type"]} if isinstance(kind, str) and isinstance(inner, dict) else inner

    def _by_name(self, name: str, namespace: str, place: str) -> Schema:
        if name in PRIMITIVES:
            return {"type": name}
        full = name if "." in name or not namespace else f"{namespace}.{name}"
        if full not in self.names and name in self.names:
            full = name
        if full not in self.names:
            message = f"{place} has the unknown type `{name}`"
            raise SchemaSyntaxError(message)
        return {"type": full}

    def _named(self, tree: dict[str, Any], namespace: str, place: str) -> Schema:
        name = tree.get("name")
        if not isinstance(name, str) or not name:
            message = f"{place} is a {tree['type']} without a name"
            raise SchemaSyntaxError(message)
        space = tree.get("namespace", namespace) or ""
        if "." in name:
            space, _, name = name.rpartition(".")
        full = f"{space}.{name}" if space else name
        if full in self.names:
            message = f"`{full}` is defined twice"
            raise SchemaSyntaxError(message)
        schema: dict[str, Any] = {**tree, "name": full}
        self.names[full] = schema
        if tree["type"] in {"record", "error"}:
            schema["fields"] = [self._field(field, space, full) for field in _list(tree, "fields", full)]
        elif tree["type"] == "enum":
            _list(tree, "symbols", full)
        elif not isinstance(tree.get("size"), int):
            message = f"fixed `{full}` has no size"
            raise SchemaSyntaxError(message)
        return schema

    def _field(self, field: object, namespace: str, record: str) -> dict[str, Any]:
        if not isinstance(field, dict) or not isinstance(field.get("name"), str) or "type" not in field:
            message = f"a field of `{record}` has no name or no type"
            raise SchemaSyntaxError(message)
        place = f"field `{field['name']}` of `{record}`"
        return {**field, "type": self._resolve(field["type"], namespace, place)}


def _list(tree: dict[str, Any], key: str, name: str) -> list[Any]:
    found = tree.get(key)
    if not isinstance(found, list):
        message = f"`{name}` has no {key}"
        raise SchemaSyntaxError(message)
    return found


def canonical(text: str) -> str:
    """Give the text without insignificant white space: schemas that differ in nothing else have one id."""
    ParsedSchema(text)
    return json.dumps(json.loads(text), separators=(",", ":"), ensure_ascii=False)
