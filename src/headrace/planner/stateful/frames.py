"""What stands in OVER: which rows the functions of a SELECT are over, by their number or by their time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlglot import exp

from headrace.errors.codes import plan as codes
from headrace.planner.faults import refusal
from headrace.planner.joins.intervals import length_of
from headrace.planner.stateful.calls import own_nodes
from headrace.planner.stateful.picking import refuse_lead, rows_back
from headrace.planner.stateful.rank import is_ranking
from headrace.planner.stateful.windows import length_of as grace_length
from headrace.planner.stateful.windows import window_node
from headrace.sql.spans import nearest_span, span_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.errors.diagnostic import ProgramError, Span

MOST: Final = 1_000
"""So many rows before a row can be asked for: the results over them are made anew for each row."""

_TEN_ROWS: Final = "`ROWS BETWEEN 10 PRECEDING AND CURRENT ROW` takes each row and the ten before it"
_ROWS: Final = f"{_TEN_ROWS}, UNBOUNDED PRECEDING all of them"
_RANGE: Final = (
    "`RANGE BETWEEN INTERVAL '10' MINUTE PRECEDING AND CURRENT ROW` takes all of the last ten minutes"
)


@dataclass(frozen=True, slots=True)
class Frames:
    """Which rows the functions of a SELECT are over.

    Args:
        partition: what rows are partitioned by.
        order: what they are ordered by.
        preceding: how many rows before each; None: all.
        by_time: the rows are those of a stretch of time, those of the time of the row among them.
        length: of that stretch, in milliseconds; None: it has no beginning.
    """

    partition: list[exp.Expression]
    order: list[exp.Expression]
    preceding: int | None = None
    by_time: bool = False
    length: int | None = None

    def need_number(self, place: Span | None) -> None:
        """Refuse any number of rows, as there may be over a table.

        Raises:
            ProgramError: there may be.
        """
        if self.by_time:
            message = (
                "RANGE takes the rows of a stretch of time, and rows of a table have no time that passes"
            )
            way_out = f"{_TEN_ROWS}; or read a stream (SELECT STREAM)"
            raise refusal(codes.BAD_OVER, message, place, way_out)
        if self.preceding is None:
            message = "over a table each change would change the results of all rows behind it"
            way_out = f"say how many rows count: {_TEN_ROWS}; or read a stream (SELECT STREAM)"
            raise refusal(codes.BAD_OVER, message, place, way_out)


def aggregates_over(select: exp.Select) -> list[exp.Window]:
    """Give the functions OVER rows of a SELECT that do not rank, in its columns or in QUALIFY."""
    parts = [*select.expressions, select.args.get("qualify")]
    return [
        node
        for part in parts
        if part is not None
        for node in own_nodes(part)
        if isinstance(node, exp.Window) and not is_ranking(node)
    ]


def over_time(select: exp.Select) -> bool:
    """Say whether a SELECT has a function OVER a stretch of time: its rows wait, and some come late.

    Raises:
        ProgramError: it cuts time into windows too.
    """
    found = [node for node in aggregates_over(select) if _kind(node) == "RANGE"]
    if found and window_node(select) is not None:
        message = "WINDOW BY and RANGE in OVER cannot stand in one SELECT of a stream"
        raise refusal(codes.NOT_YET, message, nearest_span(found[0]), "write WINDOW BY in a WITH")
    return bool(found)


def grace_of(select: exp.Select, *, clock: bool) -> int:
    """Give how long after its time a row OVER a stretch of time may come, in milliseconds.

    Args:
        select: its text.
        clock: the time of its rows is the machine's clock, so that none of them comes late.

    Raises:
        ProgramError: nothing says it.
    """
    node = select.args.get("grace")
    if node is not None:
        return grace_length(node, zero=True)
    if clock:
        return 0
    message = (
        "RANGE holds rows until all rows of their time are there, and nothing says how late these may be"
    )
    way_out = "add `GRACE BY 10s`, behind FROM and WHERE; later rows are counted, and left out"
    raise refusal(codes.BAD_OVER, message, nearest_span(aggregates_over(select)[0]), way_out)


def frames_of(nodes: Sequence[exp.Window]) -> Frames:
    """Read what stands in OVER, which is the same for all of them.

    Raises:
        ProgramError: there are two different ones, or one that cannot run.
    """
    for node in nodes:
        refuse_lead(node)
    first = nodes[0]
    backs = [(node, back) for node in nodes if (back := rows_back(node)) is not None]
    framed = [node for node in nodes if all(node is not other for other, _ in backs)]
    parts = ("partition_by", "order", "alias")
    for node in nodes[1:]:
        if any(node.args.get(part) != first.args.get(part) for part in parts):
            raise _two_kinds(node)
    for node in framed[1:]:
        if node.args.get("spec") != framed[0].args.get("spec"):
            raise _two_kinds(node)
    if first.args.get("alias") is not None:
        message = "OVER in a stream does not take the name of a window"
        raise refusal(codes.NOT_YET, message, nearest_span(first), "write what stands behind the name")
    ordered = first.args.get("order")
    if ordered is None:
        message = "which rows stand before a row is a matter of order, and there is none"
        way_out = "add `ORDER BY _meta.timestamp`"
        raise refusal(codes.BAD_OVER, message, nearest_span(first), way_out)
    partition, order = list(first.args.get("partition_by") or ()), list(ordered.expressions)
    if framed and _kind(framed[0]) == "RANGE":
        if backs:
            raise _two_kinds(backs[0][0])
        return Frames(partition, order, by_time=True, length=_length(framed[0].args["spec"]))
    preceding = _preceding(framed[0], framed[0].args.get("spec")) if framed else 0
    return Frames(partition, order, _reach(preceding, backs, alone=not framed))


def _kind(node: exp.Window) -> str | None:
    spec = node.args.get("spec")
    return None if spec is None else str(spec.args["kind"])


def _two_kinds(node: exp.Window) -> ProgramError:
    message = "the functions OVER of a SELECT are over the same rows, and these are over two kinds of them"
    return refusal(codes.NOT_YET, message, nearest_span(node), "compute one of them in a WITH")


def _reach(preceding: int | None, backs: Sequence[tuple[exp.Window, int]], *, alone: bool) -> int | None:
    """Give how many rows before each are taken; None: all. LAG says itself how far it goes back.

    Args:
        preceding: how many the other functions take.
        backs: each LAG, and how far it goes back.
        alone: there are no others.
    """
    for node, back in backs:
        if (spec := node.args.get("spec")) is not None:
            message = "LAG says itself how far it goes back"
            raise refusal(codes.BAD_OVER, message, nearest_span(spec), "leave out what stands there")
        if back > MOST:
            raise _too_far(nearest_span(node))
        if alone:
            preceding = max(preceding or 0, back)
        elif preceding is None or preceding < back:
            raise _two_kinds(node)
    return preceding


def _too_far(place: Span | None) -> ProgramError:
    message = (
        f"up to {MOST:,} rows before a row can be taken: the results over them are made anew for each row"
    )
    way_out = "take UNBOUNDED PRECEDING, or a window: `WINDOW BY HOP 10m,1m`"
    return refusal(codes.BAD_OVER, message, place, way_out)


def _preceding(node: exp.Window, spec: exp.WindowSpec | None) -> int | None:
    """Give how many rows before each the frame has; None: all."""
    if spec is None:
        message = (
            "an aggregate OVER ordered rows without ROWS takes in rows of equal order that are yet to come"
        )
        way_out = f"{_ROWS}; RANGE UNBOUNDED PRECEDING waits for those of equal time"
        raise refusal(codes.BAD_OVER, message, nearest_span(node), way_out)
    start, place = _start(spec, _ROWS), nearest_span(spec)
    if start is None:
        return None
    if start == "CURRENT ROW":
        return 0
    if not isinstance(start, exp.Expression) or not start.is_int or int(start.to_py()) < 0:
        raise refusal(codes.NOT_CONSTANT, "the number of rows before a row is a whole number", place, _ROWS)
    if int(start.to_py()) > MOST:
        raise _too_far(place)
    return int(start.to_py())


def _length(spec: exp.WindowSpec) -> int | None:
    """Give how long the stretch of time is, in milliseconds; None: it has no beginning."""
    start = _start(spec, _RANGE)
    if start is None:
        return None
    if start == "CURRENT ROW":
        return 0
    # A bare number would be milliseconds to one and rows to another.
    known = isinstance(start, exp.Expression) and not isinstance(start, exp.Literal)
    length = length_of(start) if known and isinstance(start, exp.Expression) else None
    if length is None:
        message = (
            "how far RANGE goes back is a length of time that is known, of whole milliseconds, up to days"
        )
        place = span_of(start) if isinstance(start, exp.Expression) else None
        raise refusal(
            codes.NOT_CONSTANT, message, place or nearest_span(spec), f"{_RANGE}, or `10m PRECEDING`"
        )
    return length


def _start(spec: exp.WindowSpec, way_out: str) -> exp.Expression | str | None:
    """Give where a frame begins; None: at the first of all rows.

    Raises:
        ProgramError: it is of a kind that cannot run, or has rows that follow.
    """
    place = nearest_span(spec)
    start, end = spec.args.get("start"), spec.args.get("end") or "CURRENT ROW"
    kind = spec.args["kind"]
    if kind not in ("ROWS", "RANGE") or spec.args.get("exclude"):
        shown = "EXCLUDE" if spec.args.get("exclude") else kind
        raise refusal(
            codes.NOT_YET, f"{shown} in OVER cannot run in a stream yet", place, f"{_ROWS}; {_RANGE}"
        )
    if end != "CURRENT ROW" or spec.args.get("start_side") == "FOLLOWING":
        raise refusal(codes.BAD_OVER, "rows that follow are not there yet", place, way_out)
    return None if start == "UNBOUNDED" else start
