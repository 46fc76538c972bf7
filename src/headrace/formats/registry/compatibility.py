"""Whether data written with one Avro schema can be read with another, by the resolution rules of the specification."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from headrace.formats.registry.schema import ParsedSchema, Schema

if TYPE_CHECKING:
    from collections.abc import Sequence

_PROMOTIONS: Final = {
    "int": {"long", "float", "double"},
    "long": {"float", "double"},
    "float": {"double"},
    "string": {"bytes"},
    "bytes": {"string"},
}
"""What a writer's type may be read as."""


class Compatibility(StrEnum):
    """Which versions of a subject must be able to read which."""

    NONE = "NONE"
    BACKWARD = "BACKWARD"
    BACKWARD_TRANSITIVE = "BACKWARD_TRANSITIVE"
    FORWARD = "FORWARD"
    FORWARD_TRANSITIVE = "FORWARD_TRANSITIVE"
    FULL = "FULL"
    FULL_TRANSITIVE = "FULL_TRANSITIVE"


def obstacles(level: Compatibility, schema: str, versions: Sequence[str]) -> list[str]:
    """Give the reasons why `schema` cannot follow `versions` (oldest first); empty if it can.

    Raises:
        SchemaSyntaxError: one of them is no Avro schema.
    """
    new = ParsedSchema(schema)
    if level is Compatibility.NONE:
        return []
    kind, _, transitive = level.partition("_")
    reasons: list[str] = []
    for text in reversed(versions) if transitive else versions[-1:]:
        old = ParsedSchema(text)
        if kind in {"BACKWARD", "FULL"}:
            reasons += _Reading(new, old, "the new schema", "the registered one").reasons()
        if kind in {"FORWARD", "FULL"}:
            reasons += _Reading(old, new, "the registered schema", "the new one").reasons()
    return list(dict.fromkeys(reasons))


class _Reading:
    """Looks for what stands in the way of a reader's schema with a writer's data."""

    def __init__(
        self, reader: ParsedSchema, writer: ParsedSchema, reader_name: str, writer_name: str
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._names = f"{reader_name} cannot read {writer_name}"
        self._seen: set[tuple[str, str]] = set()

    def reasons(self) -> list[str]:
        return [
            f"{self._names}: {reason}" for reason in self._compare(self._reader.root, self._writer.root, "")
        ]

    def _compare(self, reader: Schema, writer: Schema, path: str) -> list[str]:
        reader, writer = self._reader.follow(reader), self._writer.follow(writer)
        if isinstance(writer, list):
            return [reason for branch in writer for reason in self._compare(reader, branch, path)]
        if isinstance(reader, list):
            if any(not self._attempt(branch, writer, path) for branch in reader):
                return []
            return [f"{_at(path)} no branch of the union reads {_name(writer)}"]
        kind, written = str(reader["type"]), str(writer["type"])
        if kind != written:
            if kind in _PROMOTIONS.get(written, ()):
                return []
            return [f"{_at(path)} {_name(writer)} cannot be read as {_name(reader)}"]
        return self._same_kind(kind, reader, writer, path)

    def _attempt(self, reader: Schema, writer: Schema, path: str) -> list[str]:
        """Compare without remembering what was met on the way, for a branch that may be the wrong one."""
        seen = set(self._seen)
        reasons = self._compare(reader, writer, path)
        if reasons:
            self._seen = seen
        return reasons

    def _same_kind(self, kind: str, reader: dict[str, Any], writer: dict[str, Any], path: str) -> list[str]:
        if kind == "array":
            return self._compare(reader["items"], writer["items"], f"{path}[]")
        if kind == "map":
            return self._compare(reader["values"], writer["values"], f"{path}{{}}")
        if kind in {"record", "error", "enum", "fixed"} and not _same_name(reader, writer):
            return [f"{_at(path)} `{writer['name']}` cannot be read as `{reader['name']}`"]
        if kind in {"record", "error"}:
            return self._records(reader, writer, path)
        if kind == "enum":
            missing = [symbol for symbol in writer["symbols"] if symbol not in reader["symbols"]]
            if missing and "default" not in reader:
                return [f"{_at(path)} the enum has no symbol `{missing[0]}` and no default"]
            return []
        if kind == "fixed" and reader["size"] != writer["size"]:
            return [f"{_at(path)} {writer['size']} fixed bytes cannot be read as {reader['size']}"]
        return _decimals(reader, writer, path)

    def _records(self, reader: dict[str, Any], writer: dict[str, Any], path: str) -> list[str]:
        pair = (reader["name"], writer["name"])
        if pair in self._seen:
            return []
        self._seen.add(pair)
        written = {field["name"]: field for field in writer["fields"]}
        reasons: list[str] = []
        for field in reader["fields"]:
            place = f"{path}.{field['name']}" if path else field["name"]
            known = [name for name in (field["name"], *field.get("aliases", ())) if name in written]
            if known:
                reasons += self._compare(field["type"], written[known[0]]["type"], place)
            elif "default" not in field:
                reasons.append(f"{_at(place)} the field is absent from the data and has no default")
        return reasons


def _same_name(reader: dict[str, Any], writer: dict[str, Any]) -> bool:
    """Compare as the specification says: unqualified names, or one of the reader's aliases."""
    name = _last(writer["name"])
    return name == _last(reader["name"]) or any(name == _last(alias) for alias in reader.get("aliases", ()))


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _decimals(reader: dict[str, Any], writer: dict[str, Any], path: str) -> list[str]:
    if reader.get("logicalType") != "decimal" or writer.get("logicalType") != "decimal":
        return []
    ours, theirs = ((item.get("precision"), item.get("scale", 0)) for item in (reader, writer))
    if ours == theirs:
        return []
    return [f"{_at(path)} decimal({theirs[0]}, {theirs[1]}) cannot be read as decimal({ours[0]}, {ours[1]})"]


def _at(path: str) -> str:
    return f"at `{path}`" if path else "at the top"


def _name(schema: Schema) -> str:
    if isinstance(schema, list):
        return "a union"
    return f"`{schema.get('name', schema['type'])}`"
