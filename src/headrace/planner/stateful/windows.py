"""The window of a SELECT, in the spelling of either dialect, and when its results come out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from headrace.errors import Diagnostic, Severity
from headrace.errors.codes import plan as codes
from headrace.plan.operators import Emit, Window, WindowKind
from headrace.planner.faults import refusal
from headrace.sql.nodes import Duration
from headrace.sql.nodes import Window as WindowNode
from headrace.sql.spans import nearest_span, span_of

if TYPE_CHECKING:
    from sqlglot import exp

    from headrace.errors import Span
    from headrace.planner.faults import Faults

DAY: Final = 86_400_000

_KINDS: Final = {
    "TUMBLE": WindowKind.TUMBLE,
    "HOP": WindowKind.HOP,
    "CUMULATE": WindowKind.CUMULATE,
    "SESSION": WindowKind.SESSION,
    "SLIDE": WindowKind.SLIDE,
    "SLIDING": WindowKind.SLIDE,
}


def window_node(select: exp.Select) -> WindowNode | None:
    """Give the window of a SELECT.

    Raises:
        ProgramError: it has two.
    """
    group = select.args.get("group")
    found = [
        item for item in (group.expressions if group is not None else ()) if isinstance(item, WindowNode)
    ]
    if isinstance(select.args.get("window"), WindowNode):
        found.append(select.args["window"])
    if len(found) > 1:
        message = "a SELECT has one window, and this one has two"
        raise refusal(codes.BAD_WINDOW, message, nearest_span(found[1]), "write a SELECT for each of them")
    return found[0] if found else None


def window_of(select: exp.Select, faults: Faults, *, clock: bool = False) -> Window | None:
    """Give the window of a SELECT; None if it has none.

    Args:
        select: the SELECT.
        faults: takes warnings.
        clock: the time of its rows is the machine's clock, so that none of them comes late and no grace is needed.

    Raises:
        ProgramError: it cannot run, or GRACE BY stands without one.
    """
    node = window_node(select)
    grace_node = select.args.get("grace")
    if node is None:
        if grace_node is not None:
            message = "GRACE BY says how long a window takes late records, and there is no window"
            way_out = "write `WINDOW BY TUMBLE 1m` before it"
            raise refusal(codes.BAD_WINDOW, message, span_of(grace_node), way_out)
        return None
    word = str(node.args["kind"])
    kind = _KINDS[word]
    if word == "SLIDING" and select.args.get("window") is not node:
        # The runner of 2018 took it for a tumbling window, whatever its pages said.
        kind = WindowKind.TUMBLE
        message = "SLIDING in GROUP BY is a tumbling window, as it was in 2018"
        way_out = "write TUMBLE to say so, or `WINDOW BY SLIDE 5m` for windows that end at each record"
        faults.add([Diagnostic(codes.BAD_WINDOW, message, span_of(node), way_out, (), Severity.WARNING)])
    size = length_of(node.args["size"])
    advance = None
    if kind is WindowKind.HOP:
        advance = length_of(node.args["advance"])
        if advance > size:
            message = (
                "the advance of HOP is longer than its size, so records between the windows would be in none"
            )
            raise refusal(codes.BAD_WINDOW, message, span_of(node.args["advance"]))
    elif kind is WindowKind.CUMULATE:
        advance = length_of(node.args["advance"])
        if advance > size or size % advance:
            message = "the size of CUMULATE is no multiple of its step, so its windows would not end together"
            way_out = "the longest size comes first, then the step: `CUMULATE 1h,10m`"
            raise refusal(codes.BAD_WINDOW, message, span_of(node.args["advance"]), way_out)
    return Window(
        kind, size, _grace(select, node, size, clock=clock), advance, _offset(node, kind, size, advance)
    )


def emit_of(
    select: exp.Select, window: Window | None, by_setting: Emit, place: Span | None, faults: Faults
) -> Emit:
    """Give when results come out.

    Args:
        select: the SELECT with its EMIT.
        window: of the same SELECT.
        by_setting: what `SET emit` says.
        place: of EMIT, for messages.
        faults: takes a warning where the grace is one that nobody chose.

    Raises:
        ProgramError: EMIT FINAL without a window.
    """
    if select.args.get("emit") != "FINAL":
        return by_setting
    if window is None:
        message = "EMIT FINAL gives the results of windows that are closed, and there is no window"
        raise refusal(codes.BAD_EMIT, message, place, "write `WINDOW BY TUMBLE 1m`, or EMIT CHANGES")
    node = window_node(select)
    assert node is not None
    if window.grace and select.args.get("grace") is None and node.args.get("retention") is None:
        message = (
            f"results come out {shown_length(window.grace)} after the end of their window, the default grace"
        )
        way_out = "say how late records may be: `GRACE BY 1m`, or `GRACE BY 0s` for not at all"
        faults.add([Diagnostic(codes.BAD_EMIT, message, place, way_out, (), Severity.WARNING)])
    return Emit.FINAL


def refuse_window_of_rows(select: exp.Select, window: Window, *, over_table: bool) -> None:
    """Refuse what a window over rows that are not grouped cannot be.

    Raises:
        ProgramError: its windows follow the rows, it has a grace, or the rows are those of a table.
    """
    node = window_node(select)
    assert node is not None
    if over_table:
        message = "a window cuts a stream, and the SELECT reads a table"
        raise refusal(codes.NOT_OVER_A_TABLE, message, nearest_span(node), "write SELECT STREAM")
    if window.kind in (WindowKind.SESSION, WindowKind.SLIDE):
        message = f"{node.args['kind']} windows follow the rows of their group, and the SELECT has neither group nor aggregate"
        way_out = "group the rows; the windows of single rows are TUMBLE, HOP and CUMULATE"
        raise refusal(codes.BAD_WINDOW, message, nearest_span(node), way_out)
    if select.args.get("grace") is not None:
        message = "rows with their windows come out at once, so none of them is late"
        way_out = "leave out GRACE BY; it goes with aggregates, and behind the JOIN of such rows"
        raise refusal(codes.BAD_WINDOW, message, span_of(select.args["grace"]), way_out)


def shown_length(millis: int) -> str:
    """Give a length of time as text, in the largest unit that it is a whole number of."""
    for unit, size in (("d", DAY), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if millis and millis % size == 0:
            return f"{millis // size}{unit}"
    return f"{millis}ms"


def _grace(select: exp.Select, node: WindowNode, size: int, *, clock: bool) -> int:
    grace = select.args.get("grace")
    if grace is not None:
        return length_of(grace, zero=True)
    retention = node.args.get("retention")
    if retention is not None:
        return max(length_of(retention) - size, 0)
    return 0 if clock else max(DAY - size, 0)


def _offset(node: WindowNode, kind: WindowKind, size: int, advance: int | None) -> int:
    """Give the offset as one of at least zero, below the length that windows begin at multiples of."""
    offset = node.args.get("offset")
    if offset is None:
        return 0
    millis = _millis(offset)
    return millis % (advance if kind is WindowKind.HOP and advance is not None else size)


def length_of(node: exp.Expression, *, zero: bool = False) -> int:
    """Give a length of time in milliseconds; `zero`: it may be nothing.

    Raises:
        ProgramError: it may not, or has no fixed number of them.
    """
    millis = _millis(node)
    if not millis and not zero:
        raise refusal(codes.BAD_WINDOW, "a window is longer than nothing", span_of(node))
    return millis


def _millis(node: exp.Expression) -> int:
    assert isinstance(node, Duration)
    try:
        return node.millis
    except ValueError as fault:
        message = f"{fault}, so it is no length of a window"
        way_out = "write it in days, such as `30d`"
        if node.args["unit"] == "M":
            way_out = f"`M` is months: write `{node.this}m` for minutes, or days, such as `30d`"
        raise refusal(codes.BAD_WINDOW, message, span_of(node), way_out) from None
