"""What the clauses of a join say: which rows come out, how far apart they may be, and what cannot stand where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace.errors.codes import plan as codes
from headrace.plan.operators import JoinKind
from headrace.planner.faults import refusal
from headrace.planner.joins.draft import Within
from headrace.sql.spans import nearest_span, span_of

if TYPE_CHECKING:
    from sqlglot import exp

    from headrace.plan.operators import JoinWindow
    from headrace.sql.nodes import Duration, Join


def kind_of(node: Join) -> JoinKind:
    """Give which rows without a partner come out.

    Raises:
        ProgramError: no stream can run this kind of join.
    """
    side, kind, method = node.args.get("side"), node.args.get("kind"), node.args.get("method")
    if method or kind in ("CROSS", "SEMI", "ANTI"):
        message = f"a {method or kind} JOIN cannot run in a stream"
        ways_out = {
            "CROSS": "say which rows belong together: `JOIN … ON a.x = b.y`",
            "NATURAL": "name the columns: `JOIN … USING (x)`",
            "ANTI": "write LEFT JOIN, and `WHERE … IS NULL` for what the other side must not have",
        }
        raise refusal(codes.NOT_YET, message, nearest_span(node), ways_out.get(str(method or kind)))
    return JoinKind(side.lower()) if side else JoinKind.INNER


def is_comma(node: Join) -> bool:
    """Say whether sources stand side by side with a comma."""
    return not node.args.get("side") and not node.args.get("kind")


def need_filter(join: JoinKind, parts: list[exp.Expression], *, keeps: bool) -> None:
    """Refuse conditions that are no equalities where they cannot filter the result."""
    if join is JoinKind.INNER and keeps:
        return
    message = f"ON of a {join.name} JOIN in a stream takes equalities between both sides"
    if join is JoinKind.INNER:
        message = "a condition other than an equality cannot stand before a RIGHT or FULL JOIN"
    way_out = "write it in WHERE, if it is meant to filter the result; put an INNER JOIN with it into a WITH"
    raise refusal(codes.JOIN_CONDITION, message, nearest_span(parts[0]), way_out)


def refuse_grace(node: Join) -> None:
    """Refuse GRACE BY where no stream waits for another.

    Raises:
        ProgramError: it is there.
    """
    if node.args.get("grace") is not None:
        message = "GRACE BY says how much longer rows of two streams wait for one another, and a table is joined here"
        raise refusal(codes.BAD_WINDOW, message, span_of(node.args["grace"]), "leave it out")


def within(node: Join, window: JoinWindow | None) -> Within:
    """Give how far apart rows of two streams may be, or the window in which they meet.

    Raises:
        ProgramError: a length of time that has no fixed number of milliseconds.
    """
    grace = node.args.get("grace")
    longer = 0 if grace is None else _millis(grace)
    if window is not None:
        return Within(0, 0, longer, window)
    length = node.args["within"]
    before = _millis(length.this)
    after = _millis(length.args["after"]) if length.args.get("after") is not None else before
    return Within(before, after, longer)


def _millis(node: Duration) -> int:
    try:
        return node.millis
    except ValueError as fault:
        message = f"{fault}, so it is no time between rows"
        way_out = "write it in days, such as `30d`"
        if node.args["unit"] == "M":
            way_out = f"`M` is months: write `{node.this}m` for minutes, or days, such as `30d`"
        raise refusal(codes.BAD_WINDOW, message, span_of(node), way_out) from None
