"""Which sides of a join are streams and which are tables, and whether they go together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace.errors.codes import plan as codes
from headrace.plan.operators import JoinKind
from headrace.planner.faults import refusal
from headrace.planner.joins.draft import Sort
from headrace.sql.nodes import Mode
from headrace.sql.spans import nearest_span

if TYPE_CHECKING:
    from headrace.sql.nodes import Join


def sides(
    node: Join, join: JoinKind, mode: str | None, said: tuple[bool | None, bool | None]
) -> tuple[bool, bool]:
    """Say for each side whether it is a table.

    A topic is what the SELECT makes of it. Under SELECT TABLE, and where no word stands, both are tables. Under SELECT STREAM the
    first is a stream and the second a table; with WITHIN both are streams; of a RIGHT JOIN without it the second is the stream.

    Args:
        node: the text.
        join: what becomes of rows without a partner.
        mode: the word after SELECT, if there is one.
        said: what is known of the sides; None for a topic.
    """
    if node.args.get("within") is not None:
        return said[0] is True, said[1] is True
    if mode != Mode.STREAM and False not in said:
        return said[0] is not False, said[1] is not False
    if said[0] is None and said[1] is None:
        # A row of the preserved side is what happens; the other one is looked up.
        return join is JoinKind.RIGHT, join is not JoinKind.RIGHT
    if said[0] is None:
        return said[1] is False and join is JoinKind.RIGHT, said[1] is True
    if said[1] is None:
        # One side at least is a stream.
        return said[0] is True, said[0] is False
    return said[0] is True, said[1] is True


def sort_of(
    node: Join,
    join: JoinKind,
    tables: tuple[bool, bool],
    mode: str | None,
    names: tuple[str, str],
    *,
    windowed: bool,
) -> Sort:
    """Give what kind of join it is.

    Raises:
        ProgramError: the sides do not go together.
    """
    within = node.args.get("within")
    left, right = names
    if within is not None and any(tables):
        table = left if tables[0] else right
        message = f"WITHIN joins two streams, and `{table}` is a table"
        way_out = "leave out WITHIN: a table is joined with what it holds at that moment"
        raise refusal(codes.BAD_JOIN, message, nearest_span(within), way_out)
    if mode == Mode.TABLE and not all(tables):
        if within is not None:
            message, place = "WITHIN joins two streams, and SELECT TABLE reads tables", within
        else:
            stream = right if tables[0] else left
            message, place = f"SELECT TABLE joins tables, and `{stream}` is a stream", node
        raise refusal(codes.BAD_JOIN, message, nearest_span(place), "write SELECT STREAM")
    if all(tables):
        return Sort.TABLES
    if not any(tables):
        if within is None and not windowed:
            message = f"`{left}` and `{right}` are streams, and the join does not say how far apart their rows may be"
            way_out = "write for example `WITHIN 10m`, or read one of them with SELECT TABLE in a WITH"
            raise refusal(codes.BAD_JOIN, message, nearest_span(node), way_out)
        return Sort.STREAMS
    stream, table = (right, left) if tables[0] else (left, right)
    preserved = JoinKind.RIGHT if tables[0] else JoinKind.LEFT
    if join not in (JoinKind.INNER, preserved):
        message = (
            f"rows of the table `{table}` cannot come out without a partner: the join gives a row for each of "
            f"the stream `{stream}`"
        )
        way_out = f"write INNER JOIN or {preserved.name} JOIN"
        raise refusal(codes.BAD_JOIN, message, nearest_span(node), way_out)
    return Sort.LOOKUP
