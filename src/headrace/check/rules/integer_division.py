"""`/` between whole numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from headrace.check.rule import Finding, Rule
from headrace.errors.codes.lint import INTEGER_DIVISION
from headrace.sql.spans import nearest_span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.check.program import CheckedProgram


def _find(checked: CheckedProgram) -> Iterator[Finding]:
    for select in checked.selects:
        for node in select.node.find_all(exp.Div):
            if node.find_ancestor(exp.Select) is not select.node:
                continue
            sides = [
                checked.types.of(side, select.node, select.names) for side in (node.this, node.expression)
            ]
            if all(side is not None and pa.types.is_integer(side.type) for side in sides):
                yield Finding(
                    nearest_span(node),
                    "whole numbers are divided: the fraction is cut off",
                    "write `CAST(… AS DOUBLE) / …` if it is wanted, `DIVIDE(…, …)` if not",
                )


RULE = Rule(
    INTEGER_DIVISION,
    "CREATE TABLE orders(_key string, amount long, pieces int) FORMAT(STRING, JSON);\n"
    "INSERT INTO prices\nSELECT STREAM amount / pieces AS price\nFROM orders;",
    "CREATE TABLE orders(_key string, amount long, pieces int) FORMAT(STRING, JSON);\n"
    "INSERT INTO prices\nSELECT STREAM CAST(amount AS DOUBLE) / pieces AS price\nFROM orders;",
    _find,
    typed=True,
)
