"""The same query into the same target, twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace.check.rule import Finding, Rule
from headrace.errors.codes.lint import DUPLICATE_INSERT
from headrace.sql import print_query

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.check.program import CheckedProgram


def _find(checked: CheckedProgram) -> Iterator[Finding]:
    seen: set[tuple[str, ...]] = set()
    for insert in checked.inserts:
        text = (
            insert.target,
            print_query(insert.query),
            *(f"{entry.name}: {print_query(entry.query)}" for entry in insert.names),
        )
        if text in seen:
            yield Finding(
                insert.target_span,
                f"the same rows are written to `{insert.target}` before",
                "remove one of the two",
            )
        seen.add(text)


RULE = Rule(
    DUPLICATE_INSERT,
    "INSERT INTO alerts SELECT STREAM * FROM orders WHERE amount > 100;\n"
    "INSERT INTO alerts SELECT STREAM * FROM orders WHERE amount > 100;",
    "INSERT INTO alerts SELECT STREAM * FROM orders WHERE amount > 100;\n"
    "INSERT INTO alerts SELECT STREAM * FROM returns WHERE amount > 100;",
    _find,
)
