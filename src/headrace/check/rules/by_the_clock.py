"""EVENTTIME BY PROCTIME()."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace.check.clock import says_clock
from headrace.check.rule import Finding, Rule
from headrace.errors.codes.lint import BY_THE_CLOCK
from headrace.sql.spans import nearest_span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.check.program import CheckedProgram


def _find(checked: CheckedProgram) -> Iterator[Finding]:
    for select in checked.selects:
        time = select.node.args.get("eventtime")
        if time is not None and says_clock(time):
            yield Finding(
                nearest_span(time),
                "results by PROCTIME() change with each replay",
                "leave EVENTTIME BY out to take the times of the records, or name a column with a time",
            )


RULE = Rule(
    BY_THE_CLOCK,
    "INSERT INTO per_minute\nSELECT STREAM machine, COUNT(*) AS n\nFROM alarms\nEVENTTIME BY PROCTIME()\n"
    "WINDOW BY TUMBLE 1m\nGROUP BY machine\nEMIT FINAL;",
    "INSERT INTO per_minute\nSELECT STREAM machine, COUNT(*) AS n\nFROM alarms\nWINDOW BY TUMBLE 1m\nGRACE BY 10s\n"
    "GROUP BY machine\nEMIT FINAL;",
    _find,
)
