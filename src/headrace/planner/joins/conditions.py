"""ON: which of its conditions are the key, and to which rows the others belong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from headrace.errors.codes import plan as codes
from headrace.planner.duckdb_types import storable
from headrace.planner.faults import refusal
from headrace.planner.joins.names import names_in
from headrace.planner.stateful.calls import brought
from headrace.planner.stateful.grouping import column_name
from headrace.sql.spans import nearest_span
from headrace.types.coercion import common_type
from headrace.types.sql import type_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from headrace.errors import Span
    from headrace.planner.expressions import Expressions
    from headrace.planner.joins.names import JoinNames
    from headrace.planner.typed import Typed


@dataclass(slots=True)
class Conditions:
    """The conditions of a join.

    Args:
        pairs: equalities, the left source's expression first.
        left, right: conditions on rows of one side alone.
        both: all others.
    """

    pairs: list[tuple[exp.Expression, exp.Expression]] = field(default_factory=list)
    left: list[exp.Expression] = field(default_factory=list)
    right: list[exp.Expression] = field(default_factory=list)
    both: list[exp.Expression] = field(default_factory=list)


@dataclass(slots=True)
class Key:
    """What is joined on: for each part its name, and what it is on either side.

    Args:
        names: of the parts.
        left, right: the parts, of one type on both sides.
        said: the same for either side as they were said, before they were brought to one type.
    """

    names: list[str] = field(default_factory=list)
    left: list[Typed] = field(default_factory=list)
    right: list[Typed] = field(default_factory=list)
    said: tuple[list[Typed], list[Typed]] = field(default_factory=lambda: ([], []))


def split(parts: Iterable[exp.Expression], names: JoinNames) -> Conditions:
    """Sort conditions by the sides that they name; the last source is the right side.

    Raises:
        ProgramError: a name means nothing, or several things.
    """
    found = Conditions()
    for part in parts:
        sides = _sides(part, names)
        if isinstance(part, exp.EQ) and sides == {0, 1}:
            ends = _sides(part.this, names), _sides(part.expression, names)
            if ends == ({0}, {1}):
                found.pairs.append((part.this, part.expression))
                continue
            if ends == ({1}, {0}):
                found.pairs.append((part.expression, part.this))
                continue
        if sides == {0}:
            found.left.append(part)
        elif sides == {1}:
            found.right.append(part)
        else:
            found.both.append(part)
    return found


def key_of(
    pairs: Iterable[tuple[exp.Expression, exp.Expression]], left: Expressions, right: Expressions
) -> Key:
    """Compile the equalities of a join.

    Raises:
        ProgramError: something in them is wrong, or the types of two sides have nothing in common.
    """
    key = Key()
    for mine, theirs in pairs:
        found = left.value(mine), right.value(theirs)
        shown = left.words(mine), right.words(theirs)
        add_part(key, column_name(mine, left), found, shown, nearest_span(mine))
    return key


def add_part(
    key: Key, name: str, found: tuple[Typed, Typed], shown: tuple[str, str], place: Span | None
) -> None:
    """Add a part to a key, both sides brought to one type.

    Raises:
        ProgramError: there is no such type.
    """
    kind = common_type(*(storable(side.type) for side in found))
    if kind is None:
        left, right = (f"`{text}` ({type_name(side.type)})" for text, side in zip(shown, found, strict=True))
        message = f"{left} and {right} are never equal: their types differ"
        raise refusal(codes.JOIN_CONDITION, message, place, "convert one of them with CAST")
    if pa.types.is_map(kind):
        message = f"rows cannot be joined on the map `{shown[0]}`"
        raise refusal(codes.JOIN_CONDITION, message, place, "name one of its values")
    while name in key.names:
        name += "_2"
    key.names.append(name)
    for parts, side in zip(key.said, found, strict=True):
        parts.append(side)
    key.left.append(brought(found[0], kind))
    key.right.append(brought(found[1], kind))


def _sides(node: exp.Expression, names: JoinNames) -> set[int]:
    last = names.scopes[-1].alias
    found = set()
    for parts in names_in(node):
        if len(parts) == 1 and parts[0].name in names.merged:
            found.add(0)
        else:
            found.add(int(names.owner(parts).alias == last))
    return found
