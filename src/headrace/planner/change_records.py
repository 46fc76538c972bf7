"""A topic of change records that is read as a table: its rows instead of the changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from headrace.formats.interface import CHANGE_RECORDS
from headrace.plan.topology import Facet
from headrace.planner.relations import Item, SelectRelation
from headrace.types.change_records import AFTER, OPERATION, ROW_THERE, row_of
from headrace.types.shape import field_names

if TYPE_CHECKING:
    from headrace.planner.relations import Relation, TopicRelation


def as_table(topic: TopicRelation) -> Relation:
    """Give the rows of a topic that is read as a table.

    Of change records these are the rows after each change; a change that removes the row is a deletion of the key. Of any other
    topic they are its records.
    """
    value = topic.side(Facet.VALUE)
    row = row_of(value.type) if value.format in CHANGE_RECORDS else None
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
