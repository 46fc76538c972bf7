"""A named query that no other reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from headrace.check.rule import Finding, Rule
from headrace.errors.codes.lint import UNUSED_WITH
from headrace.sql.nodes import Insert, Query, With

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.check.program import CheckedProgram


def _find(checked: CheckedProgram) -> Iterator[Finding]:
    statements = [item for item in checked.program.statements if isinstance(item, Insert | With | Query)]
    entries = [entry for statement in statements for entry in statement.names]
    trees = [entry.query for entry in entries]
    trees += [item.query for item in statements if not isinstance(item, With)]
    read = {table.name for tree in trees for table in tree.find_all(exp.Table)}
    for entry in entries:
        if entry.name not in read:
            yield Finding(entry.name_span, f"nothing reads `{entry.name}`", "read it, or remove it")


RULE = Rule(
    UNUSED_WITH,
    "WITH large AS (SELECT STREAM * FROM orders WHERE amount > 100);\nINSERT INTO alerts SELECT STREAM * FROM orders;",
    "WITH large AS (SELECT STREAM * FROM orders WHERE amount > 100);\nINSERT INTO alerts SELECT STREAM * FROM large;",
    _find,
)
