"""In which task rows are: whether the inputs of a join meet there already, and through which topics they are sent if not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlglot import exp

from headrace.formats.interface import Format
from headrace.plan.operators import Changes, JoinKind, WindowKind
from headrace.plan.topology import Facet
from headrace.planner.relations import SelectRelation, TopicReads
from headrace.planner.stateful.aggregate import AggregateDraft
from headrace.planner.stateful.drafts import WINDOW_BOUNDS, OperatorDraft
from headrace.planner.stateful.rank import RankDraft
from headrace.planner.stateful.table import windows_of_keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from headrace.planner.relations import Relation
    from headrace.planner.stateful.drafts import FeedDraft
    from headrace.planner.typed import Typed

_ONE_FORM: Final = (Format.INT, Format.LONG, Format.STRING, Format.BYTES, Format.ROWS)
"""Formats in which equal keys have equal bytes, whoever writes them."""


@dataclass(frozen=True, slots=True)
class Placement:
    """What decides the partition of a row: the bytes of its key, and how many partitions there are.

    Args:
        format: of the key.
        types: of the parts of the key.
        partitions: of the topic.
        topic: whose keys these are, if another writer may put the same key in other bytes.
    """

    format: Format
    types: tuple[pa.DataType, ...]
    partitions: int
    topic: str | None = None


def placement(rows: SelectRelation, key: Sequence[Typed]) -> Placement | None:
    """Give what places rows, if it is just this key; None otherwise."""
    if not all(isinstance(part.node, exp.Column) for part in key):
        return None
    origins = [rows.source.origin(part.node.name) for part in key]
    reads = rows.reads
    if isinstance(reads, TopicReads):
        side = reads.topic.key
        if not rows.key_passes or side.window is not None or len(key) != 1:
            return None
        if origins != [rows.source.origin(rows.source.pull(Facet.KEY, ()).node.name)]:
            return None
        topic = None if side.format in _ONE_FORM else reads.topic.name
        return Placement(side.format, (key[0].type,), reads.partitions, topic)
    assert isinstance(reads, OperatorDraft)
    if [None if name is None else reads.own_column(name) for name in origins] != list(reads.placed_by):
        return None
    for feed in sorted(reads.feeds, key=lambda feed: feed.repartition is not None):
        found = placement_of_feed(feed)
        if found is not None:
            return found
    return None


def is_key(rows: SelectRelation, key: Sequence[Typed]) -> bool:
    """Say whether a key is what tells the rows of a table apart, so that there is one row of each at most."""
    if is_single(rows):
        # What is computed from its one row changes with it.
        return all(_is_constant(rows.source, part.node) for part in key)
    origins, identity = _origins(rows, key), _identity(rows)
    known = origins == identity or origins == identity - _implied(rows)
    return known and all(_plain(part.node) for part in key)


def is_single(rows: SelectRelation) -> bool:
    """Say whether a table has one row at most: an aggregate of all rows, without a window."""
    return not _identity(rows)


def is_of_key(rows: SelectRelation, part: Typed) -> bool:
    """Say whether a value is made of what tells the rows of a table apart."""
    if is_single(rows):
        return _is_constant(rows.source, part.node)
    return _origins(rows, [part]) <= _identity(rows)


def _origins(rows: SelectRelation, key: Sequence[Typed]) -> set[str | None]:
    """Give the columns at the bottom that a key is made of."""
    origins = {origin for part in key for origin in _below(rows.source, part.node)}
    reads = rows.reads
    if not isinstance(reads, OperatorDraft):
        return origins
    return {None if name is None else reads.own_column(name) for name in origins}


def _is_constant(relation: Relation, node: exp.Expression) -> bool:
    """Say whether an expression over rows has one value for them all, also through the columns of SELECTs."""
    for column in node.find_all(exp.Column):
        below = relation.pulled.get(column.name) if isinstance(relation, SelectRelation) else None
        if (
            below is None
            or not isinstance(relation, SelectRelation)
            or not _is_constant(relation.source, below)
        ):
            return False
    return True


def _below(relation: Relation, node: exp.Expression) -> set[str | None]:
    """Give the columns at the bottom that an expression over rows is made of; also of records that a SELECT hands on."""
    found: set[str | None] = set()
    for column in node.find_all(exp.Column):
        below = relation.pulled.get(column.name) if isinstance(relation, SelectRelation) else None
        if below is not None and isinstance(relation, SelectRelation) and _plain(below):
            found |= _below(relation.source, below)
        else:
            found.add(relation.origin(column.name))
    return found


def _identity(rows: SelectRelation) -> set[str | None]:
    """Give the columns at the bottom that tell rows apart; none that a query has put other keys in the place of."""
    reads = rows.reads
    if isinstance(reads, TopicReads):
        if not rows.key_passes:
            return {""}
        parts = [rows.source.pull(Facet.KEY, ()), *windows_of_keys(rows.source, reads)]
        return {rows.source.origin(part.node.name) for part in parts}
    assert isinstance(reads, OperatorDraft)
    if isinstance(reads, RankDraft) and reads.has_single_rows:
        return set(reads.placed_by)
    return set(reads.identity)


def _implied(rows: SelectRelation) -> set[str | None]:
    """Give the column, among those that tell rows apart, that follows from the others: a bound of windows of one size."""
    reads = rows.reads
    if not isinstance(reads, AggregateDraft) or reads.window is None:
        return set()
    if reads.window.kind in (WindowKind.TUMBLE, WindowKind.HOP):
        return {WINDOW_BOUNDS["end"]}
    return {WINDOW_BOUNDS["start"]} if reads.window.kind is WindowKind.CUMULATE else set()


def _plain(node: exp.Expression) -> bool:
    """Say whether different rows have different values: columns and records of them have."""
    if isinstance(node, exp.Paren):
        return _plain(node.this)
    if isinstance(node, exp.Struct):
        return all(_plain(part.expression) for part in node.expressions)
    return isinstance(node, exp.Column)


def place(left: FeedDraft, right: FeedDraft, join: JoinKind) -> None:
    """Let rows of equal keys meet in one task, with repartition topics where they do not.

    Args:
        left: an input of a join.
        right: the other one.
        join: which of their rows come out without a partner.
    """
    feeds = (left, right)
    counts = {reads.partitions for feed in feeds for reads in feed.reads}
    single = [len(feed.branches) == 1 for feed in feeds]
    if counts == {1} and all(single):
        return
    there = [
        placement(feed.branches[0].rows, feed.branches[0].key) if alone else None
        for feed, alone in zip(feeds, single, strict=True)
    ]
    if there[0] is not None and there[0] == there[1]:
        return
    for feed, preserving, found in (
        (right, JoinKind.RIGHT, there[0]),
        (left, JoinKind.LEFT, there[1]),
    ):
        if found is not None and _takes(found, feed, preserved=join in (preserving, JoinKind.FULL)):
            # The other side stays where it is, if this one is placed as its keys are.
            feed.repartition = found.partitions
            feed.key_format = found.format
            return
    for feed in feeds:
        feed.repartition = max(counts)


def placement_of_feed(feed: FeedDraft) -> Placement | None:
    """Give what places the rows of an input, if it is just the key that they have there; None otherwise."""
    branch = feed.branches[0]
    if feed.repartition is None:
        return placement(branch.rows, branch.key)
    types = tuple(column.type for column in feed.key_columns())
    return Placement(feed.key_format, types, feed.repartition)


def _takes(found: Placement, feed: FeedDraft, *, preserved: bool) -> bool:
    """Say whether rows can be placed as others are, by keys of one type and form.

    A null has no bytes of its own but in ROWS, so that a row and its deletion would part: that matters where rows with
    a null come out.
    """
    if found.format not in _ONE_FORM:
        return False
    parts = feed.key_columns()
    nulls = any(part.nullable for part in feed.branches[0].key)
    if found.format is not Format.ROWS and preserved and nulls and feed.changes is Changes.RETRACT:
        return False
    return tuple(column.type for column in parts) == found.types
