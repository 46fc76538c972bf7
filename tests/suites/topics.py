"""Rows of the suites as topics of a case: declared columns, times, keys."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from headrace.testing import TopicInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TYPES: Final = {
    "INT": "INT",
    "BIGINT": "LONG",
    "STRING": "STRING",
    "VARCHAR": "STRING",
    "DOUBLE": "DOUBLE",
    "FLOAT": "FLOAT",
    "TIMESTAMP": "TIMESTAMP",
}
_KEYS: Final = {"INT": "INT", "LONG": "LONG", "STRING": "STRING"}

_COLUMN: Final = re.compile(r"`?(\w+)`?\s+(\w+)(\s*\([\d, ]+\))?", re.ASCII)
_FAR_FUTURE: Final = 4_000_000_000_000


@dataclass(frozen=True, slots=True)
class Column:
    """A declared column, by the name of its type in our SQL."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a source: a change of a table may delete."""

    values: dict[str, Any]
    time: int
    deletes: bool = False


def columns_of(schema: Sequence[str]) -> list[Column]:
    """Give the columns of a schema as Flink writes it, without computed ones, watermarks and keys."""
    parts = [part.strip() for entry in schema for part in re.split(r",(?![^(]*\))", entry)]
    found = []
    for part in parts:
        matched = _COLUMN.match(part)
        if (
            matched is None
            or re.match(r"(?i)(watermark|primary key)\b", part)
            or re.search(r"(?i)`? as ", part)
        ):
            continue
        name, kind, length = matched.groups()
        found.append(Column(name, TYPES.get(kind.upper(), f"{kind.upper()}{length or ''}")))
    return found


def milliseconds(written: str | dict[str, list[int]]) -> int:
    """Give the milliseconds since 1970 of a time as the suites write it, a text or its parts, in UTC."""
    if isinstance(written, str):
        moment = datetime.fromisoformat(written.replace("Z", ""))
    else:
        year, month, day, hour, minute, second, millis = written["LocalDateTime"]
        moment = datetime(year, month, day, hour, minute, second, millis * 1000, tzinfo=UTC)
    return round(moment.replace(tzinfo=UTC).timestamp() * 1000)


def declaration(name: str, columns: Sequence[Column], key: str | None) -> str:
    """Give CREATE TABLE for a topic with JSON values."""
    kind = next((_KEYS[column.type] for column in columns if column.name == key), "STRING")
    fields = ", ".join(f"`{column.name}` {column.type}" for column in columns)
    return f"CREATE TABLE {name} ({fields}) FORMAT ({kind}, JSON);\n"


def topic(
    name: str,
    columns: Sequence[Column],
    rows: Sequence[Row],
    *,
    key: str | None,
    before_restart: int | None = None,
    flush: bool = False,
) -> TopicInput:
    """Give a topic with these rows.

    Args:
        name: of the topic.
        columns: their types tell the format of the key.
        rows: in their order.
        key: the column that is the key; without it the rows are numbered.
        before_restart: how many rows come before a restart.
        flush: end with a row of the far future.
    """
    kind = next((_KEYS[column.type] for column in columns if column.name == key), "STRING")
    records: list[dict[str, Any]] = []
    for number, row in enumerate(rows):
        identity = str(number) if key is None else row.values[key]
        records.append({"key": identity, "value": None if row.deletes else row.values, "timestamp": row.time})
    if flush:
        records.append(
            {
                "key": "end",
                "value": dict.fromkeys(column.name for column in columns),
                "timestamp": _FAR_FUTURE,
            }
        )
    options = {"format": f"{kind}, JSON"}
    if before_restart is not None:
        options["restart"] = str(before_restart)
    return TopicInput(name, options, tuple(records))


def renamed(values: Sequence[Any], columns: Sequence[Column]) -> dict[str, Any]:
    """Give a row by the names of its columns, times as milliseconds."""
    return {column.name: _plain(value) for column, value in zip(columns, values, strict=True)}


def _plain(value: Any) -> Any:
    if isinstance(value, dict) and "LocalDateTime" in value:
        *seconds, fraction = value["LocalDateTime"]
        year, month, day, hour, minute, second = seconds
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        return round(moment.timestamp() * 1000) + fraction
    return value


def times_as_numbers(row: Mapping[str, Any], times: Sequence[str]) -> dict[str, Any]:
    """Give the row with the columns that hold times as milliseconds."""
    return {name: milliseconds(value) if name in times and value else value for name, value in row.items()}
