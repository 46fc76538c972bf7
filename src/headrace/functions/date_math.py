"""DateMath: `base + 1d`, `NOW() - 2h`. The planner renders the durations of an expression with these."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlglot import exp

if TYPE_CHECKING:
    from headrace.sql.nodes import Duration

_UNITS: Final = {
    "ms": "MILLISECOND",
    "s": "SECOND",
    "m": "MINUTE",
    "h": "HOUR",
    "d": "DAY",
    "w": "WEEK",
    "M": "MONTH",
    "y": "YEAR",
}


def interval(duration: Duration) -> exp.Interval:
    """Give the DuckDB interval of a duration, for dates and timestamps; months and years follow the calendar."""
    unit = _UNITS[str(duration.args["unit"])]
    return exp.Interval(this=exp.Literal.string(str(duration.args["this"])), unit=exp.var(unit))


def millis(duration: Duration) -> exp.Expression:
    """Give a duration as a number of milliseconds, for times that are kept as LONG (`_meta.timestamp`).

    Raises:
        ValueError: months and years have no fixed length.
    """
    return exp.Literal.number(duration.millis)
