"""DELETE FROM a topic that is not compacted: only its oldest records can go, those before an offset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from headrace.errors.codes import plan as codes
from headrace.planner.faults import refusal
from headrace.planner.rules.extract_formats import conjuncts
from headrace.planner.snapshot.bounds import meta_field
from headrace.planner.snapshot.plan import plan_query
from headrace.sql.nodes import Program, Query, Select
from headrace.sql.spans import nearest_span

if TYPE_CHECKING:
    from headrace.catalog import TopicCatalog
    from headrace.errors import Source
    from headrace.log.interface import TopicDescription
    from headrace.plan.snapshot import Bounds, SnapshotPlan
    from headrace.sql.commands import Delete

_HELP = "write `_meta.offset <= n` and `_meta.partition = p`; by other conditions only compacted topics lose records"


def plan_offsets(statement: Delete, source: Source, topic: TopicDescription, catalog: TopicCatalog) -> Bounds:
    """Give the partitions and the end offset (exclusive) of what is deleted.

    Raises:
        ProgramError: the condition is about more than partition and offset, or leaves older records in place.
    """
    for part in conjuncts(statement.condition):
        if not _is_place(part, topic.name):
            message = f"`{topic.name}` is not compacted: only its oldest records can be deleted, by offset"
            raise refusal(codes.TYPE_MISMATCH, message, nearest_span(part), _HELP)
    bounds = plan_condition(statement, source, topic, catalog).scans[0].bounds
    if bounds.end_offset is None:
        raise refusal(
            codes.TYPE_MISMATCH,
            "the condition names no offset to delete up to",
            nearest_span(statement.condition),
            _HELP,
        )
    return bounds


def plan_condition(
    statement: Delete, source: Source, topic: TopicDescription, catalog: TopicCatalog
) -> SnapshotPlan:
    """Plan the query for the records that meet the condition, with the places of the user's text.

    Raises:
        ProgramError: the condition is wrong.
    """
    table = exp.Table(this=exp.to_identifier(topic.name, quoted=True))
    select = Select(
        expressions=[exp.alias_(exp.Literal.number(1), "one")],
        from_=exp.From(this=table),
        where=exp.Where(this=statement.condition.copy()),
    )
    return plan_query(Program((Query(select, (), statement.span),), source), catalog)


def _is_place(part: exp.Expression, topic: str) -> bool:
    if isinstance(part, exp.In):
        return meta_field(part.this, topic, only=True) == "partition"
    if not isinstance(part, exp.EQ | exp.LT | exp.LTE | exp.GT | exp.GTE):
        return False
    left, right = (meta_field(side, topic, only=True) for side in (part.this, part.expression))
    if "partition" in (left, right):
        return isinstance(part, exp.EQ)
    return (left == "offset" and isinstance(part, exp.LT | exp.LTE)) or (
        right == "offset" and isinstance(part, exp.GT | exp.GTE)
    )
