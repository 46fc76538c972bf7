"""How kernels write what they keep, by number: state of another layout is never read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa

from headrace.plan.operators import Aggregate, Changes

if TYPE_CHECKING:
    from headrace.plan.operators import AggregateCall, Kernel

_SUMS: Final = ("SUM", "AVG")
_DEVIATIONS: Final = ("STDDEV", "VAR")


def state_layout(kernel: Kernel) -> int:
    """Give the number of the layout of a kernel's state."""
    if not isinstance(kernel, Aggregate):
        return 1
    if kernel.feed.changes is Changes.APPEND:
        return 2
    # Sums of what may be taken away became exact, and got room for all values.
    return 3 if any(_has_table_sums(call, kernel) for call in kernel.calls) else 2


def _has_table_sums(call: AggregateCall, kernel: Aggregate) -> bool:
    """Whether a call over a table has one of the accumulators `table_sums` and `table_floats` that writes more than a number."""
    types = [kernel.feed.value[index].type for index in call.arguments]
    if call.function in _SUMS:
        return any(not _is_narrow(kind) for kind in types)
    if call.function.startswith(_DEVIATIONS):
        return any(not _is_narrow(kind) and not _is_short(kind) for kind in types)
    return False


def _is_narrow(kind: pa.DataType) -> bool:
    """Whether values are whole numbers that fit into 64 bits with a sign."""
    return pa.types.is_integer(kind) and not pa.types.is_uint64(kind)


def _is_short(kind: pa.DataType) -> bool:
    """Whether values are decimals that fit into 64 bits with a sign."""
    return pa.types.is_decimal(kind) and kind.precision <= 18
