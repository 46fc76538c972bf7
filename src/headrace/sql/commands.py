"""The statements that look at a log and change it, beside programs and queries: SHOW, DESCRIBE, DROP, DELETE, views, synonyms.

They run one at a time, in `headrace query` and `headrace sql`; a program that runs for ever has none of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot import exp

    from headrace.errors import Span
    from headrace.sql.nodes import Named


class Shown(StrEnum):
    """What SHOW lists."""

    TABLES = "TABLES"
    VIEWS = "VIEWS"
    VIEW = "VIEW"
    SYNONYMS = "SYNONYMS"
    FUNCTIONS = "FUNCTIONS"
    QUERIES = "QUERIES"
    ALL_QUERIES = "ALL QUERIES"


class Described(StrEnum):
    """What DESCRIBE tells of."""

    TABLE = "TABLE"
    FORMATTED = "FORMATTED"
    """A table with all that is known of its topic."""
    FUNCTION = "FUNCTION"


class Dropped(StrEnum):
    """What DROP removes."""

    TABLE = "TABLE"
    VIEW = "VIEW"
    SYNONYM = "SYNONYM"


@dataclass(frozen=True, slots=True)
class Use:
    """USE name: the connection that later statements are for."""

    name: str
    span: Span
    name_span: Span


@dataclass(frozen=True, slots=True)
class Show:
    """SHOW what. `name`: the view of SHOW VIEW. `like`: a pattern of LIKE that the names match."""

    what: Shown
    name: str | None
    like: str | None
    span: Span
    name_span: Span | None = None


@dataclass(frozen=True, slots=True)
class Describe:
    """DESCRIBE TABLE t, DESCRIBE FORMATTED t, DESCRIBE FUNCTION f."""

    what: Described
    name: str
    span: Span
    name_span: Span


@dataclass(frozen=True, slots=True)
class Drop:
    """DROP TABLE t, DROP VIEW v, DROP SYNONYM s. `if_exists`: a name that is not there is no error."""

    what: Dropped
    name: str
    if_exists: bool
    span: Span
    name_span: Span


@dataclass(frozen=True, slots=True)
class Truncate:
    """TRUNCATE TABLE t: removes the records and keeps the topic."""

    name: str
    span: Span
    name_span: Span


@dataclass(frozen=True, slots=True)
class Delete:
    """DELETE FROM t WHERE condition."""

    name: str
    condition: exp.Expression
    span: Span
    name_span: Span


@dataclass(frozen=True, slots=True)
class CreateView:
    """CREATE [OR REPLACE] VIEW v AS query. `text`: the query as the user wrote it, its WITH in front."""

    name: str
    query: exp.Expression
    names: tuple[Named, ...]
    replaces: bool
    text: str
    span: Span
    name_span: Span


@dataclass(frozen=True, slots=True)
class CreateSynonym:
    """CREATE SYNONYM s FOR t: another name of a topic."""

    name: str
    topic: str
    span: Span
    name_span: Span
    topic_span: Span


@dataclass(frozen=True, slots=True)
class KillQuery:
    """KILL QUERY id."""

    query: int
    span: Span
    query_span: Span


Command = Use | Show | Describe | Drop | Truncate | Delete | CreateView | CreateSynonym | KillQuery
