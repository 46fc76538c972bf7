"""Keywords: which words can be names, and which keyword a misspelt word was meant to be."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

RESERVED = frozenset(
    """SELECT FROM WHERE GROUP HAVING ORDER LIMIT UNION INTERSECT EXCEPT JOIN ON AND OR NOT CASE WHEN THEN ELSE END AS IN IS
    LIKE BETWEEN NULL TRUE FALSE WITH INSERT INTO DISTINCT""".split()  # noqa: SIM905 - a word a line is harder to read
)
"""Words that are a name only between back-ticks. Few on purpose: `timestamp`, `key` and `offset` are columns of topics."""

NOT_AN_ALIAS = RESERVED | frozenset(
    """WINDOW GRACE EVENTTIME WITHIN LATERAL EMIT STORE SET CREATE VALUES LEFT RIGHT INNER FULL OUTER CROSS NATURAL ASOF
    POSITIONAL SEMI ANTI OFFSET QUALIFY USING BY COLLATE ESCAPE ILIKE SIMILAR GLOB OVER DROP DELETE ALTER TRUNCATE ISNULL
    NOTNULL ASC DESC NULLS FETCH TABLESAMPLE MATCH_RECOGNIZE""".split()  # noqa: SIM905
)
"""Words that begin something else where a name without AS could stand."""

CLAUSES = (
    "FROM",
    "JOIN",
    "LATERAL",
    "EVENTTIME",
    "WHERE",
    "WINDOW",
    "GRACE",
    "GROUP",
    "HAVING",
    "QUALIFY",
    "ORDER",
    "LIMIT",
    "OFFSET",
    "EMIT",
)
"""The words that begin a clause of SELECT, in the order of the clauses."""

CLAUSE_NAMES = {word: f"{word} BY" for word in ("EVENTTIME", "WINDOW", "GRACE", "GROUP", "ORDER")}
"""The full names of clauses that have two words."""

STATEMENTS = ("SET", "INSERT", "SELECT", "WITH", "CREATE", "VALUES")


def meant(word: str, candidates: Iterable[str]) -> str | None:
    """Give the candidate (upper case) that `word` is most likely a slip of; None if none is close, or `word` is one itself."""
    upper = word.upper()
    if len(upper) > 24:
        return None
    best, best_ratio = None, 0.0
    for candidate in candidates:
        if candidate == upper:
            return None
        same_letters = sorted(upper) == sorted(candidate)
        ratio = 1.0 if same_letters else SequenceMatcher(None, upper, candidate).ratio()
        if ratio > best_ratio:
            best, best_ratio = candidate, ratio
    return best if best_ratio >= 0.74 else None
