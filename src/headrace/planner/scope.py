"""What a name in an expression means: a field, a part of the record, an element of LATERAL."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from headrace.errors.codes import plan as codes
from headrace.errors.suggest import did_you_mean
from headrace.plan.topology import Facet
from headrace.planner.faults import refusal
from headrace.planner.relations import META, NoSuchField, pack
from headrace.sql.spans import span_of
from headrace.types.shape import field_named, field_names
from headrace.types.sql import type_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlglot import exp

    from headrace.errors import ProgramError, Span
    from headrace.formats.interface import Path
    from headrace.planner.typed import Typed

_FACETS = {
    "_key": Facet.KEY,
    "_value": Facet.VALUE,
    "_meta": Facet.META,
    "_header": Facet.HEADERS,
    "_headers": Facet.HEADERS,
}

_META_2018 = {"_partition": "partition", "_offset": "offset", "_ts": "timestamp", "_topic": "topic"}
_META_2018_FIELDS = {"__valsize": "__valuesize"}


class Rows(Protocol):
    """Rows that names can mean columns of."""

    def type_of(self, facet: Facet) -> pa.DataType:
        """Give the type of the key or the value."""

    def pull(self, facet: Facet, path: Path) -> Typed:
        """Give a column. Raises NoSuchField."""


@dataclass(slots=True)
class Header:
    """A header of the record, by name: what it gives is for the function HEADERASSTRING to say."""

    name: str


@dataclass(slots=True)
class Scope:
    """The names of one SELECT.

    Args:
        relation: its rows.
        alias: the name by which they can be qualified.
        laterals: elements of LATERAL by alias; they hide fields of the same name.
    """

    relation: Rows
    alias: str
    laterals: dict[str, Typed] = field(default_factory=dict)

    def resolve(self, parts: Sequence[exp.Identifier]) -> Typed | Header:
        """Give what a dotted name means.

        Raises:
            ProgramError: nothing of that name; with the nearest name as help.
        """
        path = tuple(part.name for part in parts)
        if path[0] == self.alias and len(path) > 1 and not self._hides_alias(path):
            return self._unqualified(parts[1:], path[1:])
        return self._unqualified(parts, path)

    def star(self, parts: Sequence[exp.Identifier]) -> Facet | None:
        """Give which part of the record `name.*` means; None if it is none."""
        names = [part.name for part in parts]
        if names and names[0] == self.alias:
            names = names[1:]
        if not names:
            return Facet.VALUE
        return _FACETS.get(names[0]) if len(names) == 1 else None

    def candidates(self) -> list[str]:
        """Give every name that would be right, nested ones too, for suggestions."""
        found = [*self.laterals]
        for facet, prefix in ((Facet.VALUE, ()), (Facet.KEY, ("_key",))):
            found += [".".join(path) for path in _paths(self.relation.type_of(facet), prefix)]
        found += [f"_meta.{name}" for name in META]
        return [*found, "_key", "_value", *_META_2018]

    def _hides_alias(self, path: Path) -> bool:
        """Say whether the alias is also a field with the rest of the path in it, and the rest alone leads nowhere."""
        kind = self.relation.type_of(Facet.VALUE)
        if path[0] in self.laterals:
            return True
        return path[1] not in field_names(kind) and path[1] not in _FACETS and path[0] in field_names(kind)

    def _unqualified(self, parts: Sequence[exp.Identifier], path: Path) -> Typed | Header:
        element = self.laterals.get(path[0])
        if element is not None:
            return self._inside(element, parts, path)
        facet = _FACETS.get(path[0])
        if facet is Facet.HEADERS:
            return Header(path[1]) if len(path) == 2 else self._pull(facet, parts, (), skipped=0)
        if path[0] == "_window":
            bound = self._window(path)
            if bound is not None:
                return bound
        if facet is Facet.META and len(path) == 1:
            shown = ", ".join(f"`_meta.{name}`" for name in META)
            raise refusal(
                codes.UNKNOWN_COLUMN,
                "`_meta` is read field by field",
                span_of(parts[0]),
                f"there are {shown}",
            )
        if facet is Facet.META:
            path = (path[0], _META_2018_FIELDS.get(path[1], path[1]), *path[2:])
        if facet is not None:
            return self._pull(facet, parts, path[1:], skipped=1)
        if path[0] in _META_2018 and len(path) == 1:
            return self.relation.pull(Facet.META, (_META_2018[path[0]],))
        return self._pull(Facet.VALUE, parts, path, skipped=0)

    def _window(self, path: Path) -> Typed | None:
        """Give a bound of the window that rows come from; None if they come from none."""
        try:
            if len(path) > 1:
                return self.relation.pull(Facet.META, path)
            names = ["start", "end"]
            return pack(names, [self.relation.pull(Facet.META, ("_window", name)) for name in names])
        except NoSuchField:
            return None

    def _pull(self, facet: Facet, parts: Sequence[exp.Identifier], path: Path, skipped: int) -> Typed:
        try:
            return self.relation.pull(facet, path)
        except NoSuchField as missing:
            raise self._unknown(parts, missing.depth + skipped, missing.candidates, missing.kind) from None

    def _inside(self, element: Typed, parts: Sequence[exp.Identifier], path: Path) -> Typed:
        found = element
        for depth, name in enumerate(path[1:], 1):
            names = field_names(found.type)
            if name not in names:
                raise self._unknown(parts, depth, names, found.type)
            found = found.field(name)
        return found

    def _unknown(
        self,
        parts: Sequence[exp.Identifier],
        depth: int,
        candidates: Sequence[str] | dict[str, pa.DataType],
        kind: pa.DataType | None = None,
    ) -> ProgramError:
        part = parts[depth]
        span = span_of(part)
        if depth == 0:
            message = f"column `{part.name}` does not exist in `{self.alias}`"
            return refusal(codes.UNKNOWN_COLUMN, message, span, self._advice(part.name, parts))
        before = ".".join(piece.name for piece in parts[:depth])
        if kind is not None and not pa.types.is_struct(kind) and not pa.types.is_null(kind):
            message = f"`{before}` is no record, it is {_article(type_name(kind))}, so it has no field `{part.name}`"
            return refusal(codes.UNKNOWN_COLUMN, message, span)
        message = f"`{before}` has no field `{part.name}`"
        return refusal(codes.UNKNOWN_COLUMN, message, span, self._fields_help(part.name, list(candidates)))

    def _advice(self, name: str, parts: Sequence[exp.Identifier]) -> str | None:
        near = did_you_mean(name, self.candidates())
        if near is not None:
            return near
        last = parts[-1].name
        deeper = [found for found in self.candidates() if found.rsplit(".", 1)[-1] == last and "." in found]
        if deeper:
            return f"did you mean `{deeper[0]}`?"
        return _listing(field_names(self.relation.type_of(Facet.VALUE)), f"`{self.alias}`")

    @staticmethod
    def _fields_help(name: str, candidates: list[str]) -> str | None:
        return did_you_mean(name, candidates) or _listing(candidates, "it")


def cover(parts: Sequence[exp.Identifier]) -> Span | None:
    """Give the place of a dotted name."""
    first, last = span_of(parts[0]), span_of(parts[-1])
    return first.cover(last) if first is not None else last


def _paths(kind: pa.DataType, prefix: Path, depth: int = 0) -> list[Path]:
    found = []
    for name in field_names(kind):
        path = (*prefix, name)
        found.append(path)
        if depth < 8:
            found += _paths(_type_at(kind, name), path, depth + 1)
    return found


def _type_at(kind: pa.DataType, name: str) -> pa.DataType:
    found = field_named(kind, name)
    assert found is not None
    kind_there: pa.DataType = found.type
    return kind_there


def _listing(names: list[str], owner: str) -> str | None:
    if not names:
        return None
    shown = ", ".join(f"`{name}`" for name in names[:8])
    return f"{owner} has {shown}" + (", …" if len(names) > 8 else "")


def _article(name: str) -> str:
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"
