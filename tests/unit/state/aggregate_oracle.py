"""Aggregates, one row at a time: every group keeps all of its rows, and each function looks at them anew.

What the native kernel is compared with. Nothing here is fast or clever.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from headrace.plan.operators import Emit, RowKind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Values = tuple[Any, ...]

EXACT = Context(prec=200, rounding=ROUND_HALF_UP)
NAN = "NaN"
"""Stands for the NaN in results, so that they can be compared."""


@dataclass(frozen=True, eq=False)
class Near:
    """A number that is equal to others nearby: the result of a computation in another order."""

    value: float

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Near):
            return NotImplemented
        both_nan = math.isnan(self.value) and math.isnan(other.value)
        return both_nan or math.isclose(self.value, other.value, rel_tol=1e-9, abs_tol=1e-6)

    def __hash__(self) -> int:
        return 0


class OverflowingError(Exception):
    """A sum is outside its type."""


@dataclass(frozen=True)
class Call:
    """An aggregate function over a value column (None: COUNT(*)).

    Args:
        scale: digits behind the point of a decimal argument.
        result_scale: of a decimal mean; None if it is a double.
    """

    function: str
    column: int | None
    distinct: bool = False
    filter: int | None = None
    limit: int | None = None
    parameter: str | None = None
    scale: int | None = None
    result_scale: int | None = None


@dataclass(frozen=True)
class Row:
    """A row on the way into the kernel."""

    partition: int
    seq: int
    time: int
    op: RowKind
    key: Values
    values: Values


@dataclass(frozen=True)
class Result:
    """A row that comes out. A DELETE of UPSERT changes has no values."""

    partition: int
    seq: int
    time: int
    op: RowKind
    key: Values
    values: Values | None


@dataclass
class Touch:
    """What a group was like at the last flush, and the largest time of its rows since."""

    before: Values | None
    time: int


@dataclass
class Task:
    """One partition."""

    seq: int = 0
    groups: dict[Values, list[Values]] = field(default_factory=dict)
    """The rows of each group that is there."""
    touched: dict[Values, Touch] = field(default_factory=dict)


class AggregateOracle:
    """Args: the calls, when results are given, whether old results are, whether rows are taken away."""

    def __init__(
        self, calls: Sequence[Call], emit: Emit, retracts: bool, table: bool, keeps_nulls: bool = False
    ) -> None:
        self.calls, self.emit, self.retracts, self.table = calls, emit, retracts, table
        self.keeps_nulls = keeps_nulls
        self.tasks: dict[int, Task] = {}
        self.null_keys = 0

    def process(self, rows: Sequence[Row], following: Row | None = None) -> tuple[list[Result], list[Row]]:
        """Take a change in: a row, or two of one group of which one takes the place of the other. `following` comes right behind.

        Gives what comes out, and the rows that fail because of an overflow. Over a stream they have no effect. Over a table they
        have, and it is the last row of the change that fails, unless it goes and another one comes at the same time: the group
        has no result until it has one that fits.
        """
        first = rows[0]
        task = self.tasks.setdefault(first.partition, Task())
        if not self.keeps_nulls and first.key and all(value is None for value in first.key):
            self.null_keys += len(rows)
            return [], []
        name = tuple(map(comparable, first.key))
        before = self._result(task, name)
        failed, effect = [], False
        for row in rows:
            group = list(task.groups.get(name, []))
            if row.op > 0:
                group.append(row.values)
            else:
                group.remove(row.values)
            if not self.table and self._evaluate(group) is None:
                failed.append(row)
                continue
            effect = True
            task.seq = row.seq
            if group:
                task.groups[name] = group
            else:
                del task.groups[name]
            if self.emit is Emit.COMMIT:
                touch = task.touched.setdefault(name, Touch(before, row.time))
                touch.time = max(touch.time, row.time)
        is_update = following is not None and are_halves(rows[-1], following)
        if name in task.groups and self._result(task, name) is None and not is_update:
            failed.append(rows[-1])
        if self.emit is Emit.RECORD and effect:
            return self._changes(
                first.partition, first.seq, first.time, name, before, self._result(task, name)
            ), failed
        return [], failed

    def flush(self) -> list[Result]:
        """Give each group that was touched since the last flush once."""
        results = []
        for partition, task in sorted(self.tasks.items()):
            for name, touch in task.touched.items():
                after = self._result(task, name)
                results += self._changes(partition, task.seq, touch.time, name, touch.before, after)
            task.touched.clear()
        return results

    def final(self, partition: int) -> dict[Values, Values]:
        """Give all groups that are there with their results."""
        task = self.tasks.get(partition, Task())
        found = {name: self._evaluate(rows) for name, rows in task.groups.items()}
        return {name: values for name, values in found.items() if values is not None}

    def _result(self, task: Task, name: Values) -> Values | None:
        return self._evaluate(task.groups[name]) if name in task.groups else None

    def _evaluate(self, rows: Sequence[Values]) -> Values | None:
        """Give the results over rows, None if one of them is outside its type."""
        try:
            return tuple(evaluate(call, rows, self.table) for call in self.calls)
        except OverflowingError:
            return None

    def _changes(
        self, partition: int, seq: int, time: int, name: Values, before: Values | None, after: Values | None
    ) -> list[Result]:
        def result(op: RowKind, values: Values | None) -> Result:
            return Result(partition, seq, time, op, name, values)

        if before is None and after is None:
            return []
        if before is None:
            return [result(RowKind.INSERT, after)]
        if after is None:
            return [result(RowKind.DELETE, before if self.retracts else None)]
        if not self.calls:
            return []
        updated = [result(RowKind.UPDATE_AFTER, after)]
        return [result(RowKind.UPDATE_BEFORE, before), *updated] if self.retracts else updated


def are_halves(gone: Row, came: Row) -> bool:
    """Whether two rows look like an update that came through a topic."""
    same = (gone.partition, gone.time, comparable(gone.key)) == (
        came.partition,
        came.time,
        comparable(came.key),
    )
    return same and gone.op < 0 < came.op


def evaluate(call: Call, rows: Sequence[Values], table: bool) -> Any:
    """Give the result of a function over the rows of a group, in the order in which they came."""
    if call.filter is not None:
        rows = [row for row in rows if row[call.filter] is True]
    if call.column is None:
        return len(rows)
    values = [row[call.column] for row in rows if row[call.column] is not None]
    return shown(FUNCTIONS[call.function](call, values, table))


def shown(value: Any) -> Any:
    """Give a value that is equal to itself and unequal to what is not the same: NaN is text, -0.0 is not 0.0."""
    match value:
        case float():
            return NAN if math.isnan(value) else (value, math.copysign(1, value))
        case list() | tuple():
            return tuple(map(shown, value))
        case dict():
            return tuple((name, shown(field)) for name, field in sorted(value.items()))
    return value


def comparable(value: Any) -> Any:
    """As `shown`, with the numbers that are equal in SQL made one."""
    return shown(canonical(value))


def canonical(value: Any) -> Any:
    match value:
        case float():
            return value + 0.0
        case list() | tuple():
            return [canonical(item) for item in value]
        case dict():
            return {name: canonical(field) for name, field in value.items()}
    return value


def order(value: Any) -> Any:
    """Give what sorts as the values do: NaN after all numbers, inner nulls last."""
    match value:
        case None:
            return (1,)
        case float():
            return (0, 1, 0.0) if math.isnan(value) else (0, 0, value)
        case list() | tuple():
            return (0, [order(item) for item in value])
        case dict():
            return (0, [order(field) for _, field in sorted(value.items())])
    return (0, value)


def unique(values: Sequence[Any]) -> list[Any]:
    """Give each different value once, where it came first."""
    found: dict[Any, Any] = {}
    for value in map(canonical, values):
        found.setdefault(comparable(value), value)
    return list(found.values())


def unique_if_asked(call: Call, values: Sequence[Any]) -> Sequence[Any]:
    return unique(values) if call.distinct else values


def count(call: Call, values: Sequence[Any], _: bool) -> int:
    return len(unique_if_asked(call, values))


def exact_sum(values: Sequence[Any]) -> Any:
    total = Decimal(0) if isinstance(values[0], Decimal) else 0
    for value in values:
        total = EXACT.add(total, value) if isinstance(value, Decimal) else total + value
    return total


def float_sum(values: Sequence[float]) -> float:
    total = 0.0
    for value in values:
        total += value
    return total


def nearest(number: Fraction) -> float:
    """Give the double that is nearest to a number."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


FINEST = 1074
"""Every double is a whole multiple of 2 to the minus so many: sums of whole numbers are exact, and faster than of fractions."""


def whole(value: float) -> int:
    """Give how many times 2^-FINEST a number is."""
    number, divisor = value.as_integer_ratio()
    return (number << FINEST) // divisor


def root(number: Fraction) -> float:
    """Give the root, also of what is too large for a double, or too small."""
    half = (number.numerator.bit_length() - number.denominator.bit_length()) // 2
    return math.ldexp(math.sqrt(number / Fraction(4) ** half), half)


def float_total(values: Sequence[float], divisor: int, table: bool) -> float:
    """Give a sum, divided: over a stream in the order of the rows, over a table without rounding before the end."""
    if not table or not all(map(math.isfinite, values)):
        return float_sum(values) / divisor
    return nearest(Fraction(sum(map(whole, values)), divisor << FINEST))


def sum_(call: Call, values: Sequence[Any], table: bool) -> Any:
    values = unique_if_asked(call, values)
    if not values:
        return None
    if isinstance(values[0], float):
        return float_total(values, 1, table)
    total = exact_sum(values)
    if isinstance(total, int):
        if not -(2**63) <= total < 2**63:
            raise OverflowingError
    elif abs(unscaled(total, call.scale)) >= 10**38:
        raise OverflowingError
    return total


def unscaled(value: Decimal, scale: int | None) -> int:
    return int(value.scaleb(scale or 0, EXACT))


def avg(call: Call, values: Sequence[Any], table: bool) -> Any:
    values = unique_if_asked(call, values)
    if not values:
        return None
    if isinstance(values[0], float):
        return float_total(values, len(values), table)
    total = exact_sum(values)
    if isinstance(total, int):
        return float(total) / len(values)
    if not table and abs(unscaled(total, call.scale)) >= 2**127:
        raise OverflowingError
    if call.result_scale is None:
        return float(unscaled(total, call.scale)) / 10.0 ** (call.scale or 0) / len(values)
    room = 10 ** (38 - call.result_scale + (call.scale or 0)) - 1
    if abs(unscaled(total, call.scale)) // len(values) >= room:
        raise OverflowingError
    return EXACT.quantize(EXACT.divide(total, len(values)), Decimal(1).scaleb(-call.result_scale))


def variance(call: Call, values: Sequence[Any], table: bool) -> Near | float | None:
    """Give a deviation: of floating-point numbers over a table without rounding before the end, of others nearly."""
    numbers = unique_if_asked(call, values)
    divisor = len(numbers) - (not call.function.endswith("_POP"))
    if divisor <= 0:
        return None
    is_exact = table and isinstance(numbers[0], float)
    if len(numbers) == 1:
        return 0.0 if is_exact else Near(0.0)  # DuckDB does not ask what the number is.
    if not all(map(math.isfinite, numbers)):
        return math.nan if is_exact else Near(math.nan)
    count, scale = len(numbers), 10 ** (call.scale or 0)
    if isinstance(numbers[0], float):
        scale, exact = 1 << FINEST, list(map(whole, numbers))
    else:
        exact = [unscaled(Decimal(number), call.scale) for number in numbers]
    total = sum(exact)
    deviations = sum((count * number - total) ** 2 for number in exact)
    found = Fraction(deviations, (count * scale) ** 2 * divisor)
    result = root(found) if call.function.startswith("STDDEV") else nearest(found)
    return result if is_exact else Near(result)


def least(_: Call, values: Sequence[Any], __: bool) -> Any:
    return canonical(min(values, key=order)) if values else None


def greatest(_: Call, values: Sequence[Any], __: bool) -> Any:
    return canonical(max(values, key=order)) if values else None


def kept(value: Any) -> Any:
    """Numbers stay as they came; inside nested values -0.0 becomes 0.0."""
    return value if isinstance(value, float) else canonical(value)


def first(_: Call, values: Sequence[Any], __: bool) -> Any:
    return kept(values[0]) if values else None


def last(_: Call, values: Sequence[Any], __: bool) -> Any:
    return kept(values[-1]) if values else None


def collect(call: Call, values: Sequence[Any], table: bool) -> list[Any] | None:
    if call.distinct or call.function == "COLLECT_UNIQUE":
        values = unique(values)
    if table:
        values = sorted(map(canonical, values), key=order)
    return list(map(kept, values[: call.limit])) or None


def best(call: Call, values: Sequence[Any], _: bool) -> list[Any] | None:
    if call.distinct or call.function.endswith("_UNIQUE"):
        values = unique(values)
    ordered = sorted(map(canonical, values), key=order, reverse=call.function.startswith("MAX"))
    return ordered[: call.limit] or None


def by_frequency(call: Call, values: Sequence[Any], _: bool) -> list[Any] | None:
    counts = Counter(map(comparable, values))
    sign = -1 if call.function == "TOPK" else 1
    ordered = sorted(unique(values), key=lambda value: (sign * counts[comparable(value)], order(value)))
    return ordered[: call.limit] or None


def string_agg(call: Call, values: Sequence[str], table: bool) -> str | None:
    values = unique_if_asked(call, values)
    if table:
        values = sorted(values, key=str.encode)
    return (call.parameter or "").join(values) if values else None


def bool_and(_: Call, values: Sequence[bool], __: bool) -> bool | None:
    return all(values) if values else None


def bool_or(_: Call, values: Sequence[bool], __: bool) -> bool | None:
    return any(values) if values else None


FUNCTIONS: dict[str, Callable[[Call, Sequence[Any], bool], Any]] = {
    "COUNT": count,
    "SUM": sum_,
    "AVG": avg,
    "STDDEV": variance,
    "STDDEV_POP": variance,
    "VARIANCE": variance,
    "VAR_POP": variance,
    "MIN": least,
    "MAX": greatest,
    "FIRST": first,
    "ANYF": first,
    "LAST": last,
    "COLLECT": collect,
    "COLLECT_UNIQUE": collect,
    "MAXK": best,
    "MAXK_UNIQUE": best,
    "MINK": best,
    "MINK_UNIQUE": best,
    "TOPK": by_frequency,
    "BOTTOMK": by_frequency,
    "STRING_AGG": string_agg,
    "BOOL_AND": bool_and,
    "BOOL_OR": bool_or,
}
