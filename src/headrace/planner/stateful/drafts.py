"""Operators while the program is planned: which rows go in, under which columns, and what comes out.

A draft is mutable, since its readers decide parts of it: which columns a table keeps, whether old rows must come out too.
`planner.assembly` turns the drafts that are reachable from targets into operators.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pyarrow as pa
from sqlglot import exp

from headrace.formats.interface import Format
from headrace.plan.operators import OP, TIME, Changes, Column, Feed, Kernel
from headrace.plan.topology import Facet
from headrace.planner.duckdb_types import carried, storable
from headrace.planner.relations import INPUT, NoSuchField, SelectRelation
from headrace.planner.typed import Typed
from headrace.types.coercion import common_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from headrace.formats.interface import Path
    from headrace.planner.relations import Names, Reads, Relation
    from headrace.planner.stateful.combining import Merged

_PREFIXES: Final = "kwnavlr"

OWN_META: Final = ("timestamp",)
"""Fields of `_meta` that the row of an operator has: it has no place in a topic."""

WINDOW_BOUNDS: Final = {"start": "w0", "end": "w1"}
"""Fields of `_window`, and the operator's columns that they are."""


@dataclass(slots=True)
class Branch:
    """Rows on the way into an operator, and the columns that it takes of them.

    Args:
        rows: they have no columns of their own, only conditions.
        key: what rows are grouped, joined or told apart by.
        value: arguments, or columns that are carried on.
        op: the kind of each row (int8), where it is not that of the row itself.
        words: what the user calls the columns of key and value, for the fingerprint of the state.
    """

    rows: SelectRelation
    key: list[Typed]
    value: list[Typed]
    op: exp.Expression | None = None
    words: list[str] = field(default_factory=list)


@dataclass(slots=True)
class FeedDraft:
    """One input of an operator.

    Args:
        branches: where rows come from. Several of them meet in a repartition topic; keys and values go by position.
        changes: what the rows are.
        repartition: partitions of the topic through which rows go to the task of their key; None if they are there already.
        label: which input of an operator with several it is, for the name of that topic.
        key_format: of the keys in that topic, where they stand beside those of a topic that others write.
        merged: how rows of one group may become one on their way into that topic; None: they go one by one, as they are.
    """

    branches: list[Branch]
    changes: Changes = Changes.APPEND
    repartition: int | None = None
    label: str = ""
    key_format: Format = Format.ROWS
    merged: Merged | None = None

    @property
    def partitions(self) -> int:
        """Partitions of what the operator reads."""
        return self.repartition or self.branches[0].rows.reads.partitions

    @property
    def reads(self) -> list[Reads]:
        """What stands at the bottom of each branch."""
        return [branch.rows.reads for branch in self.branches]

    def key_columns(self) -> tuple[Column, ...]:
        """Give names and types of the key."""
        return _columns("k", [branch.key for branch in self.branches])

    def value_columns(self) -> tuple[Column, ...]:
        """Give names and types of the value."""
        return _columns("v", [branch.value for branch in self.branches])

    def labels(self) -> tuple[str, ...]:
        """Give what the program calls the columns of key and value; nothing if not all have a name."""
        first = self.branches[0]
        return tuple(first.words) if len(first.words) == len(first.key) + len(first.value) else ()


@dataclass(slots=True, eq=False)
class OperatorDraft(ABC):
    """An operator. It is what its readers have at the bottom of their queries.

    Args:
        names: makes the names of columns.
        feeds: its inputs.
        key_format, value_format: how results are written where the program does not say it.
        columns: of the rows that come out, by the operator's own names: the name in queries, and the type.
        retracts: a reader needs old rows as well.
    """

    names: Names
    feeds: list[FeedDraft]
    key_format: Format
    value_format: Format
    columns: dict[str, tuple[exp.Expression, pa.DataType]] = field(default_factory=dict)
    retracts: bool = False

    @property
    def partitions(self) -> int:
        """Partitions of the tasks."""
        return max(feed.partitions for feed in self.feeds)

    @property
    def topics(self) -> frozenset[str]:
        """The topics that rows come from, directly or through operators."""
        return frozenset(topic for feed in self.feeds for reads in feed.reads for topic in reads.topics)

    @property
    @abstractmethod
    def kind(self) -> str:
        """What it is, in the name of its store."""

    @property
    @abstractmethod
    def changes(self) -> Changes:
        """What comes out."""

    @property
    @abstractmethod
    def identity(self) -> frozenset[str]:
        """Names, among `columns`, of those that tell rows apart: they are the same in an update's old and new row."""

    @property
    @abstractmethod
    def placed_by(self) -> tuple[str, ...]:
        """Names, among `columns`, of those that decide in which partition a row is."""

    @abstractmethod
    def kernel(self, feeds: tuple[Feed, ...]) -> Kernel:
        """Give the operator's work, once its inputs are known."""

    @abstractmethod
    def key(self, path: Path) -> Typed:
        """Give the key of a row, or a part of it. Raises NoSuchField."""

    @abstractmethod
    def value(self, path: Path) -> Typed:
        """Give the value of a row, or a part of it. Raises NoSuchField."""

    @property
    @abstractmethod
    def key_type(self) -> pa.DataType:
        """Type of the key."""

    @property
    @abstractmethod
    def value_type(self) -> pa.DataType:
        """Type of the value."""

    def prune(self, used: set[str]) -> None:  # noqa: B027 - most operators give what they give
        """Leave out what no reader uses; `used` are names in queries."""

    def label(self, name: str) -> str:
        """Give what the program calls a column of the operator."""
        return name

    def column(self, name: str, kind: pa.DataType) -> exp.Expression:
        """Give a column of the rows under its name in queries; the operator has it from now on."""
        known = self.columns.get(name)
        if known is None:
            known = self.columns[name] = (self.names.column("p", kind), kind)
        return known[0].copy()

    def own_column(self, name: str) -> str | None:
        """Give the operator's name of a column that has this one in queries."""
        return next((own for own, (node, _) in self.columns.items() if node.name == name), None)

    def output_columns(self) -> tuple[Column, ...]:
        """Give the operator's columns, without those that all operators have."""
        own = sorted((name for name in self.columns if not name.startswith("_")), key=_place)
        return tuple(Column(name, carried(self.columns[name][1])) for name in own)


@dataclass(slots=True)
class OperatorRelation:
    """The rows that an operator gives."""

    reads: OperatorDraft
    tombstones: bool = False
    marked: bool = False
    key_passes: bool = True
    value_passes: bool = False
    sets_time: bool = False

    @property
    def has_kinds(self) -> bool:
        """Whether rows are changes of a table."""
        return self.reads.changes is not Changes.APPEND

    @property
    def table(self) -> bool | None:
        """Whether rows are the latest value of their key."""
        return self.has_kinds

    def type_of(self, facet: Facet) -> pa.DataType:
        """Give the type of the key or the value."""
        return self.reads.key_type if facet is Facet.KEY else self.reads.value_type

    def pull(self, facet: Facet, path: Path) -> Typed:
        """Give a column of the rows."""
        if facet is Facet.KEY:
            return self.reads.key(path)
        if facet is Facet.VALUE:
            return self.reads.value(path)
        if facet is Facet.META and path == OWN_META:
            return Typed(self.reads.column(TIME, pa.int64()), pa.int64(), nullable=False)
        if facet is Facet.META and path == (OP,):
            return Typed(self.reads.column(OP, pa.int8()), pa.int8(), nullable=False)
        if facet is Facet.META and path[:1] == ("_window",) and len(path) == 2:
            name = WINDOW_BOUNDS.get(path[1])
            if name in self.reads.columns:
                return Typed(self.reads.column(name, pa.int64()), pa.int64(), nullable=False)
        raise NoSuchField(0, OWN_META if facet is Facet.META else (), pa.null())

    def render(self, needed: set[str]) -> exp.Expression:
        """Give the relation with the operator's columns."""
        return exp.to_table(INPUT)

    def origin(self, column: str) -> str | None:
        """Give the column itself."""
        return column


def changes_of(relation: Relation) -> Changes:
    """Give what the rows of a relation are, where it stands on an operator; a stream otherwise."""
    if relation.has_kinds and isinstance(relation.reads, OperatorDraft):
        return relation.reads.changes
    return Changes.APPEND


def need_old_rows(relation: Relation) -> None:
    """Let the operator below give old rows too: a reader takes them away from something."""
    if relation.has_kinds and isinstance(relation.reads, OperatorDraft):
        relation.reads.retracts = True


def only_identity(relation: Relation, nodes: Iterable[exp.Expression]) -> bool:
    """Say whether expressions over the rows of a table depend on nothing but what tells its rows apart."""
    reads = relation.reads
    assert isinstance(reads, OperatorDraft)
    for node in nodes:
        for column in node.find_all(exp.Column):
            origin = relation.origin(column.name)
            if origin is None or reads.own_column(origin) not in reads.identity:
                return False
    return True


def together(rows: SelectRelation, key: Sequence[Typed]) -> bool:
    """Say whether rows with equal keys are in one partition already."""
    reads = rows.reads
    if reads.partitions == 1:
        return True
    origins = {rows.source.origin(part.node.name) for part in key if isinstance(part.node, exp.Column)}
    if isinstance(reads, OperatorDraft):
        owned = {reads.own_column(name) for name in origins if name is not None}
        return set(reads.placed_by) <= owned
    if not rows.key_passes:
        return False
    whole = rows.source.pull(Facet.KEY, ()).node
    return rows.source.origin(whole.name) in origins


def _place(name: str) -> tuple[int, int]:
    """Give where a column stands among the others: key, window and number before values, each in its order."""
    return _PREFIXES.index(name[0]), int(name[1:])


def _columns(prefix: str, branches: Sequence[Sequence[Typed]]) -> tuple[Column, ...]:
    found = []
    for index, parts in enumerate(zip(*branches, strict=True)):
        kind = parts[0].type
        for part in parts[1:]:
            common = common_type(kind, part.type)
            assert common is not None
            kind = common
        found.append(Column(f"{prefix}{index}", carried(storable(kind))))
    return tuple(found)
