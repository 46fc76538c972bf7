"""A snapshot query and a catalog into scans and one DuckDB query over them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
from sqlglot import exp

from headrace.catalog import Definitions
from headrace.errors import Diagnostic, ProgramError
from headrace.errors.codes import plan as codes
from headrace.functions import macros_in, setup_sql
from headrace.plan.snapshot import Scan, SnapshotPlan
from headrace.planner.connection import connection, connection_alone
from headrace.planner.duckdb_types import BindError, Typer
from headrace.planner.expressions import Expressions
from headrace.planner.faults import refusal
from headrace.planner.inputs import source_columns
from headrace.planner.relations import Names, columns_in
from headrace.planner.snapshot.declared import DeclaredTables
from headrace.planner.snapshot.queries import SnapshotQueries
from headrace.planner.snapshot.sources import Sources, View
from headrace.planner.snapshot.views import stored_view
from headrace.planner.typed import text
from headrace.planner.user_functions import (
    called_in,
    calls_user_functions,
    program_functions,
    with_aggregates,
    written_out,
)
from headrace.sql.nodes import Insert, Query, With
from headrace.sql.spans import set_span, span_of
from headrace.types.sql import duckdb_type, is_integer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from headrace.catalog import TopicCatalog
    from headrace.errors import Source, Span
    from headrace.functions.user import UserFunctions
    from headrace.plan.snapshot import StateScan
    from headrace.planner.snapshot.bounds import Constant
    from headrace.planner.snapshot.origins import ScanDraft
    from headrace.planner.snapshot.sources import Bound
    from headrace.planner.snapshot.states import StoredStates
    from headrace.sql.nodes import Program

_UNGROUPED = re.compile(r'column "?(\w+)"? must appear in the GROUP BY', re.IGNORECASE)


def plan_query(
    program: Program,
    catalog: TopicCatalog,
    states: StoredStates | None = None,
    definitions: Definitions | None = None,
    *,
    prefix: str = "",
) -> SnapshotPlan:
    """Plan a snapshot query.

    Args:
        program: one query; SET, WITH and CREATE TABLE may stand before it.
        catalog: what the topics hold.
        states: what STATE() can read; None if nothing.
        definitions: views and synonyms of the log.
        prefix: of the names of the plan's relations.

    Raises:
        ProgramError: what is wrong with it, with places in the text.
    """
    queries = [item for item in program.statements if isinstance(item, Query)]
    if len(queries) != 1 or any(isinstance(item, Insert) for item in program.statements):
        message = "a snapshot query is one SELECT"
        others = [item for item in program.statements if isinstance(item, Insert)] + queries[1:]
        place = others[0].span if others else None
        raise ProgramError((Diagnostic(codes.NOT_ONE_QUERY, message, place),), program.source)
    user = program_functions(program, {})
    views = {name: stored_view(text) for name, text in (definitions or Definitions()).views.items()}
    alone = calls_user_functions(program, user, views.values())
    duck = connection_alone() if alone else connection()
    try:
        declared = DeclaredTables.over(program, catalog)
        worker = _worker(program, declared, states, definitions, duck, user, prefix)
        return _plan(program, queries[0], worker, views, duck)
    except ProgramError as fault:
        raise ProgramError(fault.diagnostics, program.source) from None
    except RecursionError:
        message = "the query is nested too deeply to be planned"
        raise ProgramError((Diagnostic(codes.TOO_DEEP, message),), program.source) from None
    finally:
        duck.close()


def _worker(
    program: Program,
    catalog: TopicCatalog,
    states: StoredStates | None,
    definitions: Definitions | None,
    duck: duckdb.DuckDBPyConnection,
    user: UserFunctions,
    prefix: str,
) -> SnapshotQueries:
    typer = Typer(duck, grouped=True, user=user)
    return SnapshotQueries(
        catalog,
        typer,
        Names(typer),
        program.source,
        _constants(typer, duck, program.source),
        states,
        definitions.synonyms if definitions is not None else {},
        prefix,
    )


def _plan(
    program: Program,
    query: Query,
    worker: SnapshotQueries,
    views: Mapping[str, exp.Expression],
    duck: duckdb.DuckDBPyConnection,
) -> SnapshotPlan:
    typer, user = worker.typer, worker.typer.user
    query = with_aggregates(query, user)
    earlier = [with_aggregates(item, user) for item in program.statements if isinstance(item, With)]
    entries = [entry for item in earlier for entry in item.names] + list(query.names)
    named = {name: View(written_out(view, user), stored=True) for name, view in views.items()}
    named |= {entry.name: View(entry.query, entry.columns, entry.recursive) for entry in entries}
    bound = worker.bind(query.query, named)
    worker.put_in(bound.query)
    scans = _scans(worker.scans, bound)
    shown = text(bound.query)
    _check(shown, scans, worker.states, duck, query, bound, typer.aggregates())
    return SnapshotPlan(
        scans=scans,
        query=shown,
        names=tuple(item.name for item in bound.outputs),
        limit=_limit(query.query),
        states=tuple(worker.states),
        follows=len(scans) == 1
        and not worker.states
        and isinstance(bound.query, exp.Select)
        and _is_plain(bound.query, typer.aggregates()),
        setup=setup_sql(macros_in(shown)),
        functions=called_in(shown, user),
    )


def _scans(drafts: list[ScanDraft], bound: Bound) -> tuple[Scan, ...]:
    used = columns_in([bound.query])
    found = []
    substitutes: dict[str, exp.Expression] = {}
    for draft in drafts:
        source = source_columns(draft.reads, used, substitutes, table=draft.relation)
        found.append(Scan(draft.relation, source, draft.bounds))
    for column in list(bound.query.find_all(exp.Column)):
        place = substitutes.get(column.name)
        if place is not None:
            stands = place.copy()
            span = span_of(column)
            for part in stands.find_all(exp.Column):
                if span is not None:
                    set_span(part, span)
            column.replace(stands)
    return tuple(found)


def _check(
    shown: str,
    scans: tuple[Scan, ...],
    states: Sequence[StateScan],
    duck: duckdb.DuckDBPyConnection,
    query: Query,
    bound: Bound,
    aggregates: frozenset[str],
) -> None:
    """Let DuckDB bind the whole: what its parts cannot tell is whether they fit each other (GROUP BY)."""
    tables = [f"{relation} AS ({rows})" for relation, rows in relations_without_rows(scans, states)]
    try:
        duck.sql((f"WITH {', '.join(tables)} " if tables else "") + f"SELECT * FROM ({shown})")
    except duckdb.Error as fault:
        ungrouped = _UNGROUPED.search(str(fault))
        if ungrouped is not None:
            place = _outside_aggregates(bound.query, ungrouped[1], aggregates)
            message = "this column is neither in GROUP BY nor inside an aggregate"
            way_out = "add it to GROUP BY, or say which of its values you want: `ANY_VALUE(column)`"
            raise refusal(codes.BAD_GROUPING, message, place or span_of(query.query), way_out) from None
        message = "the query cannot be run as it stands"
        if "aggregate" in str(fault):
            message = "an aggregate stands where there is no group"
        raise refusal(codes.BAD_GROUPING, message, span_of(query.query)) from None


def relations_without_rows(scans: Sequence[Scan], states: Sequence[StateScan]) -> Iterator[tuple[str, str]]:
    """Give the name of each relation, and a query with its columns: to let DuckDB bind what reads them."""
    for scan in scans:
        nulls = [f"CAST(NULL AS {duckdb_type(item.type)}) AS {item.name}" for item in scan.source.columns]
        yield scan.relation, f"SELECT {', '.join([*nulls, 'false AS _tombstone'])} WHERE false"
    for state in states:
        nulls = [
            f"CAST(NULL AS {duckdb_type(item.type)}) AS c{index}" for index, item in enumerate(state.columns)
        ]
        yield state.relation, f"SELECT {', '.join(nulls)} WHERE false"


def _outside_aggregates(query: exp.Expression, name: str, aggregates: frozenset[str]) -> Span | None:
    """Give the place where the text names a column outside GROUP BY and aggregates."""
    for column in query.find_all(exp.Column):
        if column.name != name or span_of(column) is None or column.find_ancestor(exp.Group) is not None:
            continue
        call = column.find_ancestor(exp.Anonymous)
        while call is not None and str(call.this).lower() not in aggregates:
            call = call.find_ancestor(exp.Anonymous)
        if call is None:
            return span_of(column)
    return None


def _constants(typer: Typer, duck: duckdb.DuckDBPyConnection, source: Source) -> Constant:
    """Give the evaluator of expressions that read no record."""

    def constant(node: exp.Expression) -> int | None:
        if node.find(exp.Column) is not None:
            return None
        try:
            found = Expressions(Sources(), typer, source).value(node)
        except (ProgramError, BindError):
            return None
        value = found.node
        if pa.types.is_timestamp(found.type):
            value = exp.Anonymous(this="epoch_ms", expressions=[value])
        elif not is_integer(found.type):
            return None
        try:
            row = duck.execute(f"SELECT CAST({text(value)} AS BIGINT)").fetchone()
        except duckdb.Error:
            return None
        return None if row is None or row[0] is None else int(row[0])

    return constant


def _limit(node: exp.Expression) -> int | None:
    """Give how many rows are enough: LIMIT, where rows that come later cannot change those that came."""
    while isinstance(node, exp.Subquery) and node.args.get("limit") is None:
        node = node.this
    part = node.args.get("limit")
    if part is None or node.args.get("order") is not None:
        return None
    return int(part.expression.name)


def _is_plain(query: exp.Expression, aggregates: frozenset[str]) -> bool:
    """Say whether each record gives its rows by itself, whatever the records beside it."""
    whole = ("group", "having", "order", "limit", "offset", "distinct", "qualify", "with_")
    for select in query.find_all(exp.Select):
        joins = select.args.get("joins") or []
        if any(select.args.get(key) for key in whole) or any(
            not isinstance(join.this, exp.Lateral) for join in joins
        ):
            return False
    if query.find(exp.Window, exp.Exists, exp.SetOperation, exp.Any, exp.All) is not None:
        return False
    sources = (exp.From, exp.Lateral, exp.Subquery)
    if any(not isinstance(inner.parent, sources) for inner in query.find_all(exp.Subquery)):
        return False
    return not any(str(call.this).lower() in aggregates for call in query.find_all(exp.Anonymous))
