"""What an operator does, in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace.plan.operators import (
    Aggregate,
    Emit,
    LookupJoin,
    Match,
    Over,
    Rank,
    RankFunction,
    Sort,
    StreamJoin,
    Table,
    TableJoin,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.plan.operators import AggregateCall, Feed, Kernel, Order, Rank, Window

_EMIT = {Emit.COMMIT: "at each commit", Emit.RECORD: "at each record", Emit.FINAL: "when windows close"}


def kernel_text(kernel: Kernel) -> str:
    """Describe an operator over the columns of its inputs."""
    if isinstance(kernel, Aggregate):
        calls = ", ".join(_call(call, kernel.feed) for call in kernel.calls) or "distinct groups"
        by = ", ".join(column.name for column in kernel.feed.key)
        window = "" if kernel.window is None else f", {_window(kernel.window)}"
        return f"aggregate {calls}{f' by {by}' if by else ''}{window}, results {_EMIT[kernel.emit]}"
    if isinstance(kernel, StreamJoin) and kernel.window is not None:
        return f"{kernel.kind.value} join of streams in equal windows, grace {kernel.grace} ms"
    if isinstance(kernel, StreamJoin) and kernel.before + kernel.after < 0:
        return f"{kernel.kind.value} join of streams, none of whose rows meet"
    if isinstance(kernel, StreamJoin):
        within = f"from {kernel.before} ms before to {kernel.after} ms after, grace {kernel.grace} ms"
        return f"{kernel.kind.value} join of streams, {within}"
    if isinstance(kernel, LookupJoin):
        whole = ", the whole table in every thread" if kernel.broadcast else ""
        return f"{kernel.kind.value} join of a stream with a table{whole}"
    if isinstance(kernel, TableJoin):
        return f"{kernel.kind.value} join of tables"
    if isinstance(kernel, Table):
        return "table, the latest row of each key" + (", rows counted" if kernel.counted else "")
    if isinstance(kernel, Sort):
        by = _order(kernel.order, kernel.feed)
        return f"in the order of event time{f', then by {by}' if by else ''}, grace {kernel.grace} ms"
    if isinstance(kernel, Over):
        return _over(kernel)
    if isinstance(kernel, Match):
        by = ", ".join(column.name for column in kernel.feed.key)
        within = "" if kernel.within is None else f", within {kernel.within} ms"
        return f"match {kernel.text}{f' by {by}' if by else ''}{within}"
    return _rank(kernel)


def _call(call: AggregateCall, feed: Feed) -> str:
    arguments = [feed.value[index].name for index in call.arguments] or ["*"]
    if call.limit is not None:
        arguments.append(str(call.limit))
    if call.parameter is not None:
        arguments.append(repr(call.parameter))
    shown = f"{call.function}({'DISTINCT ' if call.distinct else ''}{', '.join(arguments)})"
    return shown if call.filter is None else f"{shown} where {feed.value[call.filter].name}"


def _window(window: Window) -> str:
    advance = "" if window.advance is None else f" every {window.advance} ms"
    offset = f" from {window.offset} ms on" if window.offset else ""
    return f"{window.kind.value} {window.size} ms{advance}{offset}, grace {window.grace} ms"


def _over(kernel: Over) -> str:
    calls = ", ".join(_call(call, kernel.feed) for call in kernel.calls)
    by = ", ".join(column.name for column in kernel.feed.key)
    by = f" by {by}" if by else ""
    if (stretch := kernel.stretch) is not None:
        length = "all time" if stretch.length is None else f"the {stretch.length} ms"
        over = f"the rows of its time and of {length} before"
        return f"each row with {calls} over {over}{by}, when its time has passed, grace {stretch.grace} ms"
    rows = "all rows" if kernel.preceding is None else f"{kernel.preceding} rows"
    order = f"ordered by {_order(kernel.order, kernel.feed)}" if kernel.order else "as they come"
    return f"each row with {calls} over it and the {rows} before{by}, {order}"


def _rank(kernel: Rank) -> str:
    order = _order(kernel.order, kernel.feed)
    by = ", ".join(column.name for column in kernel.feed.key)
    function = "" if kernel.function is RankFunction.ROW_NUMBER else f" by {kernel.function.value.upper()}"
    return f"first {kernel.limit}{function}{f' by {by}' if by else ''}, ordered by {order}"


def _order(terms: Sequence[Order], feed: Feed) -> str:
    return ", ".join(
        feed.value[item.column].name + (" descending" if item.descending else "") for item in terms
    )
