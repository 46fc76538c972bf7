"""Joins by conditions on time: `a.at BETWEEN b.at - INTERVAL '5' SECOND AND b.at + INTERVAL '1' HOUR` says what WITHIN says.

Such conditions count where both sides of them are event times: `_meta.timestamp`, what EVENTTIME BY takes, or other names for
these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlglot import exp

from headrace.errors import ProgramError
from headrace.plan.topology import Facet
from headrace.planner.laterals import LateralRelation
from headrace.planner.relations import NoSuchField, SelectRelation
from headrace.sql.nodes import Duration, Within
from headrace.sql.spans import nearest_span, set_span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from headrace.planner.relations import Relation
    from headrace.planner.scope import Rows
    from headrace.planner.typed import Typed

    Compile = Callable[[int, exp.Expression], Typed]
    """Compiles an expression over the rows of the left (0) or right (1) side. Raises ProgramError."""

_UNITS: Final = {"MILLISECOND": 1, "SECOND": 1000, "MINUTE": 60_000, "HOUR": 3_600_000, "DAY": 86_400_000}

_COMPARISONS: Final[dict[type[exp.Expression], tuple[int, int]]] = {
    exp.GTE: (1, 0),
    exp.GT: (1, 1),
    exp.LTE: (-1, 0),
    exp.LT: (-1, 1),
}
"""Which side of a comparison is the later one, and by how many milliseconds at least."""


@dataclass(slots=True)
class Interval:
    """How much later than a row on the left one on the right is, milliseconds; None: no bound.

    Args:
        conditions: those that say it.
    """

    least: int | None = None
    most: int | None = None
    conditions: tuple[exp.Expression, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether no time lies in it."""
        return self.least is not None and self.most is not None and self.least > self.most


def interval_of(
    parts: Iterable[exp.Expression], sides: tuple[Relation, Relation], compiled: Compile
) -> Interval:
    """Give what conditions say about the event times of two sides; other conditions say nothing.

    Args:
        parts: conditions that are all met.
        sides: the rows of the left and the right side.
        compiled: compiles expressions over them.
    """
    interval = Interval()
    for part in parts:
        pairs = _comparisons(part)
        bounds = [found for pair in pairs if (found := _bound(*pair, sides, compiled)) is not None]
        if not bounds or len(bounds) < len(pairs):
            continue
        for least, most in bounds:
            if least is not None:
                interval.least = least if interval.least is None else max(interval.least, least)
            if most is not None:
                interval.most = most if interval.most is None else min(interval.most, most)
        interval.conditions = (*interval.conditions, part)
    return interval


def within(interval: Interval) -> tuple[Within, bool] | None:
    """Give an interval as WITHIN, and whether this says all of it; None where it has no end on one of its sides."""
    if interval.least is None or interval.most is None:
        return None
    place = nearest_span(interval.conditions[0])
    whole = interval.is_empty or interval.least <= 0 <= interval.most
    least = interval.least if interval.is_empty else min(interval.least, 0)
    most = interval.most if interval.is_empty else max(interval.most, 0)
    lengths = [Duration(this=length, unit="ms") for length in (-least, most)]
    node = Within(this=lengths[0], after=lengths[1])
    if place is not None:
        for part in (node, *lengths):
            set_span(part, place)
    return node, whole


def _comparisons(part: exp.Expression) -> Sequence[tuple[exp.Expression, exp.Expression, int]]:
    """Give what a condition compares: the later expression, the earlier one, and by how much at least."""
    while isinstance(part, exp.Paren):
        part = part.this
    if isinstance(part, exp.Between):
        return ((part.this, part.args["low"], 0), (part.args["high"], part.this, 0))
    known = _COMPARISONS.get(type(part))
    if known is None:
        return ()
    sign, least = known
    pair = (part.this, part.expression) if sign > 0 else (part.expression, part.this)
    return ((*pair, least),)


def _bound(
    later: exp.Expression,
    earlier: exp.Expression,
    least: int,
    sides: tuple[Relation, Relation],
    compiled: Compile,
) -> tuple[int | None, int | None] | None:
    """Give the bound, below or above, of right time less left time that a comparison sets; None if it sets none."""
    found, before = _time(later, sides, compiled), _time(earlier, sides, compiled)
    if found is None or before is None or found[0] == before[0]:
        return None
    (side, offset), other = found, before[1]
    # later + offset - (earlier + other) >= least
    if side == 1:
        return least + other - offset, None
    return None, offset - other - least


def _time(
    node: exp.Expression, sides: tuple[Relation, Relation], compiled: Compile
) -> tuple[int, int] | None:
    """Give of which side an expression is the event time, and how many milliseconds are added to it."""
    while isinstance(node, exp.Paren):
        node = node.this
    if isinstance(node, exp.Add | exp.Sub):
        length = length_of(node.expression)
        inner = None if length is None else _time(node.this, sides, compiled)
        if inner is None or length is None:
            return None
        return inner[0], inner[1] + (length if isinstance(node, exp.Add) else -length)
    for side, relation in enumerate(sides):
        try:
            found = compiled(side, node)
        except ProgramError:
            continue
        return (side, 0) if is_event_time(relation, found.node) else None
    return None


def is_event_time(relation: Rows, node: exp.Expression) -> bool:
    """Say whether an expression over rows is their event time."""
    while isinstance(relation, SelectRelation | LateralRelation):
        if isinstance(relation, SelectRelation):
            if isinstance(node, exp.Column):
                node = relation.pulled.get(node.name, node)
            time = relation.event_time
            if time is not None:
                return node in _taken(time.node)
        relation = relation.source
    try:
        return node == relation.pull(Facet.META, ("timestamp",)).node
    except NoSuchField:
        return False


def _taken(time: exp.Expression) -> tuple[exp.Expression, ...]:
    """Give what EVENTTIME BY takes the time from: it stands behind checks, and becomes milliseconds."""
    number = time.args.get("default") if isinstance(time, exp.Case) else None
    if not isinstance(number, exp.Cast):
        return (time,)
    inner = number.this
    if isinstance(inner, exp.Anonymous) and inner.this == "epoch_ms":
        return time, inner, inner.expressions[0]
    return time, inner


def length_of(node: exp.Expression) -> int | None:
    """Give a length of time that is written out, in milliseconds; None if it is none."""
    if isinstance(node, Duration):
        try:
            return node.millis
        except ValueError:
            return None
    if isinstance(node, exp.Interval):
        unit, number = node.args.get("unit"), node.this
        if not isinstance(number, exp.Literal):
            return None
        # `INTERVAL '10' MINUTE` and `INTERVAL '10 minutes'` are the same.
        words = [*number.name.split(), *([] if unit is None else [str(unit.name)])]
        if len(words) != 2 or not words[0].isdecimal():
            return None
        scale = _UNITS.get(words[1].upper().removesuffix("S"))
        return None if scale is None else int(words[0]) * scale
    return int(node.to_py()) if isinstance(node, exp.Literal) and node.is_int else None
