"""A topic read as a table whose old rows are needed: an operator keeps the latest row of each key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from headrace.errors.codes import plan as codes
from headrace.formats.interface import Windowing
from headrace.plan.operators import Changes, Feed, Kernel, Table
from headrace.plan.topology import Facet
from headrace.planner.faults import refusal
from headrace.planner.relations import TopicReads
from headrace.planner.stateful.carrying import CarryingDraft, CarryingRelation
from headrace.planner.stateful.drafts import Branch, FeedDraft, OperatorRelation
from headrace.planner.typed import Typed

if TYPE_CHECKING:
    import pyarrow as pa

    from headrace.errors import Span
    from headrace.formats.interface import Path
    from headrace.planner.relations import Names, Relation, SelectRelation


@dataclass(slots=True, eq=False)
class TableDraft(CarryingDraft):
    """The latest row of each key."""

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
        """The key, and its window if it has one."""
        return frozenset(self.placed_by)

    @property
    def placed_by(self) -> tuple[str, ...]:
        """The key, as in the topic."""
        return tuple(f"k{index}" for index in range(len(self.feeds[0].branches[0].key)))

    @property
    def key_type(self) -> pa.DataType:
        """Type of the topic's keys."""
        return self.rows.type_of(Facet.KEY)

    def label(self, name: str) -> str:
        """Give what the program calls a column."""
        if name[0] == "k":
            return self.feeds[0].branches[0].words[int(name[1:])]
        return CarryingDraft.label(self, name)

    def kernel(self, feeds: tuple[Feed, ...]) -> Kernel:
        """Give the operator."""
        return Table(feeds[0])

    def key(self, path: Path) -> Typed:
        """Give the key or a part of it."""
        if not path:
            return Typed(self.column("k0", self.key_type), self.key_type, nullable=False)
        return self.keep(Facet.KEY, path)


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
    reads = rows.reads
    key = [rows.source.pull(Facet.KEY, ())]
    if isinstance(reads, TopicReads):
        key += windows_of_keys(rows.source, reads)
    words = ["_key", "_window.start", "_window.end"][: len(key)]
    branch = Branch(rows, key, [], deletion(rows), words)
    draft = TableDraft(names, [FeedDraft([branch], Changes.UPSERT)], reads.key_format, reads.value_format)
    for index, part in enumerate(key):
        draft.column(f"k{index}", part.type)
    return CarryingRelation(draft)


def windows_of_keys(rows: Relation, reads: TopicReads) -> list[Typed]:
    """Give what stands behind the keys of a topic and tells its rows apart as well: the start of their windows.

    Of windows that are no stretches of one length, such as sessions, it is the end, too.
    """
    window = reads.topic.key.window
    if window is None:
        return []
    bounds = ("start",) if window is Windowing.TIME else ("start", "end")
    return [rows.pull(Facet.META, ("_window", bound)) for bound in bounds]


def deletion(rows: SelectRelation) -> exp.Expression:
    """Give the kind of each row of a topic that is read as a table: DELETE for one that goes, INSERT for all others."""
    gone: exp.Expression = exp.Case(
        ifs=[exp.If(this=rows.tombstone_condition(), true=exp.Literal.number(-1))],
        default=exp.Literal.number(1),
    )
    return exp.cast(gone, "TINYINT", dialect="duckdb")
