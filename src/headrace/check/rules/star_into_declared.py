"""SELECT * into a target that has columns of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from headrace.check.rule import Finding, Rule
from headrace.errors.codes.lint import STAR_INTO_DECLARED
from headrace.sql.spans import nearest_span, span_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.check.program import CheckedProgram


def _find(checked: CheckedProgram) -> Iterator[Finding]:
    for insert in checked.inserts:
        query = insert.query
        if not isinstance(query, exp.Select) or not checked.types.is_declared(insert.target):
            continue
        for item in query.expressions:
            if isinstance(item, exp.Star) or (
                isinstance(item, exp.Column) and isinstance(item.this, exp.Star)
            ):
                yield Finding(
                    span_of(item) or nearest_span(query),
                    f"`{insert.target}` has columns of its own, and gets whatever the source has",
                    "name the columns",
                )


RULE = Rule(
    STAR_INTO_DECLARED,
    "CREATE TABLE orders(_key string, amount double) FORMAT(STRING, JSON);\n"
    "CREATE TABLE archive(_key string, amount double) FORMAT(STRING, JSON);\n"
    "INSERT INTO archive\nSELECT STREAM *\nFROM orders;",
    "CREATE TABLE orders(_key string, amount double) FORMAT(STRING, JSON);\n"
    "CREATE TABLE archive(_key string, amount double) FORMAT(STRING, JSON);\n"
    "INSERT INTO archive\nSELECT STREAM amount\nFROM orders;",
    _find,
    typed=True,
)
