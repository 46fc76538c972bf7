"""Protobuf schemas of a registry: their messages and fields, as the native parser gives them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from headrace import _native
from headrace.errors import Diagnostic, ProgramError
from headrace.errors.codes.format import BAD_SCHEMA
from headrace.formats.registry.schema import SchemaSyntaxError
from headrace.types.protobuf import Numbering, Path

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

IMPORT: Final = "\f"
"""Stands before the name and the text of each file that a schema imports, behind the schema itself."""

_MAX_DEPTH: Final = 64
_WAY_OUT: Final = "give the topic a schema that has fixed columns, or take the values as they are with `_vtype = BYTES` in WHERE"


@dataclass(frozen=True, slots=True)
class MessageField:
    """A field of a message.

    Args:
        name: of the field.
        number: of the field.
        label: `implicit` (always has a value), `optional`, `required`, `repeated` or `map`.
        kind: the word of a scalar, or the full name of a message or an enum; of the values for a map.
        key: of a map.
        is_message: `kind` is a message.
        is_enum: `kind` is an enum.
        oneof: the group in which at most one field has a value.
        default: that the schema gives it.
        doc: the comment at it.
    """

    name: str
    number: int
    label: str
    kind: str
    key: str | None
    is_message: bool
    is_enum: bool
    oneof: str | None
    default: str | None
    doc: str | None


@dataclass(frozen=True, slots=True)
class MessageType:
    """A message of the schema itself, with the indexes that lead to it, or of what it imports, which has none."""

    name: str
    indexes: tuple[int, ...]
    fields: tuple[MessageField, ...]
    reserved: tuple[tuple[int, int], ...]
    reserved_names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProtobufSchema:
    """A schema and the messages in it, in their order."""

    text: str
    package: str
    messages: dict[str, MessageType]

    def root(self) -> str:
        """Give the full name of the message that records are, as far as the schema tells.

        It is the first message that no other one has a field of; usually a file has one.
        """
        own = [item for item in self.messages.values() if len(item.indexes) == 1]
        if not own:
            message = "the schema has no message"
            raise SchemaSyntaxError(message)
        used = {field.kind for item in self.messages.values() for field in item.fields if field.is_message}
        return next((item.name for item in own if item.name not in used), own[0].name)

    def at(self, indexes: tuple[int, ...]) -> str | None:
        """Give the full name of the message that indexes lead to."""
        return next((item.name for item in self.messages.values() if item.indexes == indexes), None)

    def type(self, message: str) -> pa.DataType:
        """Give the Arrow type of a message. Raises ProgramError if no column can hold it."""
        try:
            return _parser(self.text).type(message)
        except ValueError as error:
            fault = Diagnostic(BAD_SCHEMA, f"the schema cannot be used: {error}", None, _WAY_OUT)
            raise ProgramError((fault,)) from None

    def numbering(self, message: str) -> dict[Path, Numbering]:
        """Give the numbers of the fields of a message, and of those inside it."""
        found: dict[Path, Numbering] = {}
        self._number(message, (), found)
        return found

    def _number(self, message: str, path: Path, found: dict[Path, Numbering]) -> None:
        item = self.messages[message]
        found[path] = Numbering(
            {field.name: field.number for field in item.fields}, item.reserved, item.reserved_names
        )
        for field in item.fields:
            if field.is_message and field.kind in self.messages and len(path) < _MAX_DEPTH:
                self._number(field.kind, (*path, field.name), found)


def parse_protobuf(text: str) -> ProtobufSchema:
    """Parse the text of a schema, with what it imports behind it (see `IMPORT`).

    Raises:
        SchemaSyntaxError: it is no schema, or something that it imports is missing.
    """
    try:
        tree = json.loads(_parser(text).describe())
    except ValueError as error:
        raise SchemaSyntaxError(str(error)) from None
    return ProtobufSchema(text, tree["package"], {item["name"]: _message(item) for item in tree["messages"]})


def with_imports(text: str, imports: Iterable[tuple[str, str]]) -> str:
    """Give a schema with what it imports: names of files and their texts."""
    return text + "".join(f"{IMPORT}{name}\n{part}" for name, part in imports)


@lru_cache(64)
def _parser(text: str) -> _native.ProtobufSchema:
    return _native.ProtobufSchema(text)


def _message(item: dict[str, Any]) -> MessageType:
    return MessageType(
        item["name"],
        tuple(item["indexes"]),
        tuple(_field(field) for field in item["fields"]),
        tuple((start, end) for start, end in item["reserved"]),
        tuple(item["reserved_names"]),
    )


def _field(item: dict[str, Any]) -> MessageField:
    return MessageField(
        item["name"],
        item["number"],
        item["label"],
        item["kind"],
        item["key"],
        item["message"],
        item["enum"],
        item["oneof"],
        item["default"],
        item["doc"],
    )
