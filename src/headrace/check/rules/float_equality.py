"""`=` between floating-point numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from headrace.check.rule import Finding, Rule
from headrace.errors.codes.lint import FLOAT_EQUALITY
from headrace.sql.spans import nearest_span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.check.program import CheckedProgram, Select


def _find(checked: CheckedProgram) -> Iterator[Finding]:
    for select in checked.selects:
        for node in select.node.find_all(exp.EQ, exp.NEQ):
            if node.find_ancestor(exp.Select) is not select.node:
                continue
            # A whole number is met exactly by what was never computed: `speed = 0`.
            if not any(_is_whole(side) for side in (node.this, node.expression)) and _is_float(
                checked, select, node
            ):
                yield Finding(
                    nearest_span(node),
                    "floating-point numbers are compared for equality",
                    "compare with a distance: `ABS(a - b) < 0.001`",
                )


def _is_float(checked: CheckedProgram, select: Select, node: exp.Binary) -> bool:
    sides = [checked.types.of(side, select.node, select.names) for side in (node.this, node.expression)]
    return any(side is not None and pa.types.is_floating(side.type) for side in sides)


def _is_whole(node: exp.Expr) -> bool:
    return isinstance(node, exp.Null) or (
        isinstance(node, exp.Literal) and not node.is_string and node.this.isdigit()
    )


RULE = Rule(
    FLOAT_EQUALITY,
    "CREATE TABLE readings(_key string, level double) FORMAT(STRING, JSON);\n"
    "INSERT INTO full\nSELECT STREAM *\nFROM readings\nWHERE level = 0.3;",
    "CREATE TABLE readings(_key string, level double) FORMAT(STRING, JSON);\n"
    "INSERT INTO full\nSELECT STREAM *\nFROM readings\nWHERE ABS(level - 0.3) < 0.001;",
    _find,
    typed=True,
)
