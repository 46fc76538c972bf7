"""Schemas that refer to others in the registry, made whole: one text with all that it needs in it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urldefrag, urljoin

from headrace.formats.registry.kinds import SchemaKind
from headrace.formats.registry.protobuf import with_imports

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMED = ("record", "error", "enum", "fixed")


def whole(kind: SchemaKind, text: str, others: Mapping[str, str]) -> str:
    """Give a schema with those that it refers to in it.

    Args:
        kind: the language of all of them.
        text: of the schema.
        others: the texts of what it refers to, directly or not, by the names that it has for them.
    """
    if not others:
        return text
    if kind is SchemaKind.PROTOBUF:
        return with_imports(text, others.items())
    try:
        tree = json.loads(text)
        parts = {name: json.loads(other) for name, other in others.items()}
    except (ValueError, RecursionError):
        # What is wrong with it is said where it is used.
        return text
    made = _Types(parts).inlined(tree) if kind is SchemaKind.AVRO else _documents(tree, parts)
    return json.dumps(made, separators=(",", ":"), ensure_ascii=False)


class _Types:
    """Puts the definition of each Avro type where its name is used first."""

    def __init__(self, parts: Mapping[str, Any]) -> None:
        self._definitions: dict[str, tuple[dict[str, Any], str]] = {}
        self._defined: set[str] = set()
        for part in parts.values():
            self._collect(part, "")

    def inlined(self, tree: Any) -> Any:
        """Give a schema with the definitions of others in it."""
        return self._walk(tree, "")

    def _collect(self, tree: Any, namespace: str) -> None:
        if isinstance(tree, list):
            for branch in tree:
                self._collect(branch, namespace)
        if not isinstance(tree, dict):
            return
        if tree.get("type") in _NAMED:
            full, inside = _full(tree, namespace)
            self._definitions.setdefault(full, (tree, namespace))
            namespace = inside
        for inner in _inner(tree):
            self._collect(inner, namespace)

    def _walk(self, tree: Any, namespace: str) -> Any:
        if isinstance(tree, str):
            return self._name(tree, namespace)
        if isinstance(tree, list):
            return [self._walk(branch, namespace) for branch in tree]
        if not isinstance(tree, dict):
            return tree
        if tree.get("type") in _NAMED:
            full, namespace = _full(tree, namespace)
            if full in self._defined:
                return full
            self._defined.add(full)
            tree = {**tree, "name": full.rpartition(".")[2], "namespace": namespace}
        made = dict(tree)
        if made.get("type") not in _NAMED and "type" in made:
            made["type"] = self._walk(made["type"], namespace)
        for key in ("items", "values"):
            if key in made:
                made[key] = self._walk(made[key], namespace)
        if isinstance(made.get("fields"), list):
            made["fields"] = [
                {**field, "type": self._walk(field.get("type"), namespace)}
                if isinstance(field, dict)
                else field
                for field in made["fields"]
            ]
        return made

    def _name(self, name: str, namespace: str) -> Any:
        within = f"{namespace}.{name}" if namespace and "." not in name else name
        for full in (within, name):
            if full in self._defined:
                return full
            if full in self._definitions:
                definition, outside = self._definitions[full]
                return self._walk(definition, outside)
        return name


def _full(tree: dict[str, Any], namespace: str) -> tuple[str, str]:
    """Give the full name of a type, and the namespace of what is inside it."""
    name = str(tree.get("name", ""))
    if "." in name:
        return name, name.rpartition(".")[0]
    namespace = tree["namespace"] if isinstance(tree.get("namespace"), str) else namespace
    return (f"{namespace}.{name}" if namespace else name), namespace


def _inner(tree: dict[str, Any]) -> list[Any]:
    found = [tree[key] for key in ("type", "items", "values") if isinstance(tree.get(key), dict | list)]
    fields = tree.get("fields")
    if isinstance(fields, list):
        found += [field.get("type") for field in fields if isinstance(field, dict)]
    return found


def _documents(tree: Any, parts: Mapping[str, Any]) -> Any:
    """Put JSON Schemas under `definitions` of the one that refers to them."""
    if not isinstance(tree, dict):
        return tree
    root = _pointing(tree, "", str(tree.get("$id", "")), parts)
    definitions = root.get("definitions")
    held = dict(definitions) if isinstance(definitions, dict) else {}
    for name, part in parts.items():
        base = str(part.get("$id", name)) if isinstance(part, dict) else name
        held[name] = _pointing(part, f"/definitions/{_escaped(name)}", base, parts)
    return {**root, "definitions": held}


def _pointing(tree: Any, place: str, base: str, parts: Mapping[str, Any]) -> Any:
    """Let each reference point into the one document.

    Args:
        tree: a part of a document.
        place: where the document stands in the whole.
        base: its address, which relative references begin at.
        parts: the documents by their names.
    """
    if isinstance(tree, list):
        return [_pointing(item, place, base, parts) for item in tree]
    if not isinstance(tree, dict):
        return tree
    made = {key: _pointing(value, place, base, parts) for key, value in tree.items()}
    reference = tree.get("$ref")
    if isinstance(reference, str):
        document, pointer = urldefrag(reference)
        if not document:
            made["$ref"] = f"#{place}{pointer}"
        else:
            known = next((name for name in (document, urljoin(base, document)) if name in parts), None)
            if known is not None:
                made["$ref"] = f"#/definitions/{_escaped(known)}{pointer}"
    return made


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
