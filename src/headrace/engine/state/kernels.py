"""Makes the native kernel of an operator from its plan; with the errors that kernels and stores raise."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from headrace import _native
from headrace.plan.operators import (
    OP,
    PARTITION,
    SEQ,
    TIME,
    Aggregate,
    Kernel,
    LookupJoin,
    Match,
    Operator,
    Order,
    Over,
    Rank,
    Sort,
    StreamJoin,
    Table,
    TableJoin,
    Window,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from headrace.functions.user import UserFunction
    from headrace.plan.operators import Column

NativeKernel = _native.Kernel
LocalStore = _native.LocalStore
DamagedStateError = _native.DamagedStateError
"""A local store cannot be read: it is wiped and comes back from its changelog."""

_STREAM_TIME = b"\0time"
"""Its key, as `headrace_state::time` has it."""

LEADING = (
    pa.field(PARTITION, pa.int32()),
    pa.field(SEQ, pa.int64()),
    pa.field(TIME, pa.int64()),
    pa.field(OP, pa.int8()),
)
"""The columns that every batch into and out of a kernel begins with."""


def make_kernel(operator: Operator, functions: Iterable[UserFunction] = ()) -> NativeKernel:
    """Give a kernel without tasks.

    Args:
        operator: what it does.
        functions: user aggregates that it may call to keep its state short; without them its results are the same.
    """
    inputs = [schema(feed.columns) for feed in operator.feeds]
    folds = {function.name: function.fold for function in functions if function.fold is not None}
    return NativeKernel(json.dumps(specification(operator)), inputs, schema(operator.columns), folds)


def stream_time(store: LocalStore, operator: str) -> int | None:
    """Give the stream time that a store holds, in milliseconds; None if its kernel has seen nothing, or has no clock."""
    keys, values = store.entries(operator, _STREAM_TIME[:-1], 1)
    if not len(keys) or keys[0].as_py() != _STREAM_TIME:
        return None
    return int.from_bytes(values[0].as_py(), "big", signed=True)


def schema(columns: Sequence[Column]) -> pa.Schema:
    """Give the schema of batches with these columns."""
    return pa.schema([*LEADING, *(pa.field(column.name, column.type) for column in columns)])


def specification(operator: Operator) -> dict[str, Any]:
    """Give what the native module needs to know of an operator beside its schemas."""
    return {
        "store": operator.store.name,
        "keys": len(operator.feeds[0].key),
        "inputs": [feed.changes.value for feed in operator.feeds],
        **_kernel(operator.kernel),
    }


def _kernel(kernel: Kernel) -> dict[str, Any]:
    match kernel:
        case Aggregate():
            return {
                "kernel": "aggregate",
                "calls": _calls(kernel),
                "emit": kernel.emit.value,
                "window": None if kernel.window is None else _window(kernel.window),
                "retracts": kernel.retracts,
                "keeps_nulls": kernel.keeps_nulls,
            }
        case StreamJoin():
            return {
                "kernel": "stream_join",
                "kind": kernel.kind.value,
                "before": kernel.before,
                "after": kernel.after,
                "grace": kernel.grace,
                "window": None if kernel.window is None else asdict(kernel.window),
            }
        case LookupJoin():
            return {"kernel": "lookup_join", "kind": kernel.kind.value, "broadcast": kernel.broadcast}
        case TableJoin():
            return {"kernel": "table_join", "kind": kernel.kind.value}
        case Table():
            return {"kernel": "table", "counted": kernel.counted}
        case Rank():
            return {
                "kernel": "rank",
                "function": kernel.function.value,
                "order": _order(kernel.order),
                "limit": kernel.limit,
                "retracts": kernel.retracts,
            }
        case Sort():
            return {"kernel": "sort", "order": _order(kernel.order), "grace": kernel.grace}
        case Over():
            return {
                "kernel": "over",
                "calls": _calls(kernel),
                "order": _order(kernel.order),
                "preceding": kernel.preceding,
                "arguments": kernel.arguments,
                "stretch": None if kernel.stretch is None else asdict(kernel.stretch),
            }
        case Match():
            place, variable = kernel.skip
            return {
                "kernel": "match",
                "pattern": kernel.pattern,
                "conditions": list(kernel.conditions),
                "references": list(kernel.references),
                "measures": [asdict(measure) for measure in kernel.measures],
                "skip": place if variable is None else {place: variable},
                "within": kernel.within,
            }


def _order(terms: Sequence[Order]) -> list[dict[str, Any]]:
    return [
        {"column": item.column, "descending": item.descending, "nulls_first": item.nulls_first}
        for item in terms
    ]


def _calls(kernel: Aggregate | Over) -> list[dict[str, Any]]:
    if isinstance(kernel, Aggregate) and kernel.parts:
        return [
            {
                "function": call.function,
                "arguments": [] if part.argument is None else [part.argument],
                "weight": part.weight,
            }
            for call, part in zip(kernel.calls, kernel.parts, strict=True)
        ]
    return [
        {
            "function": call.function,
            "arguments": list(call.arguments),
            "distinct": call.distinct,
            "filter": call.filter,
            "limit": call.limit,
            "parameter": call.parameter,
        }
        for call in kernel.calls
    ]


def _window(window: Window) -> dict[str, Any]:
    return {
        "kind": window.kind.value,
        "size": window.size,
        "advance": window.advance,
        "grace": window.grace,
        "offset": window.offset,
    }
