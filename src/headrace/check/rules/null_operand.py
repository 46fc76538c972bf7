"""`||` and arithmetic in SELECT, of which one operand may be null and another is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from headrace.check.nulls import may_be_null, spoken_of
from headrace.check.rule import Finding, Rule
from headrace.errors.codes.lint import NULL_OPERAND
from headrace.sql import print_query
from headrace.sql.spans import nearest_span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.check.program import CheckedProgram, Select

_ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod)


def _find(checked: CheckedProgram) -> Iterator[Finding]:
    for select in checked.selects:
        known = spoken_of(select)
        for item in select.node.expressions:
            # Inside of a function or CASE somebody may have thought of nulls.
            node = _bare(item.unalias())
            if not isinstance(node, (exp.DPipe, *_ARITHMETIC)):
                continue
            operands = _operands(node)
            if not any(_is_there(checked, select, operand) for operand in operands):
                continue
            for operand in operands:
                if operand not in known and not _is_key(operand) and may_be_null(checked, select, operand):
                    name = print_query(operand) if isinstance(operand, exp.Expression) else "it"
                    other = "''" if isinstance(node, exp.DPipe) else "0"
                    yield Finding(
                        nearest_span(node),
                        f"the whole result is null where `{name}` is",
                        f"write `COALESCE({name}, {other})`, or say in WHERE that it `IS NOT NULL`",
                    )
                    break


def _operands(node: exp.Expr) -> list[exp.Expr]:
    node = _bare(node)
    if not isinstance(node, (exp.DPipe, *_ARITHMETIC)):
        return [node]
    return [*_operands(node.this), *_operands(node.expression)]


def _bare(node: exp.Expr) -> exp.Expr:
    """Give what stands in brackets, behind a sign, or in a cast: it is null where they are."""
    while isinstance(node, exp.Paren | exp.Neg | exp.Cast):
        node = node.this
    return node


def _is_there(checked: CheckedProgram, select: Select, node: exp.Expr) -> bool:
    """Say whether an operand is text of its own, or a column that is never null: what makes the result look as if it were."""
    if isinstance(node, exp.Literal):
        return bool(node.is_string)
    if not isinstance(node, exp.Column | exp.Dot):
        return False
    known = checked.types.of(node, select.node, select.names)
    return known is not None and known.declared and not known.nullable


def _is_key(node: exp.Expr) -> bool:
    """Say whether it is of a key, of which no declaration says that it is never null."""
    return any(part.name == "_key" for part in node.find_all(exp.Identifier))


RULE = Rule(
    NULL_OPERAND,
    "CREATE TABLE people(_key string, first string, last string NOT NULL) FORMAT(STRING, JSON);\n"
    "INSERT INTO greetings\nSELECT STREAM first || ' ' || last AS name\nFROM people;",
    "CREATE TABLE people(_key string, first string, last string NOT NULL) FORMAT(STRING, JSON);\n"
    "INSERT INTO greetings\nSELECT STREAM COALESCE(first || ' ', '') || last AS name\nFROM people;",
    _find,
    typed=True,
)
