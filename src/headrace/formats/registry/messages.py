"""Whether messages written with one Protobuf schema can be read with another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from headrace.formats.registry.protobuf import MessageField, MessageType, ProtobufSchema

_ALIKE: Final = (
    {"int32", "uint32", "int64", "uint64", "bool", "enum"},
    {"sint32", "sint64"},
    {"string", "bytes"},
    {"fixed32", "sfixed32"},
    {"fixed64", "sfixed64"},
)
"""Types that are written in the same way."""


def unread_messages(reader: ProtobufSchema, writer: ProtobufSchema) -> list[str]:
    """Give what stands in the way of a reader's schema with a writer's messages; empty if nothing does."""
    reasons: list[str] = []
    for name, written in writer.messages.items():
        read = reader.messages.get(name)
        if read is not None:
            reasons += _message(read, written)
        elif written.indexes:
            reasons.append(f"there is no message `{name}`")
    return reasons


def _message(reader: MessageType, writer: MessageType) -> list[str]:
    written = {field.number: field for field in writer.fields}
    reasons: list[str] = []
    groups: dict[str, list[str]] = {}
    for field in reader.fields:
        place = f"at `{reader.name}.{field.name}`"
        other = written.get(field.number)
        if other is None:
            if field.label == "required":
                reasons.append(f"{place} the field is absent from the data, and is required")
            continue
        if field.label == "required" and other.label != "required":
            reasons.append(f"{place} the field may be absent from the data, and is required")
        if _words(field) != _words(other) and not _alike(field, other):
            reasons.append(
                f"{place} {_words(other)} (field {field.number}) cannot be read as {_words(field)}"
            )
        if field.oneof is not None and other.oneof is None:
            groups.setdefault(field.oneof, []).append(field.name)
    for group, names in groups.items():
        if len(names) > 1:
            together = " and ".join(f"`{name}`" for name in names)
            reasons.append(
                f"at `{reader.name}` {together} may both be in the data, and are alternatives in `{group}`"
            )
    return reasons


def _alike(field: MessageField, other: MessageField) -> bool:
    several = ("repeated", "map")
    if (field.label in several or other.label in several) and field.label != other.label:
        return False
    if field.key != other.key:
        return False
    mine, theirs = ("enum" if item.is_enum else item.kind for item in (field, other))
    return mine == theirs or any(mine in group and theirs in group for group in _ALIKE)


def _words(field: MessageField) -> str:
    """Give the type of a field as a schema writes it; how its absence is told makes no difference."""
    if field.label == "map":
        return f"map<{field.key}, {field.kind}>"
    return f"repeated {field.kind}" if field.label == "repeated" else field.kind
