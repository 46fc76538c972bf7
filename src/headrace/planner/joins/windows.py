"""Joins of rows in windows: both sides are cut by the same windows, and ON says that they are equal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from headrace.errors.codes import plan as codes
from headrace.plan.operators import JoinWindow, WindowKind
from headrace.planner.faults import refusal
from headrace.planner.window_rows import bound_of, windows_below
from headrace.sql.spans import nearest_span

if TYPE_CHECKING:
    from headrace.planner.joins.conditions import Key
    from headrace.planner.relations import Relation
    from headrace.sql.nodes import Join


def in_windows(node: Join, left: Relation, right: Relation) -> bool:
    """Say whether rows of both sides have windows and no time is said within which they meet."""
    if node.args.get("within") is not None:
        return False
    return windows_below(left) is not None and windows_below(right) is not None


def join_window(node: exp.Expression, key: Key, left: Relation, right: Relation) -> JoinWindow:
    """Give the window among the keys of a join, or of a condition on another source.

    Raises:
        ProgramError: the windows of both sides differ, or are not joined on.
    """
    mine, theirs = windows_below(left), windows_below(right)
    assert mine is not None
    assert theirs is not None
    place = nearest_span(node.args.get("on") or node)
    if mine.window != theirs.window:
        message = "rows meet in equal windows, and those of the two sides are cut differently"
        raise refusal(codes.BAD_JOIN, message, place, "give both sides the same WINDOW BY")
    cumulates = mine.window.kind is WindowKind.CUMULATE
    for index, pair in enumerate(zip(*key.said, strict=True)):
        bounds = {bound_of(side, part.node) for side, part in zip((left, right), pair, strict=True)}
        if bounds == {"end"}:
            return JoinWindow(index, 0, mine.window.size)
        if bounds == {"start"} and not cumulates:
            return JoinWindow(index, mine.window.size, mine.window.size)
    message = "the join does not say that the windows of both sides are equal"
    bound = "end" if cumulates else "start"
    equality = f"`AND a._window.{bound} = b._window.{bound}`"
    way_out = f"add {equality} to ON, or say how far apart rows may be: `WITHIN 10m`"
    if not isinstance(node, exp.Join):
        way_out = f"add {equality} to the WHERE inside"
    raise refusal(codes.BAD_JOIN, message, place, way_out)
