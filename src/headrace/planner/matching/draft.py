"""The operator of a pattern while it is planned: what goes in of each row, and what comes out of a match."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from sqlglot import exp

from headrace.plan.operators import Changes, Feed, Kernel, Match, MatchMeasure, Skip
from headrace.planner.relations import NoSuchField, follow, pack
from headrace.planner.stateful.drafts import OperatorDraft
from headrace.planner.typed import Typed

if TYPE_CHECKING:
    from headrace.formats.interface import Path


@dataclass(slots=True, eq=False)
class MatchDraft(OperatorDraft):
    """MATCH_RECOGNIZE.

    Args:
        key_names: what the parts of the key are called.
        text: the pattern, for people.
        pattern, conditions, references, skip, within: as those of `Match`.
        measures: what comes out of a match.
        measure_names: what the program calls these.
    """

    key_names: list[str] = field(default_factory=list)
    text: str = ""
    pattern: dict[str, Any] = field(default_factory=dict)
    conditions: list[Any] = field(default_factory=list)
    references: list[dict[str, Any]] = field(default_factory=list)
    measures: list[MatchMeasure] = field(default_factory=list)
    measure_names: list[str] = field(default_factory=list)
    skip: Skip = ("past_last", None)
    within: int | None = None

    @property
    def kind(self) -> str:
        """It is a match."""
        return "match"

    @property
    def changes(self) -> Changes:
        """A match is a fact."""
        return Changes.APPEND

    @property
    def identity(self) -> frozenset[str]:
        """Nothing tells facts apart."""
        return frozenset()

    @property
    def placed_by(self) -> tuple[str, ...]:
        """The key."""
        return tuple(f"k{index}" for index in range(len(self.key_names)))

    def kernel(self, feeds: tuple[Feed, ...]) -> Kernel:
        """Give the operator."""
        return Match(
            feeds[0],
            self.text,
            self.pattern,
            tuple(self.conditions),
            tuple(self.references),
            tuple(self.measures),
            self.skip,
            self.within,
        )

    def label(self, name: str) -> str:
        """Give what the program calls a column."""
        names = self.key_names if name[0] == "k" else self.measure_names
        return names[int(name[1:])]

    @property
    def key_type(self) -> pa.DataType:
        """The one value that rows are partitioned by, a record of several, or the number 0 where all are one partition."""
        return self.key(()).type

    @property
    def value_type(self) -> pa.DataType:
        """Measures have names only in the query over them."""
        return pa.struct([])

    def part(self, index: int) -> Typed:
        """Give a part of the key."""
        found = self.feeds[0].branches[0].key[index]
        return Typed(self.column(f"k{index}", found.type), found.type, found.nullable)

    def key(self, path: Path) -> Typed:
        """Give the key of a match."""
        parts = [self.part(index) for index in range(len(self.key_names))]
        if not parts:
            zero = exp.cast(exp.Literal.number(0), "INTEGER", dialect="duckdb")
            found = Typed(zero, pa.int32(), nullable=False)
        else:
            found = parts[0] if len(parts) == 1 else pack(self.key_names, parts)
        follow(found.type, path)
        for name in path:
            found = found.field(name)
        return found

    def value(self, path: Path) -> Typed:
        """Refuse: the value is made by the query over the matches."""
        raise NoSuchField(0, (), pa.struct([]))

    def measure(self, measure: MatchMeasure, kind: pa.DataType, name: str) -> Typed:
        """Give a column of the matches; what is asked for twice is one."""
        if measure not in self.measures:
            self.measures.append(measure)
            self.measure_names.append(name)
        own = f"a{self.measures.index(measure)}"
        return Typed(self.column(own, kind), kind, measure.take != "count")
