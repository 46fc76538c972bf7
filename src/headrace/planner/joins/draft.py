"""The join operators while they are planned: two inputs, and of each the columns that readers ask for."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from headrace.plan.operators import (
    Changes,
    Feed,
    JoinKind,
    JoinWindow,
    Kernel,
    LookupJoin,
    StreamJoin,
    Table,
    TableJoin,
)
from headrace.plan.topology import Facet
from headrace.planner.duckdb_types import storable
from headrace.planner.relations import NoSuchField, follow, pack
from headrace.planner.stateful.calls import brought
from headrace.planner.stateful.drafts import OperatorDraft, OperatorRelation
from headrace.planner.stateful.formats import formats_of
from headrace.planner.typed import Typed
from headrace.types.coercion import common_type

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.formats.interface import Path
    from headrace.planner.scope import Rows, Scope


class Sort(StrEnum):
    """What is joined with what."""

    STREAMS = "stream-join"
    LOOKUP = "lookup-join"
    """A stream, which is the first input, with a table."""
    TABLES = "table-join"


@dataclass(frozen=True, slots=True)
class Within:
    """How far apart rows of two streams may be, in milliseconds; see `plan.operators.StreamJoin`."""

    before: int
    after: int
    grace: int
    window: JoinWindow | None = None
    """Where rows meet in windows, rather than so far apart."""


@dataclass(slots=True, eq=False)
class KeepingDraft(OperatorDraft):
    """An operator that keeps, of each input, the columns that its readers ask for.

    Args:
        key_names: what the parts of a key of several columns are called.
    """

    key_names: list[str] = field(default_factory=list)
    _below: list[dict[str, Typed]] = field(default_factory=list)
    """For each input, by the operator's own name: what the column is over the rows that go in."""
    _further: list[dict[str, tuple[Typed, ...]]] = field(default_factory=list)
    """The same over the rows of the other branches of a UNION ALL."""
    _called: dict[str, str] = field(default_factory=dict)
    """By their names in queries: what the user calls columns."""

    def __post_init__(self) -> None:
        self._below = [{} for _ in self.feeds]
        self._further = [{} for _ in self.feeds]
        for index, part in enumerate(self._keys):
            self.column(f"k{index}", part.type)

    @property
    def _keys(self) -> list[Typed]:
        return self.feeds[0].branches[0].key

    @property
    def _prefixes(self) -> tuple[str, ...]:
        """What the names of columns begin with, for each input."""
        return ("l", "r")

    @property
    def identity(self) -> frozenset[str]:
        """The key: the rows of a table have each another one."""
        return frozenset(self.placed_by)

    @property
    def placed_by(self) -> tuple[str, ...]:
        """The key."""
        return tuple(f"k{index}" for index in range(len(self._keys)))

    @property
    def key_type(self) -> pa.DataType:
        """The one part of the key, or a record of several."""
        return self.key(()).type

    @property
    def value_type(self) -> pa.DataType:
        """Columns belong to sources: see `JoinRelation`."""
        return pa.struct([])

    def value(self, path: Path) -> Typed:
        """Refuse: columns belong to sources."""
        raise NoSuchField(0, (), pa.struct([]))

    def key(self, path: Path) -> Typed:
        """Give the key, or a part of it."""
        parts = [self.key_part(index) for index in range(len(self._keys))]
        if len(parts) == 1:
            found, rest = parts[0], path
        elif not path:
            return pack(self.key_names, parts)
        else:
            if path[0] not in self.key_names:
                raise NoSuchField(0, self.key_names, pa.struct([]))
            found, rest = parts[self.key_names.index(path[0])], path[1:]
        try:
            follow(found.type, rest)
        except NoSuchField as missing:
            depth = missing.depth + len(path) - len(rest)
            raise NoSuchField(depth, missing.candidates, missing.kind) from None
        for name in rest:
            found = found.field(name)
        return found

    def key_part(self, index: int) -> Typed:
        """Give one column of the key."""
        kind = self._keys[index].type
        nullable = any(branch.key[index].nullable for feed in self.feeds for branch in feed.branches)
        return Typed(self.column(f"k{index}", kind), kind, nullable)

    def padded(self, side: int) -> bool:
        """Say whether the columns of an input may be null, where the other's row has no partner."""
        return False

    def carry(self, side: int, below: Typed, called: str, further: Sequence[Typed] = ()) -> Typed:
        """Give a column of an input, kept from now on.

        Args:
            side: which input.
            below: the column over the rows that go in.
            called: what the user calls it.
            further: the column over the rows of the other branches of a UNION ALL.
        """
        nodes = [part.node for part in (below, *further)]
        below = _common(below, further)
        if not self.padded(side):
            branches = self.feeds[side].branches
            for index, part in enumerate(branches[0].key):
                if part.type.equals(below.type) and [branch.key[index].node for branch in branches] == nodes:
                    found = self.key_part(index)
                    return replace(found, nullable=found.nullable and below.nullable)
        kept, others = self._below[side], self._further[side]
        name = next(
            (
                own
                for own, known in kept.items()
                if [known.node, *(part.node for part in others[own])] == nodes
            ),
            None,
        )
        if name is None:
            name = f"{self._prefixes[side]}{len(kept)}"
            kept[name], others[name] = below, tuple(further)
            self._called[self.column(name, below.type).name] = called
        return Typed(self.column(name, below.type), below.type, below.nullable or self.padded(side))

    def prune(self, used: set[str]) -> None:
        """Keep the columns that are read, numbered anew."""
        kept = {name: column for name, column in self.columns.items() if name[0] not in self._prefixes}
        for feed, below, further, prefix in zip(
            self.feeds, self._below, self._further, self._prefixes, strict=True
        ):
            left = [(self.columns[name], part, further[name]) for name, part in below.items()]
            left = [item for item in left if item[0][0].name in used]
            for number, branch in enumerate(feed.branches):
                parts = [(part, *others)[number] for _, part, others in left]
                kinds = [storable(part.type) for _, part, _ in left]
                branch.value = [brought(part, kind) for part, kind in zip(parts, kinds, strict=True)]
                branch.words += [self._called[column[0].name] for column, _, _ in left]
            below.clear()
            further.clear()
            for index, (column, part, others) in enumerate(left):
                name = f"{prefix}{index}"
                kept[name], below[name], further[name] = column, part, others
        self.columns = kept

    def label(self, name: str) -> str:
        """Give what the program calls a column."""
        if name[0] == "k":
            return self.key_names[int(name[1:])]
        return self._called.get(self.columns[name][0].name, name)


@dataclass(slots=True, eq=False)
class JoinDraft(KeepingDraft):
    """A join.

    Args:
        sort: what its inputs are.
        join: which rows without a partner come out.
        within: of two streams.
    """

    sort: Sort = Sort.STREAMS
    join: JoinKind = JoinKind.INNER
    within: Within | None = None
    broadcast: bool = False
    """The table is whole in every thread: rows of the stream stay in their tasks, and keep their keys."""
    keeps_key: bool = False
    """Rows of the left side come out under their own keys, whatever they are joined on."""

    @property
    def kind(self) -> str:
        """It is a join."""
        return "join"

    @property
    def changes(self) -> Changes:
        """A table where both inputs are; pairs of a stream are facts."""
        return Changes.RETRACT if self.sort is Sort.TABLES else Changes.APPEND

    @property
    def partitions(self) -> int:
        """Partitions of the tasks."""
        return max(feed.partitions for feed in (self.feeds[:1] if self.broadcast else self.feeds))

    @property
    def placed_by(self) -> tuple[str, ...]:
        """The key; nothing that the join has where rows stay in the tasks of the stream."""
        return ("",) if self.broadcast else KeepingDraft.placed_by.__get__(self)

    @property
    def identity(self) -> frozenset[str]:
        """What is joined on."""
        return frozenset(f"k{index}" for index in range(len(self._keys)))

    @property
    def key_type(self) -> pa.DataType:
        """What is joined on; with a table that is whole everywhere the key of the stream."""
        if self.broadcast or self.keeps_key:
            return self.feeds[0].branches[0].rows.type_of(Facet.KEY)
        return self.key(()).type

    def key(self, path: Path) -> Typed:
        """Give the key, or a part of it."""
        if not self.broadcast and not self.keeps_key:
            return KeepingDraft.key(self, path)
        below, *further = (branch.rows.source.pull(Facet.KEY, path) for branch in self.feeds[0].branches)
        return self.carry(0, below, ".".join(("_key", *path)), further)

    def keep_key(self) -> None:
        """Let rows of the left side come out under their own keys."""
        self.keeps_key = True
        rows = self.feeds[0].branches[0].rows
        self.key_format = formats_of(rows, [rows.source.pull(Facet.KEY, ())])[0]

    def kernel(self, feeds: tuple[Feed, ...]) -> Kernel:
        """Give the operator."""
        left, right = feeds
        if self.sort is Sort.TABLES:
            return TableJoin(left, right, self.join)
        if self.sort is Sort.LOOKUP:
            return LookupJoin(left, right, self.join, self.broadcast)
        assert self.within is not None
        within = self.within
        return StreamJoin(left, right, self.join, within.before, within.after, within.grace, within.window)

    def key_part(self, index: int) -> Typed:
        """Give one of the values that are joined on: a null meets nothing."""
        found = KeepingDraft.key_part(self, index)
        return replace(found, nullable=found.nullable and self.join is not JoinKind.INNER)

    def padded(self, side: int) -> bool:
        """Say whether the columns of an input may be null, where the other's row has no partner."""
        other = JoinKind.RIGHT if side == 0 else JoinKind.LEFT
        return self.join in (other, JoinKind.FULL)


@dataclass(slots=True, eq=False)
class RestoredDraft(KeepingDraft):
    """The result of a join of tables that is not on the keys of both: its rows under the keys that tell them apart."""

    @property
    def kind(self) -> str:
        """It is a table."""
        return "table"

    @property
    def changes(self) -> Changes:
        """Old rows are what it knows."""
        return Changes.RETRACT

    @property
    def _prefixes(self) -> tuple[str, ...]:
        return ("v",)

    def kernel(self, feeds: tuple[Feed, ...]) -> Kernel:
        """Give the operator."""
        return Table(feeds[0], counted=True)


@dataclass(slots=True)
class SideRows:
    """One source of a join, as it is read over the rows that the join gives.

    Args:
        draft: the join.
        side: which input of it.
        below: the source over the rows of that input.
        alias: its name.
        when: a condition without which a row of the table that was looked up counts as none.
        further: the source over the rows of the other branches of a UNION ALL.
    """

    draft: KeepingDraft
    side: int
    below: Rows
    alias: str
    when: exp.Expression | None = None
    further: Sequence[Rows] = ()

    def type_of(self, facet: Facet) -> pa.DataType:
        """Give the type of the key or the value."""
        return self.below.type_of(facet)

    def pull(self, facet: Facet, path: Path) -> Typed:
        """Give a column. Raises NoSuchField."""
        parts = path if facet is Facet.VALUE and path else (facet.value, *path)
        others = [rows.pull(facet, path) for rows in self.further]
        found = self.draft.carry(
            self.side, self.below.pull(facet, path), ".".join((self.alias, *parts)), others
        )
        if self.when is None:
            return found
        return Typed(
            exp.Case(ifs=[exp.If(this=self.when.copy(), true=found.node)]), found.type, nullable=True
        )


def _common(first: Typed, others: Sequence[Typed]) -> Typed:
    """Give a column of several branches with the type that they have in common."""
    kind, nullable = first.type, first.nullable
    for part in others:
        common = common_type(kind, part.type)
        assert common is not None
        kind, nullable = common, nullable or part.nullable
    return Typed(first.node, kind, nullable) if others else first


@dataclass(slots=True)
class JoinRelation(OperatorRelation):
    """The rows of a join.

    Args:
        scopes: its sources over these rows, in the order of the text.
        merged: columns that USING has made one of, by name.
        hidden: alias and name of those that `*` leaves out: another source shows them.
        where: conditions that rows must meet besides; who reads the rows adds them to its own.
    """

    scopes: list[Scope] = field(default_factory=list)
    merged: dict[str, Typed] = field(default_factory=dict)
    hidden: set[tuple[str, str]] = field(default_factory=set)
    where: tuple[exp.Expression, ...] = ()

    def type_of(self, facet: Facet) -> pa.DataType:
        """Give the type of the key, or the record of all columns."""
        if facet is Facet.KEY:
            return self.reads.key_type
        fields = []
        for name in self.columns():
            found = self.pull(facet, (name,))
            fields.append(pa.field(name, found.type, found.nullable))
        return pa.struct(fields)

    def columns(self) -> dict[str, Scope]:
        """Give the columns of all sources by name, and the first source that has each."""
        found: dict[str, Scope] = {}
        for scope in self.scopes:
            kind = scope.relation.type_of(Facet.VALUE)
            for index in range(kind.num_fields if pa.types.is_struct(kind) else 0):
                found.setdefault(kind.field(index).name, scope)
        return found

    def pull(self, facet: Facet, path: Path) -> Typed:
        """Give a column of the rows."""
        if facet is not Facet.VALUE:
            return OperatorRelation.pull(self, facet, path)
        owners = self.columns()
        if not path:
            names = list(owners)
            return pack(names, [self.pull(facet, (name,)) for name in names])
        if path[0] not in owners:
            raise NoSuchField(0, owners, pa.struct([]))
        if len(path) == 1 and path[0] in self.merged:
            return self.merged[path[0]]
        return owners[path[0]].relation.pull(facet, path)
