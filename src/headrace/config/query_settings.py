"""The SET keys of snapshot queries: how much is read at most, and how the result is given."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from headrace.config.reading import read_settings
from headrace.errors import Diagnostic, ProgramError
from headrace.errors.codes import setting as codes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headrace.config.reading import Assignment


@dataclass(frozen=True, slots=True)
class QuerySettings:
    """How snapshot queries run.

    Args:
        max_bytes: of keys and values that are read at most; None reads to the end.
        max_seconds: that a query runs at most; None where nothing is said.
        idle_seconds: that it waits for the next record at most; None waits as long as the log is there.
        skip_bad_records: leave records out that cannot be decoded; else they end the query.
        timestamps: how times come out: None as times, `text` as ISO 8601, `long` as milliseconds since 1970.
        live_aggregates: whether an aggregate may read a topic without an end.
        key_format, value_format: of topics that INSERT writes and nothing is known of.
        properties: of the consumers.
    """

    max_bytes: int | None = None
    max_seconds: float | None = None
    idle_seconds: float | None = None
    skip_bad_records: bool = True
    timestamps: str | None = None
    live_aggregates: bool = True
    key_format: str | None = None
    value_format: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)


_SIZE: Final = re.compile(r"(\d+)\s*([kmgt]?)b?", re.IGNORECASE)
_TIME: Final = re.compile(r"(\d+)\s*(ms|s|m|h|d)?", re.IGNORECASE)
_SIZES: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_FLAGS: Final = {"skip.bad.records": "skip_bad_records", "live.aggs": "live_aggregates"}
_TIMES: Final = {
    "max.query.time": "max_seconds",
    "max.time": "max_seconds",
    "max.idle.time": "idle_seconds",
}
_BYTES: Final = ("max.size", "max.bytes")
_TIMESTAMPS: Final = "format.timestamp"
QUERY_SETTINGS: Final = (*_BYTES, *_TIMES, *_FLAGS, _TIMESTAMPS)
"""The keys that only snapshot queries have."""


def read_query_settings(
    sets: Sequence[Assignment], before: QuerySettings | None = None
) -> tuple[QuerySettings, tuple[Diagnostic, ...]]:
    """Give the settings of a query, and warnings.

    Args:
        sets: the SET statements, in order; the last one of a key wins.
        before: what holds unless they say otherwise.

    Raises:
        ProgramError: values of the wrong kind.
    """
    settings = before or QuerySettings()
    faults: list[Diagnostic] = []
    others: list[Assignment] = []
    for item in sets:
        name = ".".join(item.key).lower()
        if name not in QUERY_SETTINGS:
            others.append(item)
            continue
        found = _read(name, str(item.value).strip().lower())
        if found is None:
            message = f"`{item.value}` is no value of `{name}`"
            faults.append(Diagnostic(codes.BAD_VALUE, message, item.value_span, _help(name)))
        else:
            settings = replace(settings, **found)
    if faults:
        raise ProgramError(tuple(faults))
    if not others:
        return settings, ()
    program, warnings = read_settings(others)
    properties = {**settings.properties, **program.client, **program.consumer_client}
    return replace(
        settings,
        properties=properties,
        key_format=program.key_format or settings.key_format,
        value_format=program.value_format or settings.value_format,
    ), tuple(warnings)


def _read(name: str, text: str) -> dict[str, Any] | None:
    if name in _BYTES:
        size = _SIZE.fullmatch(text)
        return None if size is None else {"max_bytes": int(size[1]) * _SIZES[size[2]]}
    if name in _TIMES:
        time = _TIME.fullmatch(text)
        # A number alone counts milliseconds, as everywhere in Kafka.
        return None if time is None else {_TIMES[name]: int(time[1]) * _SECONDS[time[2] or "ms"]}
    if text not in ("true", "false"):
        return None
    if name == _TIMESTAMPS:
        return {"timestamps": "text" if text == "true" else "long"}
    return {_FLAGS[name]: text == "true"}


def _help(name: str) -> str:
    if name in _BYTES:
        return "write a number of bytes: `1024`, `1024k`, `10m`, `5g`"
    return "write a time: `2000ms`, `60s`, `10m`, `2h`" if name in _TIMES else "write `true` or `false`"


QUERY_SETTINGS_DOC: Final = {
    "max.size": "Bytes of keys and values that a query, INSERT, DELETE or TRUNCATE reads at most: `1024`, `1024k`, `10m`, `5g`. "
    "Default: no limit. Also `max.bytes`.",
    "max.query.time": "How long a query reads at most: `2000ms`, `60s`, `10m`, `2h`; a number alone counts "
    "milliseconds. What still computes a second later, or a tenth of that time later, is ended too. It holds for "
    "`INSERT … SELECT`, `DELETE`, `TRUNCATE` and `--follow`, too. Default: `1h` for a SELECT without `--follow`, else no limit. "
    "Also `max.time`.",
    "max.idle.time": "How long a query waits for the next record; then it ends with what it has. "
    "Default: as long as a broker is there.",
    "skip.bad.records": "`true` leaves out records that cannot be decoded, and counts them; with `false` the first "
    "of them ends the query. Default: `true`.",
    "format.timestamp": "`true` gives times as text (ISO 8601), `false` as milliseconds since 1970. Default: as times.",
    "live.aggs": "`false` refuses queries that must read a whole topic before their first row, unless a condition on "
    "`_meta` bounds what is read. Default: `true`.",
}
"""What each key does, for the reference."""
