"""What rules ask of nulls: where a schema or an outer join says that there may be some, and where the text speaks of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

if TYPE_CHECKING:
    from headrace.check.program import CheckedProgram, Select


def may_be_null(checked: CheckedProgram, select: Select, node: exp.Expr) -> bool:
    """Say whether a schema says so of a column; a sample, in which any column may be null, tells nothing."""
    if not isinstance(node, exp.Column | exp.Dot):
        return False
    known = checked.types.of(node, select.node, select.names)
    return known is not None and known.nullable and known.declared


def spoken_of(select: Select) -> list[exp.Expr]:
    """Give what WHERE compares with NULL: whoever wrote that has thought of it."""
    where = select.node.args.get("where")
    return [] if where is None else [node.this for node in where.find_all(exp.Is)]
