"""Views of the log: their texts, bound where a query names them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace.sql import parse_program
from headrace.sql.nodes import Query

if TYPE_CHECKING:
    from sqlglot import exp


def stored_view(text: str) -> exp.Expression:
    """Give the query of a view; its places are those in its own text."""
    (statement,) = parse_program(f"SELECT * FROM ({text})", "view").statements
    assert isinstance(statement, Query)
    return statement.query
