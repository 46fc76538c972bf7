"""Snapshot queries in DuckDB's own SQL: all that the grammar of programs has no form for, such as PIVOT or SUMMARIZE.

The text goes to DuckDB as it stands; so names and functions mean what they mean there. Each topic, view or name of WITH that
it names is a view of DuckDB, with the columns that `SELECT *` gives. Where the text names `_key`, `_value` or `_meta`, its
views have these columns too; if they always had, these would be part of every `*`, PIVOT and SUMMARIZE.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import duckdb

from headrace.errors import Diagnostic, ProgramError, Severity, Span
from headrace.errors.codes import catalog as catalog_codes
from headrace.errors.codes import plan as codes
from headrace.errors.suggest import did_you_mean
from headrace.functions import lookup
from headrace.functions.declaration import Kind
from headrace.plan.snapshot import SnapshotPlan
from headrace.planner.connection import connection, connection_alone
from headrace.planner.faults import refusal
from headrace.planner.snapshot.plan import plan_query, relations_without_rows
from headrace.planner.user_functions import register
from headrace.sql import parse_program
from headrace.sql.nodes import CreateTable, Program, Set, With

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from headrace.catalog import Definitions, TopicCatalog
    from headrace.errors import Source
    from headrace.planner.snapshot.states import StoredStates
    from headrace.sql.nodes import DuckdbQuery

_FACETS: Final = {
    "_key": "_key",
    "_value": "_value",
    "_meta": "{topic: _meta.topic, partition: _meta.partition, offset: _meta.offset, timestamp: _meta.timestamp} AS _meta",
}
_WORD: Final = re.compile(
    r"""'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/|"((?:[^"]|"")+)"|([^\W\d]\w*)(\s*\()?""", re.DOTALL
)
"""A string or a comment, which hold no names; a name between quotes; or a bare one, with the bracket of a call."""

_NO_TABLE: Final = re.compile(r"Table with name (.+) does not exist")
_PLACE: Final = re.compile(r"^LINE (\d+): (.*)\n( *)\^", re.MULTILINE)
_NO_COLUMNS: Final = "SELECT list is empty"
"""Said of a PIVOT that makes all its columns of values, as long as there are no rows."""

_NAMED: Final = re.compile(r'"([^"]+)"')
_OWN: Final = ("PIVOT", "UNPIVOT", "SUMMARIZE")
_KINDS: Final = (duckdb.StatementType.SELECT, duckdb.StatementType.MULTI)
"""MULTI is a PIVOT that looks for its columns itself."""


def is_duckdb_query(text: str) -> bool:
    """Say whether a text is for DuckDB: it reads it as one query, or is to say what is wrong with a form of its own."""
    if text.partition(" ")[0].upper() in _OWN:
        return True
    with connection() as duck:
        try:
            found = duck.extract_statements(text)
        except duckdb.Error:
            return False
    return len(found) == 1 and found[0].type in _KINDS


def plan_duckdb_query(
    query: DuckdbQuery,
    program: Program,
    catalog: TopicCatalog,
    states: StoredStates | None = None,
    definitions: Definitions | None = None,
) -> tuple[SnapshotPlan, tuple[Diagnostic, ...]]:
    """Plan a query in DuckDB's own SQL.

    Args:
        query: its text.
        program: SET, WITH and CREATE TABLE statements, for what they name.
        catalog: what the topics hold.
        states: what STATE() in views can read; None if nothing.
        definitions: views and synonyms of the log.

    Returns:
        The plan, and warnings: functions that mean something else than in other queries.

    Raises:
        ProgramError: what is wrong with it, with places in the text.
    """
    before = [item for item in program.statements if isinstance(item, Set | With | CreateTable)]
    known = {entry.name for item in before if isinstance(item, With) for entry in item.names}
    known |= {item.name for item in before if isinstance(item, CreateTable)}
    if definitions is not None:
        known |= {*definitions.views, *definitions.synonyms}
    known |= set(catalog.names())
    words = _words(query.text)
    named = [name for name in words if name in known]
    _check_case(named, query)
    facets = [sql for name, sql in _FACETS.items() if name in words]
    tables = [
        _table(
            name,
            facets,
            f"_headrace_{number}_",
            Program(tuple(before), program.source),
            catalog,
            states,
            definitions,
        )
        for number, name in enumerate(named)
    ]
    plan = SnapshotPlan(
        scans=tuple(scan for table in tables for scan in table.scans),
        query=query.text,
        names=None,
        setup=tuple(dict.fromkeys(statement for table in tables for statement in table.setup)),
        functions=tuple(dict.fromkeys(function for table in tables for function in table.functions)),
        states=tuple(state for table in tables for state in table.states),
        views=tuple(_view(name, table) for name, table in zip(named, tables, strict=True)),
    )
    _check(plan, query, program.source, sorted(known))
    return plan, _other_functions(query)


def _table(
    name: str,
    facets: Sequence[str],
    prefix: str,
    before: Program,
    catalog: TopicCatalog,
    states: StoredStates | None,
    definitions: Definitions | None,
) -> SnapshotPlan:
    """Plan the query that gives the rows of a table. What has no key or no place, a view say, goes without them."""
    for columns in (["*", *facets], ["*"]):
        text = f"SELECT {', '.join(columns)} FROM `{name}`"
        whole = Program((*before.statements, *parse_program(text).statements), before.source)
        try:
            return plan_query(whole, catalog, states, definitions, prefix=prefix)
        except ProgramError as fault:
            found = fault
            if any(item.code != codes.UNKNOWN_COLUMN for item in fault.diagnostics):
                break
    # Its places are those of a text that the user has not written.
    raise ProgramError(tuple(_elsewhere(item) for item in found.diagnostics))


def _elsewhere(item: Diagnostic) -> Diagnostic:
    return Diagnostic(item.code, item.message, None, item.help, item.notes, item.severity)


def _view(name: str, table: SnapshotPlan) -> str:
    assert table.names is not None
    taken: set[str] = set()
    columns = []
    for column in table.names:
        shown, number = column, 1
        while shown.lower() in taken:
            # Names that differ in case alone are one name to DuckDB.
            shown, number = f"{column}_{number}", number + 1
        taken.add(shown.lower())
        columns.append(_quoted(shown))
    return f"CREATE TEMP VIEW {_quoted(name)} ({', '.join(columns)}) AS {table.query}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _words(text: str) -> dict[str, Span]:
    """Give the names in a text with the place of each one's first use; functions that are called are none."""
    found: dict[str, Span] = {}
    for match in _WORD.finditer(text):
        quoted, bare, call = match.groups()
        if quoted is not None:
            found.setdefault(quoted.replace('""', '"'), Span(*match.span()))
        elif bare is not None and call is None:
            found.setdefault(bare, Span(*match.span(2)))
    return found


def _check_case(named: Sequence[str], query: DuckdbQuery) -> None:
    seen: dict[str, str] = {}
    for name in named:
        other = seen.setdefault(name.lower(), name)
        if other != name:
            message = f"`{other}` and `{name}` are one name to DuckDB, which reads this query"
            way_out = "give one of them another name: CREATE SYNONYM"
            raise refusal(codes.DUCKDB_REFUSES, message, query.span, way_out)


def _check(plan: SnapshotPlan, query: DuckdbQuery, source: Source, known: Sequence[str]) -> None:
    duck = connection_alone() if plan.functions else connection()
    try:
        for statement in plan.setup:
            duck.execute(statement)
        register(duck, plan.functions)
        for relation, rows in relations_without_rows(plan.scans, plan.states):
            duck.execute(f"CREATE TEMP VIEW {relation} AS {rows}")
        for view in plan.views:
            duck.execute(view)
        duck.sql(query.text)
    except duckdb.Error as fault:
        if _NO_COLUMNS in str(fault):
            return
        raise ProgramError((_refusal(str(fault), query, known),), source) from None
    finally:
        duck.close()


def _refusal(said: str, query: DuckdbQuery, known: Sequence[str]) -> Diagnostic:
    """Make a diagnostic of what DuckDB says; no record has been read yet, so its words hold no values."""
    missing = _NO_TABLE.search(said)
    if missing is not None:
        name = missing[1]
        place = _words(query.text).get(name)
        span = query.span if place is None else _moved(place, query.span.start)
        return Diagnostic(
            catalog_codes.UNKNOWN_TOPIC, f"there is no topic `{name}`", span, did_you_mean(name, known)
        )
    lines = [line for line in said.partition("\nLINE ")[0].splitlines() if line.strip()]
    message = (lines[0].partition(": ")[2] or lines[0]).rstrip("!")
    way_out = "; ".join(line.strip() for line in lines[1:]) or None
    return Diagnostic(
        codes.DUCKDB_REFUSES,
        f"DuckDB, which reads this query, refuses it: {message}",
        _place(said, query),
        way_out,
    )


def _place(said: str, query: DuckdbQuery) -> Span:
    """Find the place that DuckDB points at: it shows a part of a line, with a caret under it."""
    match = _PLACE.search(said)
    if match is None:
        name = _NAMED.search(said.partition("\n")[0])
        place = _words(query.text).get(name[1]) if name is not None else None
        return query.span if place is None else _moved(place, query.span.start)
    lines = query.text.splitlines(keepends=True)
    number, shown, indent = int(match[1]), match[2], len(match[3])
    column = indent - len(f"LINE {number}: ")
    if number > len(lines):
        return query.span
    part = shown.removeprefix("...").removesuffix("...")
    at = lines[number - 1].find(part)
    column -= 3 if shown.startswith("...") else 0
    if at < 0 or column < 0:
        return query.span
    begin = query.span.start + sum(len(line) for line in lines[: number - 1]) + at + column
    length = len(said[match.end() :].partition("\n")[0].rstrip()) + 1
    return Span(begin, min(begin + length, query.span.end))


def _moved(place: Span, by: int) -> Span:
    return Span(place.start + by, place.end + by)


def _other_functions(query: DuckdbQuery) -> tuple[Diagnostic, ...]:
    """Warn of functions that Headrace has too, and not DuckDB's."""
    return tuple(
        Diagnostic(
            codes.READ_BY_DUCKDB,
            f"`{name}` is DuckDB's function here: DuckDB reads this query, for its form",
            _moved(span, query.span.start),
            f"`{name}` of other queries may give something else, see `DESCRIBE FUNCTION {name}`",
            severity=Severity.WARNING,
        )
        for name, span in _calls(query.text)
    )


def _calls(text: str) -> Iterator[tuple[str, Span]]:
    seen = set()
    for match in _WORD.finditer(text):
        name = (match[2] or "").upper()
        if match[3] is None or name in seen:
            continue
        seen.add(name)
        function = lookup(name)
        if (
            function is not None
            and (function.duckdb or "").upper() != name
            and function.kind is not Kind.AGGREGATE
        ):
            yield name, Span(*match.span(2))
