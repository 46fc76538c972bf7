"""The syntax tree of a program: statements are ours, queries and expressions are sqlglot's with a few nodes added.

A node that the user can point at keeps its place in the text: see `headrace.sql.spans`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlglot import exp

from headrace.sql.commands import Command

if TYPE_CHECKING:
    from headrace.errors import Source, Span


class Mode(StrEnum):
    """The word after SELECT. Without one: a table in the 2018 dialect, a snapshot query outside INSERT."""

    STREAM = "STREAM"
    TABLE = "TABLE"


class Select(exp.Select):
    """SELECT with the streaming clauses.

    Added args: `mode` (str of Mode, or absent), `eventtime` (expression of EVENTTIME BY), `window` (Window, of WINDOW BY),
    `grace` (Duration), `emit` ("CHANGES" or "FINAL"). LATERAL arr AS x stands in `laterals` as `ArrayLateral`.
    A window function inside GROUP BY (2018) stands in the group's expressions as `Window`.

    Joins are `Join`: `kind` is INNER, CROSS, SEMI or ANTI, or absent where `side` (LEFT, RIGHT, FULL) says it all; a comma join
    has neither. Calls are `exp.Anonymous`. An index of `exp.Bracket` counts from 0, as in the text.
    """

    arg_types = {  # noqa: RUF012 - sqlglot's own convention
        **exp.Select.arg_types,
        "mode": False,
        "eventtime": False,
        "window": False,
        "grace": False,
        "emit": False,
    }


class Duration(exp.Expression):
    """A length of time. `this`: the number (int), `unit`: one of ms s m h d w M y as written."""

    arg_types = {"this": True, "unit": True}  # noqa: RUF012

    @property
    def millis(self) -> int:
        """Length in milliseconds; months and years have none (ValueError)."""
        scale = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
        unit = self.args["unit"]
        if unit not in scale:
            message = f"a duration in `{unit}` has no fixed length"
            raise ValueError(message)
        return int(self.args["this"]) * scale[unit]


class Window(exp.Expression):
    """A window. `kind`: TUMBLE HOP CUMULATE SESSION SLIDE, or SLIDING of 2018.

    `size`, `advance` (the step of CUMULATE), `retention`, `offset` (may be below zero): Duration.
    """

    arg_types = {  # noqa: RUF012
        "kind": True,
        "size": True,
        "advance": False,
        "retention": False,
        "offset": False,
    }


class ArrayLateral(exp.Expression):
    """LATERAL `this` AS `alias` (Identifier): one row per array element."""

    arg_types = {"this": True, "alias": True}  # noqa: RUF012


class Target(exp.Expression):
    """A projection with a target that is more than a plain name: `expr AS _key`, `AS _key.a`, `AS a.b.c`, `AS _value`.

    `this`: the expression, `expressions`: the Identifiers of the path, facet first if written. Plain `expr AS name` is exp.Alias.
    """

    arg_types = {"this": True, "expressions": True}  # noqa: RUF012


class Within(exp.Expression):
    """WITHIN of a join, in the arg `within` of `Join`. `this`: Duration before (and after), `after`: Duration if it differs."""

    arg_types = {"this": True, "after": False}  # noqa: RUF012


class Join(exp.Join):
    """A join with WITHIN (arg `within`), GRACE (arg `grace`), and GLOBAL TABLE before its source (`broadcast`: True).

    `pairs`: in place of ON, equalities with the left side's expression first; no text has them, the planner makes such joins.
    """

    arg_types = {  # noqa: RUF012
        **exp.Join.arg_types,
        "within": False,
        "grace": False,
        "broadcast": False,
        "pairs": False,
    }


class MatchRecognize(exp.Expression):
    """MATCH_RECOGNIZE over the rows of a source, in the place of a source.

    `this`: the source. `partition_by`: expressions. `order`: exp.Order. `measures`: exp.Alias each. `after`: `SkipTo`, absent
    where the text does not say it. `pattern`: `PatternName`, `PatternSequence`, `PatternChoice` or `PatternRepeat`. `within`:
    Duration or exp.Interval. `define`: exp.Alias each, of a condition. `one_row`: ONE ROW PER MATCH is written.
    `alias`: exp.TableAlias.
    """

    arg_types = {  # noqa: RUF012
        "this": True,
        "partition_by": False,
        "order": False,
        "measures": False,
        "one_row": False,
        "after": False,
        "pattern": True,
        "within": False,
        "define": False,
        "alias": False,
    }


class SkipTo(exp.Expression):
    """AFTER MATCH SKIP. `kind`: "PAST LAST ROW", "TO NEXT ROW", "TO FIRST" or "TO LAST"; `this`: the variable of these."""

    arg_types = {"kind": True, "this": False}  # noqa: RUF012


class PatternName(exp.Expression):
    """A variable of a pattern. `this`: Identifier."""

    arg_types = {"this": True}  # noqa: RUF012


class PatternSequence(exp.Expression):
    """Parts of a pattern one after the other: `expressions`, at least two."""

    arg_types = {"expressions": True}  # noqa: RUF012


class PatternChoice(exp.Expression):
    """Parts of a pattern, one of which is met: `expressions`, at least two."""

    arg_types = {"expressions": True}  # noqa: RUF012


class PatternRepeat(exp.Expression):
    """A part of a pattern several times. `least`, `most` (int; None: any number); `reluctant`: rather fewer."""

    arg_types = {"this": True, "least": True, "most": False, "reluctant": False}  # noqa: RUF012


@dataclass(frozen=True, slots=True)
class Set:
    """SET key = value. `key`: the parts between the dots, without quotes; a back-ticked part is one, whatever dots it holds."""

    key: tuple[str, ...]
    value: str | int | float | bool
    span: Span
    value_span: Span


@dataclass(frozen=True, slots=True)
class Named:
    """One `name AS (query)` of a WITH. `columns` renames those of the query; `recursive`: RECURSIVE stands behind WITH."""

    name: str
    query: exp.Expression
    span: Span
    name_span: Span
    columns: tuple[exp.Identifier, ...] = ()
    recursive: bool = False


@dataclass(frozen=True, slots=True)
class With:
    """WITH name AS (…) [, …]; at the top level."""

    names: tuple[Named, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Insert:
    """INSERT INTO target [STORE KEY AS f VALUE AS f] [WITH …] query. `query` is Select, exp.Union … , or exp.Values."""

    target: str
    columns: tuple[tuple[str, ...], ...]
    store_key: str | None
    store_value: str | None
    names: tuple[Named, ...]
    query: exp.Expression
    span: Span
    target_span: Span
    store_key_span: Span | None = None
    store_value_span: Span | None = None


@dataclass(frozen=True, slots=True)
class ColumnDef:
    """A column of CREATE TABLE. `path` may begin with a facet. `type` as sqlglot reads it (arrays, STRUCT, DECIMAL(p,s))."""

    path: tuple[str, ...]
    type: exp.DataType
    nullable: bool
    span: Span


@dataclass(frozen=True, slots=True)
class CreateTable:
    """CREATE TABLE [IF NOT EXISTS] t (…) FORMAT (key, value) [PROPERTIES (k=v, …)]: declares what a topic holds."""

    name: str
    columns: tuple[ColumnDef, ...]
    key_format: str
    value_format: str
    properties: tuple[tuple[str, str], ...]
    span: Span
    name_span: Span
    key_format_span: Span
    value_format_span: Span
    if_not_exists: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """A query by itself: a snapshot SELECT."""

    query: exp.Expression
    names: tuple[Named, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class DuckdbQuery:
    """A snapshot query in DuckDB's own SQL, which this grammar does not read.

    `otherwise`: what this grammar reads, where both do and mean something else by `//`: a comment here, a division there.
    """

    text: str
    span: Span
    otherwise: Query | None = None


Statement = Set | With | Insert | CreateTable | Query | DuckdbQuery | Command


@dataclass(frozen=True, slots=True)
class Program:
    """All statements of a text, in order."""

    statements: tuple[Statement, ...]
    source: Source
