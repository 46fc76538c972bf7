"""The plan of a snapshot query: what is scanned, and the DuckDB query over it. Only data, as `plan.topology`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headrace.functions.user import UserFunction
    from headrace.plan.operators import Column
    from headrace.plan.topology import SourceTopic


@dataclass(frozen=True, slots=True)
class Bounds:
    """Which records of a topic can matter, from conditions that every row of the result must meet.

    A scan may read more than these, never less: the query keeps its WHERE.

    Args:
        partitions: numbers of the partitions; None is all.
        first_offset: read from this offset on (inclusive).
        end_offset: read up to this offset (exclusive).
        last_offsets: read at most so many of the last offsets of each partition (`LAST_OFFSET() - n`).
        first_time: read from the first record whose timestamp (epoch ms) is not earlier.
    """

    partitions: frozenset[int] | None = None
    first_offset: int | None = None
    end_offset: int | None = None
    last_offsets: int | None = None
    first_time: int | None = None


@dataclass(frozen=True, slots=True)
class Scan:
    """One topic as a relation of the query.

    Args:
        relation: its name in the query: `t0`, `t1`, …; it has the columns of the source, and `_tombstone`.
        source: topic, formats and the columns that are read.
        bounds: what need not be read.
    """

    relation: str
    source: SourceTopic
    bounds: Bounds = field(default_factory=Bounds)


@dataclass(frozen=True, slots=True)
class StateScan:
    """The state of a processor as a relation of the query.

    Args:
        relation: its name in the query: `state0`, `state1`, …; its columns are `c0`, `c1`, ….
        application: the application id of the processor.
        store: name of the store.
        columns: what the columns are called, and their types.
    """

    relation: str
    application: str
    store: str
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class SnapshotPlan:
    """A snapshot query, ready to run.

    Args:
        scans: the topics; a topic that is named twice is scanned twice, each with its own name.
        query: a SELECT over the scans' relations.
        names: of the result's columns as the user wrote them, in order (DuckDB's may differ in case); None: as DuckDB has them.
        limit: stop after so many rows, where no row that comes later can change them; None reads to the end.
        setup: SQL to run once on the connection before the query.
        functions: user functions that the query calls.
        states: the stores of processors; one that is named twice is read twice.
        views: SQL that makes the tables which the query names, over the relations; to be run before it.
        follows: whether `--follow` makes sense: one scan, and each record gives its rows independent of all others.
    """

    scans: tuple[Scan, ...]
    query: str
    names: tuple[str, ...] | None
    limit: int | None = None
    setup: tuple[str, ...] = ()
    functions: tuple[UserFunction, ...] = ()
    follows: bool = False
    states: tuple[StateScan, ...] = ()
    views: tuple[str, ...] = ()
