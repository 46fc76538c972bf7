"""A topic read as a table whose old rows are needed: an operator keeps the latest row of each key."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlglot import exp

from headrace.errors.codes import plan as codes
from headrace.plan.operators import OP, Changes, Feed, Kernel, Table
from headrace.plan.topology import Facet
from headrace.planner.faults import refusal
from headrace.planner.relations import SelectRelation, columns_in
from headrace.planner.stateful.drafts import Branch, FeedDraft, OperatorDraft, OperatorRelation
from headrace.planner.typed import Typed

if TYPE_CHECKING:
    import pyarrow as pa

    from headrace.errors import Span
    from headrace.formats.interface import Path
    from headrace.planner.relations import Names


@dataclass(slots=True, eq=False)
class TableDraft(OperatorDraft):
    """The latest row of each key; it keeps the columns that its readers ask for."""

    asked: dict[tuple[Facet, Path], Typed] = field(default_factory=dict)
    """What was asked for: the column of this operator."""
    _below: dict[str, Typed] = field(default_factory=dict)
    """By the operator's own name, what the column is over the rows that go in."""

    @property
    def kind(self) -> str:
        """It is a table."""
        return "table"

    @property
    def changes(self) -> Changes:
        """Old rows are what it is for."""
        return Changes.RETRACT

    @property
    def identity(self) -> frozenset[str]:
        """The key."""
        return frozenset(("k0",))

    @property
    def placed_by(self) -> tuple[str, ...]:
        """The key, as in the topic."""
        return ("k0",)

    @property
    def rows(self) -> SelectRelation:
        """The rows that go in."""
        return self.feeds[0].branches[0].rows

    @property
    def key_type(self) -> pa.DataType:
        """Type of the topic's keys."""
        return self.rows.type_of(Facet.KEY)

    @property
    def value_type(self) -> pa.DataType:
        """Type of the values."""
        return self.rows.type_of(Facet.VALUE)

    def kernel(self, feeds: tuple[Feed, ...]) -> Kernel:
        """Give the operator."""
        return Table(feeds[0])

    def key(self, path: Path) -> Typed:
        """Give the key or a part of it."""
        if not path:
            return Typed(self.column("k0", self.key_type), self.key_type, nullable=False)
        return self.keep(Facet.KEY, path)

    def value(self, path: Path) -> Typed:
        """Give the value or a part of it."""
        return self.keep(Facet.VALUE, path)

    def keep(self, facet: Facet, path: Path) -> Typed:
        """Give a column, kept from now on. Raises NoSuchField."""
        known = self.asked.get((facet, path))
        if known is None:
            below = self.rows.pull(facet, path)
            name = f"v{len(self._below)}"
            self._below[name] = below
            known = Typed(self.column(name, below.type), below.type, below.nullable)
            self.asked[facet, path] = known
        return known

    def prune(self, used: set[str]) -> None:
        """Keep the columns that are read, numbered anew."""
        kept = [
            (name, below) for name, below in self._below.items() if columns_in([self.columns[name][0]]) & used
        ]
        others = {name: column for name, column in self.columns.items() if name not in self._below}
        others.update({f"v{index}": self.columns[name] for index, (name, _) in enumerate(kept)})
        self.columns = others
        self._below = {f"v{index}": below for index, (_, below) in enumerate(kept)}
        branch = self.feeds[0].branches[0]
        branch.value = list(self._below.values())
        places = {node.node.name: place for place, node in self.asked.items()}
        for name in self._below:
            facet, path = places[self.columns[name][0].name]
            branch.words.append(".".join((facet.value, *path)))


class TableRelation(OperatorRelation):
    """The rows of a table; what the records have beside key and value it keeps on demand."""

    def pull(self, facet: Facet, path: Path) -> Typed:
        """Give a column of the rows."""
        assert isinstance(self.reads, TableDraft)
        if facet is Facet.HEADERS or (facet is Facet.META and path not in (("timestamp",), (OP,))):
            return self.reads.keep(facet, path)
        return super().pull(facet, path)


def materialised(rows: SelectRelation, names: Names, span: Span | None) -> OperatorRelation:
    """Give the table of rows that are the latest of their keys, with the old row beside each new one.

    Args:
        rows: of SELECT TABLE, over a topic.
        names: makes the names of columns.
        span: of the query, for messages.

    Raises:
        ProgramError: the rows have another key than the records of the topic.
    """
    if not rows.key_passes:
        message = "the table has another key than its topic, so its old rows cannot be found"
        way_out = "write it to a topic of its own with INSERT INTO, and read that with SELECT TABLE"
        raise refusal(codes.KEY_OF_A_TABLE, message, span, way_out)
    gone: exp.Expression = exp.Case(
        ifs=[exp.If(this=rows.tombstone_condition(), true=exp.Literal.number(-1))],
        default=exp.Literal.number(1),
    )
    key = rows.source.pull(Facet.KEY, ())
    branch = Branch(rows, [key], [], exp.cast(gone, "TINYINT", dialect="duckdb"), ["_key"])
    feed = FeedDraft([branch], Changes.UPSERT)
    reads = rows.reads
    draft = TableDraft(names, [feed], reads.key_format, reads.value_format)
    draft.column("k0", draft.key_type)
    return TableRelation(draft)
