"""WINDOW BY without groups: each row once for every window that it lies in, with the bounds of the window beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from headrace.plan.operators import Window, WindowKind
from headrace.plan.topology import ROW, Facet
from headrace.planner.laterals import LateralRelation
from headrace.planner.relations import SelectRelation, aside, named
from headrace.planner.typed import Typed

if TYPE_CHECKING:
    from headrace.formats.interface import Path
    from headrace.planner.relations import Names, Relation
    from headrace.planner.scope import Rows


@dataclass(slots=True)
class WindowRows(LateralRelation):
    """Rows of a relation, once for each of their windows.

    Args:
        window: how time is cut; its windows are known beforehand.
    """

    window: Window = field(kw_only=True)
    _computed: dict[str, tuple[Typed, exp.Expression]] = field(default_factory=dict)
    """Bounds that are not the element itself, by their names in `_window`: the column, and what it is."""

    def pull(self, facet: Facet, path: Path) -> Typed:
        """Give a column of the rows; `_window.start` and `_window.end` are those of the row's window."""
        if facet is Facet.META and path[:1] == ("_window",) and path[1:] in (("start",), ("end",)):
            return self._bound(path[1])
        return self.source.pull(facet, path)

    def render(self, needed: set[str]) -> exp.Expression:
        """Give the query with the needed columns and bounds."""
        own = {column.node.name: node for column, node in self._computed.values()}
        wanted = sorted(needed & own.keys())
        if not wanted:
            return LateralRelation.render(self, needed)
        kept = sorted(needed - own.keys())
        inner = LateralRelation.render(self, {*kept, self.element.node.name})
        selected: list[exp.Expression] = [exp.column(ROW), *(exp.column(name) for name in kept)]
        selected += [named(own[name], name) for name in wanted]
        return aside(exp.Select(expressions=selected).from_(inner))

    def origin(self, column: str) -> str | None:
        """Give the column at the bottom; bounds of windows are none of them."""
        if any(known.node.name == column for known, _ in self._computed.values()):
            return None
        return LateralRelation.origin(self, column)

    def bound_named(self, column: str) -> str | None:
        """Give `start` or `end` for a column that is this bound of the row's window."""
        for name in ("start", "end"):
            if self._bound(name).node.name == column:
                return name
        return None

    def _bound(self, name: str) -> Typed:
        """Give a bound of a window. Its element is the end of a cumulating window, the start of any other."""
        cumulates = self.window.kind is WindowKind.CUMULATE
        if cumulates == (name == "end"):
            return Typed(self.element.node.copy(), pa.int64(), nullable=False)
        if name not in self._computed:
            element = self.element.node
            node = _sum(element, self.window.size)
            if cumulates:
                node = _aligned(_sum(element, -1), self.window.size, self.window.offset)
            column = self.names.column("x", pa.int64())
            self._computed[name] = Typed(column, pa.int64(), nullable=False), node
        return self._computed[name][0]


def windows_below(relation: Rows) -> WindowRows | None:
    """Give the rows with windows that a query reads, if no operator stands between."""
    while not isinstance(relation, WindowRows):
        if not isinstance(relation, SelectRelation | LateralRelation):
            return None
        relation = relation.source
    return relation


def bound_of(relation: Rows, node: exp.Expression) -> str | None:
    """Give which bound of the row's window an expression over rows is: `start`, `end`, or None."""
    while isinstance(node, exp.Column) and not isinstance(relation, WindowRows):
        if isinstance(relation, SelectRelation):
            below = relation.pulled.get(node.name)
            if below is None:
                return None
            node = below
        elif not isinstance(relation, LateralRelation):
            return None
        relation = relation.source
    if not isinstance(node, exp.Column) or not isinstance(relation, WindowRows):
        return None
    return relation.bound_named(node.name)


def window_rows(rows: Relation, time: Typed, window: Window, names: Names) -> WindowRows:
    """Give rows with their windows. Rows before the first window, in 1970, are in none.

    Args:
        rows: of a stream.
        time: the event time of each row, milliseconds.
        window: TUMBLE, HOP or CUMULATE.
        names: makes the names of columns.
    """
    advance, offset = window.advance or window.size, window.offset
    at: exp.Expression = exp.Anonymous(
        this="greatest",
        expressions=[exp.Coalesce(this=time.node.copy(), expressions=[_number(0)]), _number(0)],
    )
    if window.kind is WindowKind.CUMULATE:
        # Ends: from the next step to the end of the longest.
        first = _sum(_aligned(at, advance, offset), advance)
        last = _sum(_aligned(at, window.size, offset), window.size)
        least = offset + advance
    else:
        first = _aligned(_sum(at, advance - window.size), advance, offset)
        last = _aligned(at, advance, offset)
        least = offset
    first = exp.Anonymous(this="greatest", expressions=[first, _number(least)])
    bounds = [exp.cast(part, "BIGINT", dialect="duckdb") for part in (first, last, _number(advance))]
    array = exp.Anonymous(this="generate_series", expressions=bounds)
    return WindowRows(
        rows, Typed(array, pa.list_(pa.int64()), nullable=False), "_window", names, window=window
    )


def _aligned(node: exp.Expression, length: int, offset: int) -> exp.Expression:
    """Give the last time not after another, perhaps one before 1970, at which a stretch of this length begins."""
    shifted = _sum(node, -offset)
    # DuckDB's remainder has the sign of the number.
    rest = exp.Mod(
        this=_sum(exp.Mod(this=shifted, expression=_number(length)), length), expression=_number(length)
    )
    return exp.Paren(this=exp.Sub(this=node.copy(), expression=exp.Paren(this=rest)))


def _sum(node: exp.Expression, number: int) -> exp.Expression:
    if not number:
        return node.copy()
    return exp.Paren(this=exp.Add(this=node.copy(), expression=_number(number)))


def _number(number: int) -> exp.Expression:
    return exp.Literal.number(number)
