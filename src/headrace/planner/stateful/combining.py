"""Rows on their way through a topic to the task of their group: those of one batch and one group may go as one.

The operator then adds up numbers of rows where it would count them, as in the two phases of Flink SQL's `agg-phase-strategy`
(local and global). Only what gives the same result in any order and any parts is taken: COUNT, SUM of whole numbers, and MIN and
MAX of what has one order everywhere. The windows of a group are those of all its rows, so the rows of one pane of them are
combined: the stretch of time between two places where some window begins or ends.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pyarrow as pa
from sqlglot import exp

from headrace.plan.operators import Changes, Column, Emit, Part, Window, WindowKind
from headrace.planner.duckdb_types import carried
from headrace.planner.relations import TopicReads
from headrace.planner.typed import Typed, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.plan.operators import AggregateCall
    from headrace.planner.stateful.drafts import FeedDraft

_ADDED: Final = "CAST(sum({0}) AS BIGINT)"
_MERGES: Final = {"SUM": _ADDED, "MIN": "min({0})", "MAX": "max({0})"}


@dataclass(slots=True)
class Merged:
    """The columns that rows bring along instead of an aggregate's arguments, and how rows of one group become one.

    Args:
        window: of the operator.
        values: the columns, over single rows. The first says for how many rows a row stands.
        merges: for each of them the expression in DuckDB that puts several into one; `{0}` stands for the column.
        parts: for each call where its part is.
    """

    window: Window | None
    values: list[Typed] = field(default_factory=list)
    merges: list[str] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)

    @property
    def pane(self) -> int:
        """Length in ms of the stretches of time that no window divides; 0 without windows."""
        return 0 if self.window is None else self.window.advance or self.window.size

    def columns(self) -> tuple[Column, ...]:
        """Give names and types of the columns."""
        return tuple(Column(f"u{index}", carried(value.type)) for index, value in enumerate(self.values))

    def add(self, value: Typed, merge: str) -> int:
        """Take a column, once; give its number."""
        for index, known in enumerate(self.values):
            if self.merges[index] == merge and text(known.node) == text(value.node):
                return index
        self.values.append(value)
        self.merges.append(merge)
        return len(self.values) - 1


def merged(
    feed: FeedDraft, calls: Sequence[AggregateCall], emit: Emit, window: Window | None
) -> Merged | None:
    """Give how rows of one group become one; None if they must go one by one.

    Args:
        feed: the input of the aggregate; it goes through a topic.
        calls: the aggregate's, over the values of the feed.
        emit: when results come out.
        window: how time is cut.
    """
    branch = feed.branches[0]
    if len(feed.branches) > 1 or feed.changes is not Changes.APPEND or branch.op is not None:
        return None
    if not isinstance(branch.rows.reads, TopicReads) or branch.rows.has_kinds or emit is Emit.RECORD:
        return None
    if not _has_panes(window) or any(_has_no_one_form(key.type) for key in branch.key):
        return None
    found = Merged(window)
    found.add(_one(), _ADDED)
    for call in calls:
        part = _part(call, branch.value, found)
        if part is None:
            return None
        found.parts.append(part)
    return found


def _part(call: AggregateCall, values: Sequence[Typed], found: Merged) -> Part | None:
    if call.distinct:
        return None
    condition = None if call.filter is None else values[call.filter].node
    if call.function == "COUNT":
        if call.arguments:
            argument = values[call.arguments[0]].node.copy()
            there: exp.Expression = exp.Not(this=exp.Is(this=argument, expression=exp.Null()))
            condition = there if condition is None else exp.And(this=there, expression=condition.copy())
        if condition is None:
            return Part(None, 0)
        number = found.add(_one_if(condition), _ADDED)
        return Part(number, number)
    if not call.arguments:
        return None
    value = values[call.arguments[0]]
    if not (
        (call.function == "SUM" and pa.types.is_int64(value.type))
        or (call.function in ("MIN", "MAX") and _has_one_order(value.type))
    ):
        return None
    if condition is not None:
        case = exp.Case(ifs=[exp.If(this=condition.copy(), true=value.node.copy())])
        value = Typed(case, value.type, nullable=True)
    # How many values there were matters to no result of these: that there was one, does.
    return Part(found.add(value, _MERGES[call.function]), 0)


def _one() -> Typed:
    return Typed(exp.cast(exp.Literal.number(1), "BIGINT", dialect="duckdb"), pa.int64(), nullable=False)


def _one_if(condition: exp.Expression) -> Typed:
    case = exp.Case(
        ifs=[exp.If(this=condition.copy(), true=exp.Literal.number(1))], default=exp.Literal.number(0)
    )
    return Typed(exp.cast(case, "BIGINT", dialect="duckdb"), pa.int64(), nullable=False)


def _has_panes(window: Window | None) -> bool:
    if window is None or window.kind is WindowKind.TUMBLE:
        return True
    return window.kind is WindowKind.HOP and window.advance is not None and window.size % window.advance == 0


def _has_one_order(kind: pa.DataType) -> bool:
    """Say whether values are compared alike everywhere: floating-point numbers and text are left out."""
    return (
        pa.types.is_integer(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_date(kind)
        or pa.types.is_timestamp(kind)
        or pa.types.is_time(kind)
    )


def _has_no_one_form(kind: pa.DataType) -> bool:
    """Say whether equal values may have several forms (0.0 and -0.0), which the operator tells apart and DuckDB does not."""
    if pa.types.is_nested(kind):
        return any(_has_no_one_form(kind.field(index).type) for index in range(kind.num_fields))
    return pa.types.is_floating(kind)
