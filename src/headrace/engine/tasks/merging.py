"""Decides which topics are merged with one another before they are processed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from headrace.plan.operators import LookupJoin
from headrace.plan.subtopologies import subtopologies

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence, Set

    from headrace.plan.subtopologies import Subtopology
    from headrace.plan.topology import Topology


@dataclass(frozen=True, slots=True)
class Merge:
    """Sources that are read in one order.

    Args:
        sources: keys of `Topology.sources`, in the order in which records of one time are taken.
        across: all partitions that a thread reads are in one order, not only those of one task.
        feeders: numbers of the merges that write repartition topics which this one reads.
        waits: for a source that other merges write what is read beside: their numbers.
    """

    sources: tuple[str, ...]
    across: bool
    feeders: tuple[int, ...] = ()
    waits: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


def merges(topology: Topology) -> list[Merge]:
    """Give each source its place.

    Sub-topologies that write to repartition topics are read across partitions, and together if what they write meets
    again in one sub-topology and none of them is behind another. A table that a stream looks rows up in goes before others:
    at one time its rows are there first.
    """
    tables = _looked_up(topology)
    groups = subtopologies(topology)
    written = {group.id: _written(topology, group) for group in groups}
    reads = {group.id: {topology.sources[name].topic for name in group.sources} for group in groups}
    depths = _depths(written, reads)
    found: list[Merge] = []
    taken: set[str] = set()
    for group in groups:
        if group.id in taken:
            continue
        together = _meeting(group.id, written, reads) if written[group.id] else {group.id}
        together = {item for item in together if depths[item] == depths[group.id]}
        taken |= together
        sources = tuple(name for item in groups if item.id in together for name in item.sources)
        sources = tuple(sorted(sources, key=lambda name: name not in tables))
        found.append(Merge(sources, across=bool(written[group.id])))
    return _with_feeders(topology, found)


def _depths(written: Mapping[str, Set[str]], reads: Mapping[str, Set[str]]) -> dict[str, int]:
    """Give how many repartition topics rows have gone through at most before a sub-topology, none of which feeds itself."""
    found: dict[str, int] = {}

    def depth(group: str) -> int:
        if group not in found:
            found[group] = max(
                (1 + depth(name) for name in written if written[name] & reads[group]), default=0
            )
        return found[group]

    return {group: depth(group) for group in written}


def _with_feeders(topology: Topology, found: list[Merge]) -> list[Merge]:
    groups = {name: group for group in subtopologies(topology) for name in group.sources}
    writes = [
        frozenset[str]().union(*(_written(topology, groups[name]) for name in merge.sources))
        for merge in found
    ]
    feeding = [
        {
            name: {number for number, topics in enumerate(writes) if topology.sources[name].topic in topics}
            for name in merge.sources
        }
        for merge in found
    ]
    feeders = [set[int]().union(*writers.values()) for writers in feeding]
    made = []
    for number, merge in enumerate(found):
        waits = {
            name: tuple(sorted(feeders[number] - writers - _before(writers, feeders)))
            for name, writers in feeding[number].items()
        }
        waits = {name: numbers for name, numbers in waits.items() if numbers}
        made.append(replace(merge, feeders=tuple(sorted(feeders[number])), waits=waits))
    return made


def _before(numbers: Set[int], feeders: Sequence[Set[int]]) -> set[int]:
    """Give the merges from which records come to these, over any number of topics."""
    found: set[int] = set()
    left = [*numbers]
    while left:
        more = feeders[left.pop()] - found
        found |= more
        left += more
    return found


def _looked_up(topology: Topology) -> frozenset[str]:
    """Give the sources that make up tables of lookup joins, by way of operators and repartition topics too."""
    feeding = {item.id: [feed.source for feed in item.task_feeds] for item in topology.operators}
    writers: dict[str, list[str]] = {}
    for pipeline in topology.pipelines:
        writers.setdefault(topology.sinks[pipeline.sink].topic, []).append(pipeline.source)
    kernels = (item.kernel for item in topology.operators)
    left = [
        kernel.table.source for kernel in kernels if isinstance(kernel, LookupJoin) and not kernel.broadcast
    ]
    found: set[str] = set()
    while left:
        name = left.pop()
        if name in found:
            continue
        found.add(name)
        source = topology.sources.get(name)
        left += feeding[name] if source is None else writers.get(source.topic, []) if source.internal else []
    return frozenset(found & topology.sources.keys())


def _written(topology: Topology, group: Subtopology) -> frozenset[str]:
    """Give the repartition topics that a sub-topology writes."""
    members = {*group.sources, *group.operators}
    sinks = (topology.sinks[item.sink] for item in topology.pipelines if item.source in members)
    return frozenset(sink.topic for sink in sinks if sink.internal)


def _meeting(first: str, written: dict[str, frozenset[str]], reads: dict[str, set[str]]) -> set[str]:
    """Give the writers whose topics are read together, directly or by way of others."""
    found, topics = {first}, set(written[first])
    while True:
        for read in reads.values():
            if read & topics:
                topics |= read
        more = {name for name, names in written.items() if names & topics} - found
        if not more:
            return found
        found |= more
        for name in more:
            topics |= written[name]
