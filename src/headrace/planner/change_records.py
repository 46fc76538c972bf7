"""A topic of change records that is read as a table: its rows instead of the changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlglot import exp

from headrace.formats.interface import CHANGE_RECORDS
from headrace.plan.topology import Facet
from headrace.planner.relations import Item, SelectRelation, TopicRelation, follow
from headrace.planner.typed import Typed
from headrace.types.change_records import AFTER, OPERATION, ROW_THERE, row_of
from headrace.types.shape import field_names

if TYPE_CHECKING:
    import pyarrow as pa

    from headrace.formats.interface import Path
    from headrace.planner.relations import Relation


def as_table(topic: TopicRelation) -> Relation:
    """Give the rows of a topic that is read as a table.

    Of change records these are the rows after each change; a change that removes the row is a deletion of the key. Of any other
    topic they are its records.
    """
    row = _row(topic)
    if row is None:
        return topic
    items = tuple(
        Item(Facet.VALUE, (name,), topic.pull(Facet.VALUE, (AFTER, name)), None) for name in field_names(row)
    )
    there: exp.Expression = exp.In(
        this=topic.pull(Facet.VALUE, (OPERATION,)).node,
        expressions=[exp.Literal.string(word) for word in ROW_THERE],
    )
    return SelectRelation(topic, items, (there,), (), topic.reads.names, star=False, table=True)


def rows_of(topic: TopicRelation) -> TopicRelation:
    """Give the rows of a topic that a snapshot query reads as a table, record by record.

    Of change records these are the rows after each change; a change that removes the row is a tombstone.
    """
    row = _row(topic)
    return topic if row is None else _RowsAfter(topic.reads, row=row)


def _row(topic: TopicRelation) -> pa.DataType | None:
    """Give the type of the rows in a topic of change records; None for any other topic."""
    value = topic.side(Facet.VALUE)
    return row_of(value.type) if value.format in CHANGE_RECORDS else None


@dataclass(slots=True)
class _RowsAfter(TopicRelation):
    """Change records as the rows after them."""

    row: pa.DataType = field(kw_only=True)

    def type_of(self, facet: Facet) -> pa.DataType:
        """Give the type of the key or of the rows."""
        return self.row if facet is Facet.VALUE else TopicRelation.type_of(self, facet)

    def pull(self, facet: Facet, path: Path) -> Typed:
        """Give a column of the records. Raises NoSuchField."""
        if facet is not Facet.VALUE:
            return TopicRelation.pull(self, facet, path)
        kind, _ = follow(self.row, path)
        return Typed(self.reads.column(facet, (AFTER, *path), kind), kind, nullable=True)
