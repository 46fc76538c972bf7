"""Operators that hand rows on: they keep the columns that their readers ask for, and no others."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from headrace.errors.codes import plan as codes
from headrace.plan.operators import OP
from headrace.plan.topology import Facet
from headrace.planner.duckdb_types import storable
from headrace.planner.faults import refusal
from headrace.planner.relations import columns_in
from headrace.planner.stateful.calls import brought
from headrace.planner.stateful.drafts import OperatorDraft, OperatorRelation
from headrace.planner.typed import Typed
from headrace.types.coercion import common_type
from headrace.types.sql import type_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from headrace.errors import Span
    from headrace.formats.interface import Path
    from headrace.planner.relations import SelectRelation


@dataclass(slots=True, eq=False)
class CarryingDraft(OperatorDraft):
    """An operator of one input that gives rows of it.

    Args:
        kept: columns that it needs itself, over the rows of each branch that goes in; they come first.
        asked: what readers have asked for, as this operator's column.
    """

    kept: list[list[Typed]] = field(default_factory=list)
    asked: dict[tuple[Facet, Path], Typed] = field(default_factory=dict)
    _below: dict[str, list[Typed]] = field(default_factory=dict)
    """By the operator's own name, what the column is over the rows of each branch that goes in."""

    @property
    def rows(self) -> SelectRelation:
        """The rows that go in, or the first of them."""
        return self.feeds[0].branches[0].rows

    @property
    def value_type(self) -> pa.DataType:
        """Type of the values."""
        found: pa.DataType = self.rows.type_of(Facet.VALUE)
        for branch in self.feeds[0].branches[1:]:
            found = common_type(found, branch.rows.type_of(Facet.VALUE)) or found
        return found

    def value(self, path: Path) -> Typed:
        """Give the value or a part of it."""
        return self.keep(Facet.VALUE, path)

    def keep(self, facet: Facet, path: Path) -> Typed:
        """Give a column, kept from now on. Raises NoSuchField."""
        known = self.asked.get((facet, path))
        if known is None:
            below = alike(
                [branch.rows.pull(facet, path) for branch in self.feeds[0].branches], _name(facet, path)
            )
            own = self._own(below)
            if own is not None:
                self.asked[facet, path] = own
                return own
            name = f"v{len(self.kept) + len(self._below)}"
            self._below[name] = below
            known = Typed(self.column(name, below[0].type), below[0].type, below[0].nullable)
            self.asked[facet, path] = known
        return known

    def _own(self, below: list[Typed]) -> Typed | None:
        """Give the column of the operator's own that has the same value."""
        keys = [list(parts) for parts in zip(*(branch.key for branch in self.feeds[0].branches), strict=True)]
        for prefix, columns in (("k", keys), ("v", self.kept)):
            for index, parts in enumerate(columns):
                if all(
                    part.node == other.node and part.type.equals(other.type)
                    for part, other in zip(parts, below, strict=True)
                ):
                    kind = parts[0].type
                    return Typed(self.column(f"{prefix}{index}", kind), kind, below[0].nullable)
        return None

    def prune(self, used: set[str]) -> None:
        """Keep the columns that are read, numbered anew."""
        kept = [
            (name, below) for name, below in self._below.items() if columns_in([self.columns[name][0]]) & used
        ]
        for index, parts in enumerate(self.kept):
            self.column(f"v{index}", parts[0].type)
        others = {name: column for name, column in self.columns.items() if name not in self._below}
        first = len(self.kept)
        others.update({f"v{index}": self.columns[name] for index, (name, _) in enumerate(kept, first)})
        self.columns = others
        self._below = {f"v{index}": below for index, (_, below) in enumerate(kept, first)}
        self._complete()

    def label(self, name: str) -> str:
        """Give what the program calls a column."""
        for (facet, path), found in self.asked.items():
            if found.node == self.columns[name][0]:
                return _name(facet, path)
        return name

    def _complete(self) -> None:
        """Put the columns into the input."""
        branches = self.feeds[0].branches
        for index, branch in enumerate(branches):
            parts = [column[index] for column in (*self.kept, *self._below.values())]
            branch.value = [brought(part, storable(part.type)) for part in parts]
        places = {found.node.name: place for place, found in self.asked.items()}
        for name in self._below:
            facet, path = places[self.columns[name][0].name]
            branches[0].words.append(".".join((facet.value, *path)))


class CarryingRelation(OperatorRelation):
    """The rows of such an operator; what the records have beside key and value it keeps on demand."""

    def pull(self, facet: Facet, path: Path) -> Typed:
        """Give a column of the rows."""
        assert isinstance(self.reads, CarryingDraft)
        # The timestamp too: a row that comes out again, or is taken back, comes at the time of another one.
        if facet is Facet.HEADERS or (facet is Facet.META and path != (OP,)):
            return self.reads.keep(facet, path)
        return super().pull(facet, path)


def alike(parts: Sequence[Typed], name: str, span: Span | None = None) -> list[Typed]:
    """Give one column of each branch of a UNION ALL, of one type.

    Args:
        parts: the column over the rows of each branch.
        name: what it is called, for messages.
        span: its place.

    Raises:
        ProgramError: there is no type for all of them.
    """
    kind, nullable = parts[0].type, any(part.nullable for part in parts)
    for part in parts[1:]:
        common = common_type(kind, part.type)
        if common is None:
            shown = type_name(kind), type_name(part.type)
            message = f"`{name}` is {shown[0]} in one part of the UNION ALL, and {shown[1]} in another"
            raise refusal(codes.UNION_MISMATCH, message, span)
        kind = common
    if len(parts) == 1:
        return list(parts)
    return [Typed(found.node, kind, nullable) for found in (brought(part, kind) for part in parts)]


def _name(facet: Facet, path: Path) -> str:
    return ".".join(path if facet is Facet.VALUE and path else (facet.value, *path))
