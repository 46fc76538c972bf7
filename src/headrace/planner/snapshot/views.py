"""Views of the log: their texts, bound where a query names them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from headrace.errors import ProgramError
from headrace.sql import parse_program
from headrace.sql.nodes import Query

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def stored_view(text: str) -> exp.Expression:
    """Give the query of a view; its places are those in its own text."""
    (statement,) = parse_program(f"SELECT * FROM ({text})", "view").statements
    assert isinstance(statement, Query)
    return statement.query


def read_by(query: exp.Expression) -> frozenset[str]:
    """Give the names of topics, synonyms and views that a query reads; names of its own WITH are none of them."""
    tables = (table for table in query.find_all(exp.Table) if isinstance(table.this, exp.Identifier))
    return frozenset(table.name for table in tables if not _names_with(table))


def readers(views: Mapping[str, str], names: Iterable[str]) -> list[str]:
    """Give the views that read one of these names, not through other views."""
    wanted = frozenset(names)
    return sorted(view for view, text in views.items() if wanted & _read(text))


def reached(names: Iterable[str], views: Mapping[str, str]) -> dict[str, list[str]]:
    """Give all that names mean, through views too: each with the way to it, from one of the names to itself."""
    ways = {name: [name] for name in names}
    left = list(ways)
    while left:
        view = left.pop()
        further = _read(views[view]) if view in views else frozenset()
        for found in further - ways.keys():
            ways[found] = [*ways[view], found]
            left.append(found)
    return ways


def _read(text: str) -> frozenset[str]:
    try:
        return read_by(stored_view(text))
    except ProgramError:
        # Of an earlier version, which this one does not read.
        return frozenset()


def _names_with(table: exp.Table) -> bool:
    """Say whether a table is a name of a WITH around it; inside its own entry the name means what it means outside."""
    around = table.parent
    while around is not None:
        clause = around.args.get("with_")
        if clause is not None and any(
            entry.alias == table.name and (entry is not _entry(table, clause) or clause.args.get("recursive"))
            for entry in clause.expressions
        ):
            return True
        around = around.parent
    return False


def _entry(table: exp.Table, clause: exp.With) -> exp.Expression | None:
    """Give the entry of a WITH that a table stands in."""
    found = table.find_ancestor(exp.CTE)
    while found is not None and found.parent is not clause:
        found = found.find_ancestor(exp.CTE)
    return found
