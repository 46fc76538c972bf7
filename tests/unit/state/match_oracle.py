"""What a pattern means: a plain model of one partition that tries all ways to match, one after the other, for each row anew.

Ways are tried in the order of preference. The first that is complete is the match, unless one before it could still become one
with rows that are to come.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from headrace.plan.operators import RowKind
from tests.unit.state.join_oracles import Change, Out, Row, Values, is_null

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = Any
Taken = tuple[tuple[int, int], ...]
"""Rows by their places, each with its variable."""
Way = tuple[int, Taken] | None
"""The place of the next row and what was taken; None: more rows must come to tell."""


@dataclass
class Came:
    time: int
    now: float
    value: Values


@dataclass
class Part:
    """All rows of a key, and at which of them the search is."""

    rows: list[Came] = field(default_factory=list)
    start: int = 0


class MatchOracle:
    """The matches of one partition."""

    def __init__(self, spec: dict[str, Json]) -> None:
        self.spec = spec
        self.within = spec["within"] or math.inf
        self.parts: dict[Values, Part] = {}
        self.time = -math.inf
        self.late: list[Row] = []
        self.null_keys = 0

    def process(self, change: Change) -> list[Out]:
        return [out for row in change.rows for out in self.process_row(row)]

    def process_row(self, row: Row) -> list[Out]:
        found = self.advance(row.partition, row.seq, row.time)
        if is_null(row.key):
            self.null_keys += 1
            return found
        part = self.parts.setdefault(row.key, Part())
        part.rows.append(Came(row.time, self.time, row.value))
        return found + self.search(row.key, row.partition, row.seq)

    def advance(self, partition: int, seq: int, time: int) -> list[Out]:
        self.time = max(self.time, time)
        due = []
        for key, part in self.parts.items():
            if part.start < len(part.rows) and self.until(part) <= self.time:
                due.append((self.until(part), [(value is not None, value) for value in key], key))
        return [out for *_, key in sorted(due) for out in self.search(key, partition, seq)]

    def until(self, part: Part) -> float:
        return part.rows[part.start].time + self.within

    def search(self, key: Values, partition: int, seq: int) -> list[Out]:
        part, found = self.parts[key], []
        while part.start < len(part.rows):
            ways = self.ways(part, self.spec["pattern"], part.start, ())
            first = next(ways, "none")
            if first is None:
                break
            if first == "none":
                part.start += 1
                continue
            assert not isinstance(first, str)
            taken = first[1]
            time = part.rows[taken[-1][0]].time
            measured = tuple(measured_of(measure, part.rows, taken) for measure in self.spec["measures"])
            found.append(Out(partition, seq, time, RowKind.INSERT, (*key, *measured)))
            part.start = max(part.start + 1, self.behind(taken))
        return found

    def behind(self, taken: Taken) -> int:
        skip = self.spec["skip"]
        if skip == "past_last":
            return taken[-1][0] + 1
        if skip == "to_next":
            return 0
        (kind, variable), *_ = skip.items()
        rows = [row for row, own in taken if own == variable]
        return (rows[0] if kind == "to_first" else rows[-1]) if rows else 0

    def ways(self, part: Part, pattern: Json, at: int, taken: Taken) -> Iterator[Way]:
        (kind, inner), *_ = pattern.items()
        if kind == "variable":
            yield from self.take(part, inner, at, taken)
        elif kind == "choice":
            for option in inner:
                yield from self.ways(part, option, at, taken)
        elif kind == "sequence":
            yield from self.sequence(part, inner, at, taken)
        else:
            yield from self.repeat(part, inner, 0, at, taken)

    def take(self, part: Part, variable: int, at: int, taken: Taken) -> Iterator[Way]:
        if at == len(part.rows):
            if self.time < self.until(part):
                yield None
            return
        if part.rows[at].now >= self.until(part):
            return
        taken = (*taken, (at, variable))
        condition = self.spec["conditions"][variable]
        if condition is None or value_of(condition, self.spec["references"], part.rows, taken) is True:
            yield at + 1, taken

    def sequence(self, part: Part, parts: list[Json], at: int, taken: Taken) -> Iterator[Way]:
        if not parts:
            yield at, taken
            return
        for way in self.ways(part, parts[0], at, taken):
            if way is None:
                yield None
            else:
                yield from self.sequence(part, parts[1:], *way)

    def repeat(self, part: Part, repeat: Json, count: int, at: int, taken: Taken) -> Iterator[Way]:
        def again() -> Iterator[Way]:
            for way in self.ways(part, repeat["of"], at, taken):
                if way is None:
                    yield None
                else:
                    # What is repeated takes a row, so this comes to an end.
                    yield from self.repeat(part, repeat, count + 1, *way)

        if count < repeat["least"]:
            yield from again()
        elif repeat["most"] is not None and count == repeat["most"]:
            yield at, taken
        elif repeat["reluctant"]:
            yield at, taken
            yield from again()
        else:
            yield from again()
            yield at, taken


def measured_of(measure: Json, rows: list[Came], taken: Taken) -> Any:
    own = [rows[row].value for row, variable in taken if measure["variable"] in (None, variable)]
    if measure["take"] == "count":
        return len(own)
    values = tuple(value[measure["column"]] for value in own)
    if measure["take"] == "all":
        return values
    return inward(values, measure["take"], measure["offset"])


def inward(values: tuple[Any, ...], end: str, offset: int) -> Any:
    if offset >= len(values):
        return None
    return values[offset] if end == "first" else values[-1 - offset]


def reference_of(reference: Json, rows: list[Came], taken: Taken) -> Any:
    own = [rows[row].value for row, variable in taken if reference["variable"] in (None, variable)]
    function, column = reference["function"], reference["column"]
    if column is None:
        return len(own)
    values = tuple(value[column] for value in own)
    if function in ("first", "last"):
        return inward(values, function, reference["offset"])
    there = [value for value in values if value is not None]
    if function == "count":
        return len(there)
    if not there:
        return None
    if function == "average":
        return sum(there) / len(there)
    if function == "sum":
        return sum(there)
    return min(there) if function == "least" else max(there)


def value_of(condition: Json, references: list[Json], rows: list[Came], taken: Taken) -> Any:
    """Give the value of a condition for the row that was taken last."""
    (kind, inner), *_ = condition.items()

    def of(part: Json) -> Any:
        return value_of(part, references, rows, taken)

    at = taken[-1][0]
    if kind == "column":
        return rows[at].value[inner]
    if kind == "previous":
        column, back = inner
        return rows[at - back].value[column] if at >= back else None
    if kind == "reference":
        return reference_of(references[inner], rows, taken)
    if kind == "constant":
        return None if inner == "null" else next(iter(inner.values()))
    if kind == "is_null":
        return of(inner) is None
    if kind in ("and", "or"):
        parts = [of(part) for part in inner]
        decides = kind == "or"
        return decides if decides in parts else None if None in parts else not decides
    if kind == "not":
        value = of(inner)
        return None if value is None else not value
    if kind == "negate":
        value = of(inner)
        return None if value is None else -value
    if kind == "float":
        value = of(inner[0])
        return None if value is None else float(value)
    left, right = of(inner[1]), of(inner[2])
    if left is None or right is None:
        return None
    return compared(inner[0], left, right) if kind == "compare" else computed(inner[0], left, right)


def compared(by: str, left: Any, right: Any) -> bool:
    return bool(
        {
            "eq": left == right,
            "ne": left != right,
            "lt": left < right,
            "le": left <= right,
            "gt": left > right,
            "ge": left >= right,
        }[by]
    )


def computed(by: str, left: Any, right: Any) -> Any:
    if by in ("divide", "remainder"):
        if right == 0:
            return None
        if isinstance(left, float):
            return left / right if by == "divide" else math.fmod(left, right)
        quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
        return quotient if by == "divide" else left - quotient * right
    return {"add": left + right, "subtract": left - right, "multiply": left * right}[by]
