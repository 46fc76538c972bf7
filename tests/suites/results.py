"""Results of programs beside the rows that the suites expect."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import UTC, datetime
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any, Final

from tests.suites.topics import Column, columns_of, milliseconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Values = tuple[Any, ...]

_ROUNDED: Final = Context(prec=9)
"""How fractions are compared: the suites' engines print their means in several lengths."""
_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
_CHANGE: Final = re.compile(r"([+-][IUD])\[(.*)\]", re.DOTALL)
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d.*", re.ASCII)


def read_results(lines: str) -> list[tuple[str, Values | None]]:
    """Give the records of an output section: key as text, and the columns of the value, None for a tombstone."""
    found: list[tuple[str, Values | None]] = []
    for line in lines.splitlines():
        if not line.startswith("{"):
            continue
        record = json.loads(line, parse_float=Decimal)
        value = record["value"]
        columns = None if value is None else tuple(_leaf(item) for item in value.values())
        found.append((json.dumps(record["key"], default=str), columns))
    return found


def latest(records: Iterable[tuple[str, Values | None]]) -> Counter[Values]:
    """Give the rows of the table that its records make."""
    state: dict[str, Values] = {}
    for key, values in records:
        if values is None:
            state.pop(key, None)
        else:
            state[key] = values
    return Counter(state.values())


def facts(records: Iterable[tuple[str, Values | None]]) -> Counter[Values]:
    """Give each record's row, deletions apart."""
    return Counter(values for _, values in records if values is not None)


def read_changes(rows: Sequence[Any], schema: Sequence[str]) -> list[tuple[str, Values]]:
    """Give expected rows of Flink: the kind of change, and the columns."""
    columns = columns_of(schema)
    return [_change(row, columns) for row in rows]


def table_of(changes: Iterable[tuple[str, Values]], schema: Sequence[str]) -> Counter[Values]:
    """Give the table that changes make; rows of a table with a key replace one another."""
    names = [column.name for column in columns_of(schema)]
    found = re.search(r"(?i)primary key\s*\((\w+)\)", " ".join(schema))
    if found is not None:
        key = names.index(found[1])
        state: dict[Any, Values] = {}
        for kind, values in changes:
            if kind == "-D":
                state.pop(values[key], None)
            elif kind != "-U":
                state[values[key]] = values
        return Counter(state.values())
    rows: Counter[Values] = Counter()
    for kind, values in changes:
        rows[values] += 1 if kind[0] == "+" else -1
    return +rows


def words(values: Values, times: Sequence[bool]) -> tuple[str, ...]:
    """Give a row as the words that the Nexmark set prints, numbers rounded."""
    shown = [_time(value) if is_time else value for value, is_time in zip(values, times, strict=True)]
    return text_words(" ".join("NULL" if value is None else str(value) for value in shown))


def text_words(line: str) -> tuple[str, ...]:
    """Give the words of a printed row, numbers rounded."""
    return tuple(str(_leaf(word)) for word in line.split())


def _change(row: Any, columns: Sequence[Column]) -> tuple[str, Values]:
    if isinstance(row, str):
        matched = _CHANGE.fullmatch(row)
        assert matched is not None, row
        parts = matched[2].split(", ")
        return matched[1], tuple(
            _typed(None if part == "null" else part, column)
            for part, column in zip(parts, columns, strict=True)
        )
    return row["kind"], tuple(
        _typed(value, column) for value, column in zip(row["row"], columns, strict=True)
    )


def _typed(value: Any, column: Column) -> Any:
    if value is None:
        return None
    if column.type in ("INT", "LONG", "DOUBLE", "FLOAT") or column.type.startswith("DECIMAL"):
        return _leaf(str(value))
    if column.type == "TIMESTAMP" or (isinstance(value, str) and _TIME.fullmatch(value)):
        return _leaf(str(milliseconds(value)))
    return _leaf(value)


def _leaf(value: Any) -> Any:
    """Give what is compared of a value: a number in few digits, whatever it was written as."""
    if isinstance(value, bool) or value is None:
        return value
    text = str(value)
    if not _NUMBER.fullmatch(text):
        return text
    number = Decimal(text)
    if number != number.to_integral_value():
        number = _ROUNDED.plus(number)
    return f"{number.normalize():f}"


def _time(value: Any) -> str:
    """Give milliseconds as the Nexmark set prints times: without what is zero after the seconds."""
    moment = datetime.fromtimestamp(int(Decimal(value)) / 1000, UTC)
    text = moment.strftime("%Y-%m-%d %H:%M:%S")
    fraction = int(Decimal(value)) % 1000
    return text if fraction == 0 else f"{text}.{fraction:03d}"
