"""EMIT FINAL, or WITHIN, without GRACE BY."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace.check.clock import goes_by_clock
from headrace.check.rule import Finding, Rule
from headrace.errors.codes.lint import MISSING_GRACE
from headrace.sql.spans import nearest_span, span_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.check.program import CheckedProgram


def _find(checked: CheckedProgram) -> Iterator[Finding]:
    for select in checked.selects:
        node = select.node
        final = node.args.get("emit") == "FINAL" and node.args.get("grace") is None
        if final and not goes_by_clock(select):
            window = node.args.get("window") or node.args.get("group")
            yield Finding(
                (span_of(window) if window is not None else None) or nearest_span(node),
                "final results without `GRACE BY` come a day after the window began",
                "add `GRACE BY` with the time that rows may be late by",
            )
        for join in node.args.get("joins") or []:
            if join.args.get("within") is not None and join.args.get("grace") is None:
                yield Finding(
                    span_of(join.args["within"]) or nearest_span(join),
                    "rows that are later than this are left out",
                    "add `GRACE BY` with the time that rows may be late by",
                )


RULE = Rule(
    MISSING_GRACE,
    "INSERT INTO per_minute\nSELECT STREAM machine, COUNT(*) AS n\nFROM alarms\nWINDOW BY TUMBLE 1m\n"
    "GROUP BY machine\nEMIT FINAL;",
    "INSERT INTO per_minute\nSELECT STREAM machine, COUNT(*) AS n\nFROM alarms\nWINDOW BY TUMBLE 1m\nGRACE BY 10s\n"
    "GROUP BY machine\nEMIT FINAL;",
    _find,
)
