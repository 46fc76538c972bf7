"""What a scan need not read: conditions on partition, offset and timestamp that every row of the result must meet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from sqlglot import exp

from headrace.plan.snapshot import Bounds
from headrace.sql.paths import column_path

if TYPE_CHECKING:
    from collections.abc import Iterable

Constant = Callable[[exp.Expression], int | None]
"""Gives the value of an expression that reads no record, as a whole number; instants as epoch ms; None for others."""

_OLD = {"_partition": "partition", "_offset": "offset", "_ts": "timestamp"}
_TURNED: Final[dict[type[exp.Expression], type[exp.Expression]]] = {
    exp.GT: exp.LT,
    exp.GTE: exp.LTE,
    exp.LT: exp.GT,
    exp.LTE: exp.GTE,
    exp.EQ: exp.EQ,
}


def bounds_of(
    conditions: Iterable[exp.Expression],
    alias: str,
    constant: Constant,
    done: list[exp.Expression],
    *,
    only: bool,
) -> Bounds:
    """Give the bounds of one source.

    Args:
        conditions: joined by AND, all of which a row must meet.
        alias: of the source.
        constant: evaluates.
        done: here come the conditions that the scan alone sees to: those with LAST_OFFSET(), which has no value in a row.
        only: whether it is the only source, so that unqualified names mean it.
    """
    found = Bounds()
    for condition in conditions:
        found = _narrowed(found, condition, alias, constant, done, only=only)
    return found


def last_offset_back(node: exp.Expression, constant: Constant) -> int | None:
    """Give n of `LAST_OFFSET() - n`; 0 for the bare call; None for anything else."""
    if isinstance(node, exp.Paren):
        return last_offset_back(node.this, constant)
    if isinstance(node, exp.Anonymous) and str(node.this).upper() == "LAST_OFFSET" and not node.expressions:
        return 0
    if not isinstance(node, exp.Add | exp.Sub):
        return None
    sign = -1 if isinstance(node, exp.Add) else 1
    if (back := last_offset_back(node.this, constant)) is not None:
        step = constant(node.expression)
        return None if step is None else back + sign * step
    if isinstance(node, exp.Add) and (back := last_offset_back(node.expression, constant)) is not None:
        step = constant(node.this)
        return None if step is None else back - step
    return None


def reads_last_offset(node: exp.Expression) -> bool:
    """Say whether LAST_OFFSET() is in an expression: it is for bounds, and has no value in a row."""
    return any(str(call.this).upper() == "LAST_OFFSET" for call in node.find_all(exp.Anonymous))


def meta_field(node: exp.Expression, alias: str, *, only: bool) -> str | None:
    """Give which field of `_meta` of the source a name means; None if it means none."""
    path = column_path(node)
    names = [part.name for part in path or ()]
    if names and names[0] == alias and len(names) > 1:
        names = names[1:]
    elif not only:
        return None
    if len(names) == 1:
        return _OLD.get(names[0])
    return names[1] if len(names) == 2 and names[0] == "_meta" else None


def _narrowed(
    bounds: Bounds,
    condition: exp.Expression,
    alias: str,
    constant: Constant,
    done: list[exp.Expression],
    *,
    only: bool,
) -> Bounds:
    if isinstance(condition, exp.Between):
        low = exp.GTE(this=condition.this, expression=condition.args["low"])
        high = exp.LTE(this=condition.this, expression=condition.args["high"])
        seen_to: list[exp.Expression] = []
        bounds = _narrowed(bounds, low, alias, constant, seen_to, only=only)
        bounds = _narrowed(bounds, high, alias, constant, seen_to, only=only)
        if len(seen_to) == 2:
            done.append(condition)
        return bounds
    if isinstance(condition, exp.In) and not condition.args.get("query"):
        if meta_field(condition.this, alias, only=only) != "partition":
            return bounds
        numbers = [constant(item) for item in condition.expressions]
        if any(number is None for number in numbers):
            return bounds
        return _partitions(bounds, frozenset(number for number in numbers if number is not None))
    kind = type(condition)
    if kind not in _TURNED:
        return bounds
    left, right = condition.this, condition.expression
    name = meta_field(left, alias, only=only)
    if name is None:
        name, right, kind = meta_field(right, alias, only=only), left, _TURNED[kind]
    if name is None:
        return bounds
    back = last_offset_back(right, constant)
    if back is not None:
        return _last(bounds, condition, kind, back, done) if name == "offset" else bounds
    value = constant(right)
    return bounds if value is None else _bound(bounds, name, kind, value)


def _last(
    bounds: Bounds,
    condition: exp.Expression,
    kind: type[exp.Expression],
    back: int,
    done: list[exp.Expression],
) -> Bounds:
    """Give the bounds with a condition on how far an offset is from the last one."""
    if kind in (exp.LT, exp.LTE):
        if back <= (0 if kind is exp.LTE else -1):
            # No offset is beyond the last.
            done.append(condition)
        return bounds
    if kind is exp.EQ and back:
        return bounds
    done.append(condition)
    count = max(0, back + (kind is not exp.GT))
    return replace(
        bounds, last_offsets=count if bounds.last_offsets is None else min(count, bounds.last_offsets)
    )


def _bound(bounds: Bounds, name: str, kind: type[exp.Expression], value: int) -> Bounds:
    if name == "partition" and kind is exp.EQ:
        return _partitions(bounds, frozenset((value,)))
    if name == "offset":
        if kind in (exp.GT, exp.GTE, exp.EQ):
            first = value + (kind is exp.GT)
            bounds = replace(bounds, first_offset=max(first, bounds.first_offset or 0))
        if kind in (exp.LT, exp.LTE, exp.EQ):
            end = max(0, value + (kind is not exp.LT))
            bounds = replace(
                bounds, end_offset=end if bounds.end_offset is None else min(end, bounds.end_offset)
            )
    if name == "timestamp" and kind in (exp.GT, exp.GTE, exp.EQ):
        bounds = replace(bounds, first_time=max(value, bounds.first_time or 0))
    return bounds


def _partitions(bounds: Bounds, numbers: frozenset[int]) -> Bounds:
    if bounds.partitions is not None:
        numbers &= bounds.partitions
    return replace(bounds, partitions=numbers)
