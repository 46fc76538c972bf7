"""The aggregate operator while it is planned: its key, its results, and what a query over it reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pyarrow as pa
from sqlglot import exp

from headrace.plan.operators import Aggregate, AggregateCall, Changes, Emit, Feed, Kernel, Window, WindowKind
from headrace.planner.duckdb_types import carried
from headrace.planner.relations import NoSuchField, follow, pack
from headrace.planner.stateful.drafts import WINDOW_BOUNDS, OperatorDraft
from headrace.planner.typed import Typed

if TYPE_CHECKING:
    from headrace.formats.interface import Path
    from headrace.planner.relations import Relation

NEVER_NULL: Final = ("COUNT", "APPROX_COUNT_DISTINCT", "REGR_COUNT")
"""Functions that have a result where there are no values, too."""


@dataclass(slots=True, eq=False)
class AggregateDraft(OperatorDraft):
    """GROUP BY.

    Args:
        calls: the aggregates.
        emit: when results come out.
        window: how time is cut.
        key_names: what the parts of a key of several columns are called.
        key_nullable: which of these may be null.
        call_names: what the results are called.
        keeps_nulls: a group whose values are all null is one like others.
    """

    calls: list[AggregateCall] = field(default_factory=list)
    emit: Emit = Emit.COMMIT
    window: Window | None = None
    key_names: list[str] = field(default_factory=list)
    key_nullable: list[bool] = field(default_factory=list)
    call_names: dict[int, str] = field(default_factory=dict)
    keeps_nulls: bool = False

    def __post_init__(self) -> None:
        for column in self.feeds[0].key_columns():
            self.column(column.name, self._key_kind(int(column.name[1:])))
        if self.window is not None:
            self.column("w0", pa.int64())
            self.column("w1", pa.int64())

    @property
    def kind(self) -> str:
        """It is an aggregate."""
        return "aggregate"

    @property
    def changes(self) -> Changes:
        """Groups that are complete are facts; so are groups that can only appear."""
        if self.emit is Emit.FINAL:
            return Changes.APPEND
        sessions = self.window is not None and self.window.kind is WindowKind.SESSION
        if not self.calls and self.feeds[0].changes is Changes.APPEND and not sessions:
            return Changes.APPEND
        return Changes.RETRACT if self.retracts else Changes.UPSERT

    @property
    def identity(self) -> frozenset[str]:
        """The group and its window."""
        return frozenset(name for name in self.columns if name[0] in "kw")

    @property
    def placed_by(self) -> tuple[str, ...]:
        """The group."""
        return tuple(name for name in self.columns if name[0] == "k")

    def kernel(self, feeds: tuple[Feed, ...]) -> Kernel:
        """Give the operator."""
        calls = tuple(
            AggregateCall(
                call.function,
                call.arguments,
                carried(call.type),
                call.distinct,
                call.filter,
                call.limit,
                call.parameter,
            )
            for call in self.calls
        )
        retracts = self.changes is Changes.RETRACT
        merged = self.feeds[0].merged
        parts = () if merged is None else tuple(merged.parts)
        return Aggregate(feeds[0], calls, self.emit, self.window, retracts, self.keeps_nulls, parts)

    def label(self, name: str) -> str:
        """Give what the program calls a column."""
        if name[0] == "w":
            return next(f"window_{bound}" for bound, own in WINDOW_BOUNDS.items() if own == name)
        index = int(name[1:])
        return self.key_names[index] if name[0] == "k" else self.call_names.get(index, name)

    @property
    def key_type(self) -> pa.DataType:
        """The one grouped value, a record of several, or the number 0 where all rows are one group."""
        if not self.placed_by:
            return pa.int32()
        return self.key(()).type

    @property
    def value_type(self) -> pa.DataType:
        """Results have names only in the SELECT over them."""
        return pa.struct([])

    def key(self, path: Path) -> Typed:
        """Give the group."""
        parts = [self.group(index) for index in range(len(self.placed_by))]
        if len(parts) > 1:
            if not path:
                return pack(self.key_names, parts)
            if path[0] not in self.key_names:
                raise NoSuchField(0, self.key_names, pa.struct([]))
            return _at(parts[self.key_names.index(path[0])], path[1:], 1)
        if not parts:
            if path:
                raise NoSuchField(0, (), pa.int32())
            zero = exp.cast(exp.Literal.number(0), "INTEGER", dialect="duckdb")
            return Typed(zero, pa.int32(), nullable=False)
        return _at(parts[0], path, 0)

    def value(self, path: Path) -> Typed:
        """Refuse: the value is made by the SELECT."""
        raise NoSuchField(0, (), pa.struct([]))

    def group(self, index: int) -> Typed:
        """Give a grouped value."""
        kind = self._key_kind(index)
        return Typed(self.column(f"k{index}", kind), kind, self.key_nullable[index])

    def result(self, index: int) -> Typed:
        """Give the result of a call."""
        call = self.calls[index]
        node = self.column(f"a{index}", call.type)
        return Typed(node, call.type, call.function not in NEVER_NULL)

    def _key_kind(self, index: int) -> pa.DataType:
        return self.feeds[0].branches[0].key[index].type


def window_of(relation: Relation) -> Window | None:
    """Give the window that stands behind the keys of rows, unless a query has put other keys in their place."""
    reads = relation.reads
    if isinstance(reads, AggregateDraft) and relation.key_passes:
        return reads.window
    return None


def _at(found: Typed, path: Path, depth: int) -> Typed:
    try:
        follow(found.type, path)
    except NoSuchField as missing:
        raise NoSuchField(missing.depth + depth, missing.candidates, missing.kind) from None
    for name in path:
        found = found.field(name)
    return found
