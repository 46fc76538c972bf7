"""What looks like a call and is a form of DuckDB's grammar, which only queries in DuckDB's own SQL can have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlglot import exp

from headrace.errors.codes import plan as codes
from headrace.planner.faults import refusal
from headrace.sql.spans import nearest_span

if TYPE_CHECKING:
    from collections.abc import Mapping

_FORMS: Final[Mapping[str, str]] = {
    "any": "write IN, or `list_contains(array, value)`",
    "all": "write `NOT list_contains(…)`, or compare with the least or the greatest element",
    "columns": "COLUMNS stands in the list of columns",
    "try": "write a CASE that keeps the failing value out, or TRY_CAST",
}
"""By name, with what to write where the query is not DuckDB's alone."""


def refuse_forms(node: exp.Expression) -> None:
    """Refuse a node that is such a form.

    Raises:
        ProgramError: it is one; its code lets a query as a whole go to DuckDB.
    """
    if not isinstance(node, exp.Anonymous):
        return
    name = str(node.this).lower()
    if name in _FORMS:
        message = f"`{name.upper()}` of this form belongs to DuckDB's SQL"
        raise refusal(codes.DUCKDB_FORM, message, nearest_span(node), _FORMS[name])
    if name == "unnest" and len(node.expressions) > 1:
        message = "`UNNEST` takes one array"
        raise refusal(codes.DUCKDB_FORM, message, nearest_span(node))
