"""Lets no sub-topology feed itself.

A chain of joins may use a table again that stands beside the operators before it, on rows that went through a repartition topic
meanwhile. Then one task would read both what it writes and what it writes it from: how far each of them has come would depend
on how records are fetched. The second use gets the table's rows through a repartition topic of its own, so that
it is a sub-topology behind the first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace.formats.interface import Format
from headrace.planner.joins.placement import placement_of_feed
from headrace.planner.relations import TopicReads
from headrace.planner.stateful.drafts import OperatorDraft

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.planner.stateful.drafts import FeedDraft


def separate(drafts: Sequence[OperatorDraft]) -> None:
    """Send inputs of operators through repartition topics where a sub-topology would feed itself otherwise.

    Args:
        drafts: all operators, each behind those that it reads from.
    """
    for draft in drafts:
        for feed in _task_feeds(draft):
            if feed.repartition is None and _feeds_others(feed, draft, _components(drafts)):
                _send(feed, draft)


def _task_feeds(draft: OperatorDraft) -> list[FeedDraft]:
    return [
        feed
        for feed in draft.feeds
        if not any(isinstance(reads, TopicReads) and reads.broadcast for reads in feed.reads)
    ]


def _components(drafts: Sequence[OperatorDraft]) -> dict[int, int]:
    """Give, by identity of a topic or an operator, a number that it shares with what is in its sub-topology."""
    found: dict[int, int] = {}
    for draft in drafts:
        number = found[id(draft)] = len(found)
        for feed in _task_feeds(draft):
            for reads in feed.reads:
                known = found.setdefault(id(reads), len(found))
                if feed.repartition is None:
                    found = {item: number if other == known else other for item, other in found.items()}
    return found


def _feeds_others(feed: FeedDraft, draft: OperatorDraft, components: dict[int, int]) -> bool:
    """Say whether rows of another input went through a topic that is written where this input stands."""
    mine = {components[id(reads)] for reads in feed.reads}
    return any(mine & _passed(other, components) for other in _task_feeds(draft) if other is not feed)


def _passed(feed: FeedDraft, components: dict[int, int]) -> set[int]:
    """Give the sub-topologies that wrote repartition topics on the way of these rows."""
    found: set[int] = set()
    for reads in feed.reads:
        if feed.repartition is not None:
            found.add(components[id(reads)])
        if isinstance(reads, OperatorDraft):
            found = found.union(*(_passed(below, components) for below in _task_feeds(reads)))
    return found


def _send(feed: FeedDraft, draft: OperatorDraft) -> None:
    """Send rows through a topic in which they are placed as those of the other inputs are."""
    for other in _task_feeds(draft):
        place = None if other is feed else placement_of_feed(other)
        if place is not None and place.topic is None:
            feed.repartition, feed.key_format = place.partitions, place.format
            return
    # Only the topic's own writers put its keys into just these bytes.
    partitions = draft.partitions
    for each in _task_feeds(draft):
        each.repartition, each.key_format = partitions, Format.ROWS
