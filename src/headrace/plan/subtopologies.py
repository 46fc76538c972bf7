"""Cuts a topology into sub-topologies: what must meet in one task, because it shares state or order.

A sub-topology is a connected component of sources and operators. Repartition topics are where one ends and another begins:
the sink that writes such a topic belongs to the one, the source that reads it to the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headrace.plan.topology import Topology


@dataclass(frozen=True, slots=True)
class Subtopology:
    """Sources and operators whose partitions of one number make up a task.

    Args:
        id: the first operator's, or the source's: stable under edits of other parts of the program.
        sources: keys of `Topology.sources`, in its order.
        operators: ids, in the order of `Topology.operators`; none if the program only passes records on.
    """

    id: str
    sources: tuple[str, ...]
    operators: tuple[str, ...]


def subtopologies(topology: Topology) -> tuple[Subtopology, ...]:
    """Give the sub-topologies, in the order of their first sources."""
    group = {name: {name} for name in (*topology.sources, *(item.id for item in topology.operators))}
    for operator in topology.operators:
        for feed in operator.task_feeds:
            whole = group[feed.source] | group[operator.id]
            for name in whole:
                group[name] = whole
    found: list[Subtopology] = []
    seen: set[str] = set()
    for name in topology.sources:
        if name in seen:
            continue
        seen |= group[name]
        sources = tuple(item for item in topology.sources if item in group[name])
        operators = tuple(item.id for item in topology.operators if item.id in group[name])
        found.append(Subtopology(operators[0] if operators else name, sources, operators))
    return tuple(found)
