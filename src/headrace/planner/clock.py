"""Which rows have the machine's clock as their time: those of `EVENTTIME BY PROCTIME()`, and what passes them on at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from headrace.errors.codes import plan as codes
from headrace.plan.operators import JoinKind
from headrace.plan.topology import CLOCK, Facet
from headrace.planner.faults import refusal
from headrace.planner.joins.draft import JoinDraft, Sort
from headrace.planner.laterals import LateralRelation
from headrace.planner.relations import SelectRelation, TopicReads
from headrace.planner.stateful.drafts import OperatorRelation
from headrace.sql.spans import nearest_span

if TYPE_CHECKING:
    from headrace.planner.relations import Relation
    from headrace.planner.stateful.drafts import FeedDraft, OperatorDraft


def takes_clock(relation: Relation, node: exp.Expression, text: exp.Expression) -> bool:
    """Say whether what EVENTTIME BY takes is the clock.

    Args:
        relation: the rows.
        node: what it takes, over them.
        text: the same as the user wrote it.

    Raises:
        ProgramError: it is computed from the clock: rows of such a time could come too late, however soon they come.
    """
    reads = relation.reads
    known = reads.columns.get((Facet.META, (CLOCK,))) if isinstance(reads, TopicReads) else None
    if known is None:
        return False
    found = [column for column in node.find_all(exp.Column) if relation.origin(column.name) == known[0].name]
    if not found:
        return False
    while isinstance(node, exp.Paren):
        node = node.this
    if not isinstance(node, exp.Column):
        message = "EVENTTIME BY takes PROCTIME() as it is, not what is computed from it"
        raise refusal(codes.BAD_EVENT_TIME, message, nearest_span(text), "write `EVENTTIME BY PROCTIME()`")
    return True


def by_clock(relation: Relation) -> bool:
    """Say whether the time of rows is the clock when they are processed: then none of them is late."""
    while True:
        if isinstance(relation, SelectRelation):
            if relation.time is not None:
                return relation.clock
            relation = relation.source
        elif isinstance(relation, LateralRelation):
            relation = relation.source
        else:
            return isinstance(relation, OperatorRelation) and _passes_on(relation.reads)


def fed_by_clock(feed: FeedDraft) -> bool:
    """Say whether all rows of an input have the clock as their time."""
    return all(by_clock(branch.rows) for branch in feed.branches)


def runs_by_clock(draft: OperatorDraft) -> bool:
    """Say whether the stream time of an operator may go with the clock. Of a table that is looked up no time counts."""
    feeds = draft.feeds
    if isinstance(draft, JoinDraft) and draft.sort is Sort.LOOKUP:
        feeds = feeds[:1]
    return all(fed_by_clock(feed) for feed in feeds)


def _passes_on(draft: OperatorDraft) -> bool:
    """Say whether rows come out of an operator as soon as they go in, with their times; others wait in it."""
    if not isinstance(draft, JoinDraft) or not runs_by_clock(draft):
        return False
    if draft.sort is Sort.STREAMS:
        return draft.join is JoinKind.INNER and draft.within is not None and draft.within.window is None
    return draft.sort is Sort.LOOKUP
