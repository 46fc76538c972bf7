"""Stateful operators as JSON, see `headrace.plan.serde`."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any, Final

from headrace.log.interface import TopicDescription
from headrace.plan.operators import (
    Aggregate,
    AggregateCall,
    Changes,
    Column,
    Emit,
    Feed,
    Inputs,
    JoinKind,
    JoinWindow,
    Kernel,
    LookupJoin,
    Match,
    MatchMeasure,
    Operator,
    Order,
    Over,
    Part,
    Rank,
    RankFunction,
    Sort,
    Store,
    StreamJoin,
    Stretch,
    Table,
    TableJoin,
    Window,
    WindowKind,
)
from headrace.plan.types_json import type_from_json, type_to_json

_FEEDS: Final[dict[type[Any], tuple[str, ...]]] = {
    Aggregate: ("feed",),
    StreamJoin: ("left", "right"),
    LookupJoin: ("stream", "table"),
    TableJoin: ("left", "right"),
    Table: ("feed",),
    Rank: ("feed",),
    Sort: ("feed",),
    Over: ("feed",),
    Match: ("feed",),
}
_KERNELS: Final = {
    "aggregate": Aggregate,
    "stream join": StreamJoin,
    "lookup join": LookupJoin,
    "table join": TableJoin,
    "table": Table,
    "rank": Rank,
    "sort": Sort,
    "over": Over,
    "match": Match,
}
_WORDS: Final = {kernel: word for word, kernel in _KERNELS.items()}


def operator_data(operator: Operator) -> dict[str, Any]:
    """Give an operator as a dictionary."""
    return {
        "id": operator.id,
        "kernel": kernel_word(operator.kernel),
        "feeds": [_feed_data(feed) for feed in operator.feeds],
        "options": _options_data(operator.kernel),
        "columns": [_column_data(column) for column in operator.columns],
        "labels": list(operator.labels),
        "changes": operator.changes.value,
        "store": {
            "name": operator.store.name,
            "fingerprint": operator.store.fingerprint,
            "changelog": {
                "topic": operator.store.changelog.name,
                "partitions": operator.store.changelog.partitions,
                "replication": operator.store.changelog.replication,
                "configs": dict(operator.store.changelog.configs),
            },
            **_inputs_data(operator.store.inputs),
        },
        **({"clock": True} if operator.clock else {}),
    }


def operator_from(data: dict[str, Any]) -> Operator:
    """Read an operator back."""
    kind: Any = _KERNELS[data["kernel"]]
    feeds = {name: _feed(item) for name, item in zip(_FEEDS[kind], data["feeds"], strict=True)}
    log = data["store"]["changelog"]
    changelog = TopicDescription(log["topic"], log["partitions"], log["replication"], log["configs"])
    return Operator(
        data["id"],
        kind(**feeds, **_options(kind, data["options"])),
        tuple(_column(item) for item in data["columns"]),
        Changes(data["changes"]),
        Store(
            data["store"]["name"],
            changelog,
            data["store"]["fingerprint"],
            _inputs(data["store"].get("inputs")),
        ),
        tuple(data.get("labels", ())),
        data.get("clock", False),
    )


def _inputs_data(inputs: Inputs | None) -> dict[str, Any]:
    return {} if inputs is None else {"inputs": asdict(inputs)}


def _inputs(data: dict[str, Any] | None) -> Inputs | None:
    return None if data is None else Inputs(tuple(tuple(item) for item in data["topics"]), data["rows"])


def kernel_word(kernel: Kernel) -> str:
    """Give what a kernel is, in words."""
    return _WORDS[type(kernel)]


def _options_data(kernel: Kernel) -> dict[str, Any]:
    if isinstance(kernel, Aggregate):
        return {
            "calls": [_call_data(call) for call in kernel.calls],
            "emit": kernel.emit.value,
            "window": None if kernel.window is None else _window_data(kernel.window),
            "retracts": kernel.retracts,
            **({"keeps_nulls": True} if kernel.keeps_nulls else {}),
            **({"parts": [[part.argument, part.weight] for part in kernel.parts]} if kernel.parts else {}),
        }
    if isinstance(kernel, StreamJoin):
        return {
            "kind": kernel.kind.value,
            "before": kernel.before,
            "after": kernel.after,
            "grace": kernel.grace,
            **({} if kernel.window is None else {"window": asdict(kernel.window)}),
        }
    if isinstance(kernel, LookupJoin):
        return {"kind": kernel.kind.value, "broadcast": kernel.broadcast}
    if isinstance(kernel, TableJoin):
        return {"kind": kernel.kind.value}
    if isinstance(kernel, Table):
        return {"counted": kernel.counted}
    if isinstance(kernel, Match):
        options = {item.name: getattr(kernel, item.name) for item in fields(kernel) if item.name != "feed"}
        return {**options, "measures": [asdict(measure) for measure in kernel.measures]}
    order = [[item.column, item.descending, item.nulls_first] for item in kernel.order]
    if isinstance(kernel, Sort):
        return {"order": order, "grace": kernel.grace}
    if isinstance(kernel, Over):
        calls = [_call_data(call) for call in kernel.calls]
        return {
            "calls": calls,
            "order": order,
            "preceding": kernel.preceding,
            "arguments": kernel.arguments,
            **({} if kernel.stretch is None else {"stretch": asdict(kernel.stretch)}),
        }
    function = kernel.function
    return {
        "order": order,
        "limit": kernel.limit,
        "retracts": kernel.retracts,
        **({} if function is RankFunction.ROW_NUMBER else {"function": function.value}),
    }


def _options(kind: type[Any], data: dict[str, Any]) -> dict[str, Any]:
    found = dict(data)
    if kind is Aggregate:
        found["calls"] = tuple(_call(item) for item in data["calls"])
        found["emit"] = Emit(data["emit"])
        found["window"] = None if data["window"] is None else _window(data["window"])
        found["parts"] = tuple(Part(*item) for item in data.get("parts", ()))
    elif "kind" in found:
        found["kind"] = JoinKind(data["kind"])
        if data.get("window") is not None:
            found["window"] = JoinWindow(**data["window"])
    elif kind is Match:
        found["measures"] = tuple(MatchMeasure(**item) for item in data["measures"])
        for name in ("conditions", "references", "skip"):
            found[name] = tuple(data[name])
    elif kind in (Rank, Sort, Over):
        found["order"] = tuple(Order(*item) for item in data["order"])
    if kind is Over:
        found["calls"] = tuple(_call(item) for item in data["calls"])
        if data.get("stretch") is not None:
            found["stretch"] = Stretch(**data["stretch"])
    if kind is Rank:
        found["function"] = RankFunction(data.get("function", RankFunction.ROW_NUMBER))
    return found


def _feed_data(feed: Feed) -> dict[str, Any]:
    return {
        "source": feed.source,
        "query": feed.query,
        "key": [_column_data(column) for column in feed.key],
        "value": [_column_data(column) for column in feed.value],
        "changes": feed.changes.value,
        "sets_time": feed.sets_time,
        "sets_op": feed.sets_op,
        "labels": list(feed.labels),
        **({"parts": [_column_data(column) for column in feed.parts]} if feed.parts else {}),
    }


def _feed(data: dict[str, Any]) -> Feed:
    return Feed(
        data["source"],
        data["query"],
        tuple(_column(item) for item in data["key"]),
        tuple(_column(item) for item in data["value"]),
        Changes(data["changes"]),
        data["sets_time"],
        data["sets_op"],
        tuple(data.get("labels", ())),
        tuple(_column(item) for item in data.get("parts", ())),
    )


def _column_data(column: Column) -> dict[str, Any]:
    return {"name": column.name, "type": type_to_json(column.type)}


def _column(data: dict[str, Any]) -> Column:
    return Column(data["name"], type_from_json(data["type"]))


def _call_data(call: AggregateCall) -> dict[str, Any]:
    return {
        "function": call.function,
        "arguments": list(call.arguments),
        "type": type_to_json(call.type),
        "distinct": call.distinct,
        "filter": call.filter,
        "limit": call.limit,
        "parameter": call.parameter,
    }


def _call(data: dict[str, Any]) -> AggregateCall:
    return AggregateCall(
        data["function"],
        tuple(data["arguments"]),
        type_from_json(data["type"]),
        data["distinct"],
        data["filter"],
        data["limit"],
        data["parameter"],
    )


def _window_data(window: Window) -> dict[str, Any]:
    return {
        "kind": window.kind.value,
        "size": window.size,
        "grace": window.grace,
        "advance": window.advance,
        # Plans and fingerprints from before there were offsets lack it.
        **({"offset": window.offset} if window.offset else {}),
    }


def _window(data: dict[str, Any]) -> Window:
    return Window(
        WindowKind(data["kind"]), data["size"], data["grace"], data["advance"], data.get("offset", 0)
    )
