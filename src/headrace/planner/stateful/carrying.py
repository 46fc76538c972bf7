"""Operators that hand rows on: they keep the columns that their readers ask for, and no others."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from headrace.plan.operators import OP
from headrace.plan.topology import Facet
from headrace.planner.duckdb_types import storable
from headrace.planner.relations import columns_in
from headrace.planner.stateful.calls import brought
from headrace.planner.stateful.drafts import OperatorDraft, OperatorRelation
from headrace.planner.typed import Typed

if TYPE_CHECKING:
    import pyarrow as pa

    from headrace.formats.interface import Path
    from headrace.planner.relations import SelectRelation


@dataclass(slots=True, eq=False)
class CarryingDraft(OperatorDraft):
    """An operator of one input that gives rows of it.

    Args:
        kept: columns that it needs itself, over the rows that go in; they come first.
        asked: what readers have asked for, as this operator's column.
    """

    kept: list[Typed] = field(default_factory=list)
    asked: dict[tuple[Facet, Path], Typed] = field(default_factory=dict)
    _below: dict[str, Typed] = field(default_factory=dict)
    """By the operator's own name, what the column is over the rows that go in."""

    @property
    def rows(self) -> SelectRelation:
        """The rows that go in."""
        return self.feeds[0].branches[0].rows

    @property
    def value_type(self) -> pa.DataType:
        """Type of the values."""
        return self.rows.type_of(Facet.VALUE)

    def value(self, path: Path) -> Typed:
        """Give the value or a part of it."""
        return self.keep(Facet.VALUE, path)

    def keep(self, facet: Facet, path: Path) -> Typed:
        """Give a column, kept from now on. Raises NoSuchField."""
        known = self.asked.get((facet, path))
        if known is None:
            below = self.rows.pull(facet, path)
            own = self._own(below)
            if own is not None:
                self.asked[facet, path] = own
                return own
            name = f"v{len(self.kept) + len(self._below)}"
            self._below[name] = below
            known = Typed(self.column(name, below.type), below.type, below.nullable)
            self.asked[facet, path] = known
        return known

    def _own(self, below: Typed) -> Typed | None:
        """Give the column of the operator's own that has the same value."""
        key = self.feeds[0].branches[0].key
        for prefix, parts in (("k", key), ("v", self.kept)):
            for index, part in enumerate(parts):
                if part.node == below.node and part.type.equals(below.type):
                    return Typed(self.column(f"{prefix}{index}", part.type), part.type, below.nullable)
        return None

    def prune(self, used: set[str]) -> None:
        """Keep the columns that are read, numbered anew."""
        kept = [
            (name, below) for name, below in self._below.items() if columns_in([self.columns[name][0]]) & used
        ]
        for index, part in enumerate(self.kept):
            self.column(f"v{index}", part.type)
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
                return ".".join(path if facet is Facet.VALUE and path else (facet.value, *path))
        return name

    def _complete(self) -> None:
        """Put the columns into the input."""
        branch = self.feeds[0].branches[0]
        branch.value = [brought(part, storable(part.type)) for part in (*self.kept, *self._below.values())]
        places = {found.node.name: place for place, found in self.asked.items()}
        for name in self._below:
            facet, path = places[self.columns[name][0].name]
            branch.words.append(".".join((facet.value, *path)))


class CarryingRelation(OperatorRelation):
    """The rows of such an operator; what the records have beside key and value it keeps on demand."""

    def pull(self, facet: Facet, path: Path) -> Typed:
        """Give a column of the rows."""
        assert isinstance(self.reads, CarryingDraft)
        # The timestamp too: a row that comes out again, or is taken back, comes at the time of another one.
        if facet is Facet.HEADERS or (facet is Facet.META and path != (OP,)):
            return self.reads.keep(facet, path)
        return super().pull(facet, path)
