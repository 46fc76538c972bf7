"""What a program writes, beside the JSON that stands in a target of which nobody has declared what it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa

from headrace.errors import Diagnostic, Severity
from headrace.errors.codes import plan as codes
from headrace.formats.interface import Format
from headrace.plan.topology import KeyMode, ValueMode
from headrace.types.sql import is_integer, is_number, type_name

if TYPE_CHECKING:
    from headrace.catalog.infer import JsonSample, Shape
    from headrace.errors import Span
    from headrace.planner.targets import Target
    from headrace.planner.topics import Topics

_NUMBERS: Final = ("int", "long", "decimal", "double")
_WHOLE: Final = ("int", "long")
_SHOWN: Final = 5
"""Differences that are told one by one."""


def compare_with_held(target: Target, topics: Topics, span: Span | None) -> list[Diagnostic]:
    """Compare what a target gets with a sample of what stands in it.

    Returns:
        an error where a value is of another kind than all those before it, such as a number where texts stand; a warning
        where fields come or go, or numbers change. Nothing for a target that is new, empty, declared, read by the program,
        or not JSON.
    """
    if target.create is not None or target.name in topics.reads:
        return []
    found: list[Diagnostic] = []
    for part, side, fixed, written in (
        ("key", target.key, target.fixed_key, any(w.key_mode is not KeyMode.NONE for w in target.writers)),
        (
            "value",
            target.value,
            target.fixed_value,
            any(w.value_mode is not ValueMode.TOMBSTONE for w in target.writers),
        ),
    ):
        if fixed or not written or side.format is not Format.JSON:
            continue
        seen = topics.catalog.seen_json(target.name, part)
        if seen is not None:
            found += _judged(target.name, part, side.type, seen, span)
    return found


def _judged(
    name: str, part: str, written: pa.DataType, seen: JsonSample, span: Span | None
) -> list[Diagnostic]:
    declare = f"if that is meant, declare what it holds: `CREATE TABLE {name} (…) FORMAT (…)`"
    if seen.unreadable * 2 >= seen.records:
        message = f"the {part} is written as JSON, and the {part}s that stand in `{name}` are not JSON"
        return [Diagnostic(codes.INCOMPATIBLE_TARGET, message, span, declare)]
    clashes: list[str] = []
    changes: list[str] = []
    _compare(written, seen.shape, "", clashes, changes)
    if clashes:
        message = f"the {part} does not fit what stands in `{name}`"
        return [Diagnostic(codes.INCOMPATIBLE_TARGET, message, span, declare, _short(clashes))]
    if changes:
        message = f"the {part} differs from what stands in `{name}`"
        return [Diagnostic(codes.CHANGED_TARGET, message, span, None, _short(changes), Severity.WARNING)]
    return []


def _compare(written: pa.DataType, seen: Shape, path: str, clashes: list[str], changes: list[str]) -> None:
    """Note what differs; values that are mixed or null in the sample say nothing."""
    mine, theirs = _kind(written), "number" if seen.kind in _NUMBERS else seen.kind
    if mine is None or theirs in (None, "text"):
        return
    what = f"`{path}`" if path else "the whole"
    if mine != theirs and not (mine == "map" and theirs == "record"):
        clashes.append(f"{what} is {type_name(written)} in the query and {_article(theirs)} in the records")
    elif mine == "record":
        _compare_fields(written, seen, path, clashes, changes)
    elif mine == "array" and seen.item is not None:
        assert isinstance(written, pa.ListType)
        _compare(written.value_type, seen.item, f"{path}[]", clashes, changes)
    elif mine == "number" and seen.kind in _WHOLE and _has_fractions(written):
        changes.append(f"{what} is {type_name(written)} in the query, and only whole numbers in the records")


def _compare_fields(
    written: pa.DataType, seen: Shape, path: str, clashes: list[str], changes: list[str]
) -> None:
    names = set()
    for index in range(written.num_fields):
        item = written.field(index)
        names.add(item.name)
        name = f"{path}.{item.name}" if path else item.name
        there = seen.fields.get(item.name)
        if there is None:
            changes.append(f"the records have no field `{name}`")
        else:
            _compare(item.type, there, name, clashes, changes)
    changes += [
        f"the query gives no field `{path}.{name}`" if path else f"the query gives no field `{name}`"
        for name in seen.fields
        if name not in names
    ]


def _kind(written: pa.DataType) -> str | None:
    """Give the kind of JSON value that is written for a type."""
    if pa.types.is_null(written):
        return None
    if pa.types.is_boolean(written):
        return "boolean"
    # Times are written as milliseconds since 1970.
    if is_number(written) or pa.types.is_timestamp(written):
        return "number"
    if pa.types.is_struct(written):
        return "record"
    if pa.types.is_map(written):
        return "map"
    return "array" if pa.types.is_list(written) else "string"


def _has_fractions(written: pa.DataType) -> bool:
    if pa.types.is_decimal(written):
        return bool(written.scale > 0)
    return not is_integer(written) and not pa.types.is_timestamp(written)


def _article(kind: str | None) -> str:
    return f"an {kind}" if kind == "array" else f"a {kind}"


def _short(notes: list[str]) -> tuple[str, ...]:
    more = len(notes) - _SHOWN
    return (*notes[:_SHOWN], *([f"and {more} more"] if more > 0 else []))
