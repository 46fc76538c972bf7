"""Takes statements one after the other, as `headrace query` and `headrace sql` do."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from headrace.config.query_settings import QuerySettings, read_query_settings
from headrace.engine.interrupts import took_interrupt
from headrace.engine.snapshot import SnapshotQuery
from headrace.engine.statements.answers import Answer, Done, Rows
from headrace.engine.statements.deleting import delete, truncate
from headrace.engine.statements.limiting import limited
from headrace.engine.statements.showing import describe, show
from headrace.engine.statements.tables import create_table, drop_table
from headrace.engine.statements.views import create_synonym, create_view, drop_definition
from headrace.engine.statements.workspace import refused
from headrace.engine.statements.writing import insert
from headrace.errors import Diagnostic, ProgramError, RunError
from headrace.errors.codes import catalog as codes
from headrace.errors.codes import plan as plan_codes
from headrace.errors.codes import run as run_codes
from headrace.planner.snapshot import check_size, is_duckdb_query, plan_duckdb_query, plan_query
from headrace.planner.user_functions import program_functions
from headrace.sql import parse_program
from headrace.sql.commands import (
    CreateSynonym,
    CreateView,
    Delete,
    Describe,
    Drop,
    Dropped,
    KillQuery,
    Show,
    Truncate,
    Use,
)
from headrace.sql.nodes import CreateTable, DuckdbQuery, Insert, Program, Query, Set, With

if TYPE_CHECKING:
    from collections.abc import Generator

    import pyarrow as pa

    from headrace.engine.statements.workspace import Workspace
    from headrace.functions.user import UserFunctions
    from headrace.plan.snapshot import SnapshotPlan
    from headrace.sql.nodes import Statement

_LENSES: Final = "kafka"
"""The connection that queries of Lenses name: those that are pasted carry it, whatever the log here."""

_SECONDS: Final = 3600.0
"""How long a query runs at most where nothing is said: one that has ended shows what it has read, and can be asked again."""

_OF_THE_QUERY: Final = (run_codes.QUERY_FAILED, run_codes.QUERY_ENDED)
"""What the text of a query is to blame for, while it runs."""


def parse_statements(text: str, name: str) -> Program:
    """Read the statements of `headrace query` and of the shell: what a program may hold, and queries in DuckDB's own SQL.

    Raises:
        ProgramError: with a diagnostic for each fault, in the order of the text.
    """
    return parse_program(text, name, in_duckdb=is_duckdb_query)


class Runner:
    """Runs statements. What SET and WITH say holds for those that come later. Belongs to one thread."""

    def __init__(self, workspace: Workspace, *, rows: int | None = None) -> None:
        """Begin a session.

        Args:
            workspace: the log, and what is known of it.
            rows: most rows that a query without a LIMIT gives; None is all.
        """
        self._workspace = workspace
        self._rows = rows
        self._named: list[With | Set] = list(workspace.preset)
        self.settings = QuerySettings()
        self.warnings: list[Diagnostic] = []
        """What the settings of the last statement had to say; the caller shows and clears it."""

    def run(self, statement: Statement, program: Program, *, follow: bool = False) -> Answer:
        """Run a statement of a program.

        Args:
            statement: one of the program's.
            program: for the places of what is wrong.
            follow: a query goes on after the present end.

        Raises:
            ProgramError: it is wrong; nothing has changed.
            RunError: it failed while it ran.
        """
        try:
            return self._run(statement, program, follow=follow)
        except ProgramError as fault:
            raise ProgramError(fault.diagnostics, program.source) from None
        except RuntimeError as error:
            if took_interrupt(error):
                raise KeyboardInterrupt from None
            raise

    def plan(self, query: Query | DuckdbQuery, program: Program) -> SnapshotPlan:
        """Plan a query with the names of earlier WITH statements."""
        if isinstance(query, DuckdbQuery):
            try:
                return self._plan_in_duckdb(query, program)
            except ProgramError:
                if query.otherwise is None:
                    raise
                query = query.otherwise
        catalog = self._workspace.catalog
        whole = Program((*self._named, query), program.source)
        try:
            return plan_query(whole, catalog, self._workspace.states, catalog.definitions)
        except ProgramError as fault:
            if any(item.code != plan_codes.DUCKDB_FORM for item in fault.diagnostics):
                raise
            text = program.source.text[query.span.start : query.span.end]
            return self._plan_in_duckdb(DuckdbQuery(text, query.span), program)

    def _plan_in_duckdb(self, query: DuckdbQuery, program: Program) -> SnapshotPlan:
        catalog = self._workspace.catalog
        before = Program(tuple(self._named), program.source)
        plan, warnings = plan_duckdb_query(
            query, before, catalog, self._workspace.states, catalog.definitions
        )
        self.warnings += warnings
        return plan

    def _run(self, statement: Statement, program: Program, *, follow: bool) -> Answer:
        workspace = self._workspace
        match statement:
            case Set(key=("functions", "file")):
                self._named.append(statement)
                return Done("")
            case Set():
                self.settings, warnings = read_query_settings([statement], self.settings)
                self.warnings += warnings
                return Done("")
            case With():
                self._named.append(statement)
                return Done("")
            case Query() | DuckdbQuery():
                return self._query(statement, program, follow=follow)
            case Insert():
                return insert(
                    statement, Program((*self._named, statement), program.source), workspace, self.settings
                )
            case CreateTable():
                return create_table(statement, program.source, workspace)
            case CreateView():
                return create_view(statement, program.source, workspace)
            case CreateSynonym():
                return create_synonym(statement, workspace)
            case Drop():
                drop = drop_table if statement.what is Dropped.TABLE else drop_definition
                return drop(statement, workspace)
            case Truncate():
                return truncate(statement, program.source, workspace, self.settings)
            case Delete():
                return delete(statement, program.source, workspace, self.settings)
            case Show():
                return show(statement, workspace, self._user_functions(program))
            case Describe():
                return describe(statement, workspace, self._user_functions(program))
            case Use():
                return self._use(statement)
            case KillQuery():
                return self._kill(statement)

    def _user_functions(self, program: Program) -> UserFunctions:
        return program_functions(Program(tuple(self._named), program.source), {})

    def _query(self, query: Query | DuckdbQuery, program: Program, *, follow: bool) -> Rows:
        plan = self.plan(query, program)
        settings, workspace = self.settings, self._workspace
        if not settings.live_aggregates:
            check_size(query, plan)
        text = program.source.text[query.span.start : query.span.end]
        given = isinstance(query, Query) and query.query.args.get("limit") is not None
        rows, seconds = None if given else self._rows, None if follow else _SECONDS
        with ExitStack() as stack:
            limits = stack.enter_context(limited(text, workspace, settings, rows=rows, seconds=seconds))
            try:
                opened = stack.enter_context(
                    SnapshotQuery(
                        plan,
                        workspace.log,
                        workspace.registry,
                        properties=settings.properties,
                        states=workspace.states,
                        limits=limits,
                        skip_bad_records=settings.skip_bad_records,
                        timestamps=settings.timestamps,
                    )
                )
            except RunError as fault:
                raise _placed(fault, query, program) from fault.__cause__
            while_read = stack.pop_all()

        def batches() -> Generator[pa.RecordBatch]:
            try:
                yield from opened.follow() if follow else opened.batches()
            except RunError as fault:
                raise _placed(fault, query, program) from fault.__cause__

        return Rows(opened.schema, batches(), opened, while_read)

    def _use(self, statement: Use) -> Done:
        log = self._workspace.log.name
        kind = log.partition(":")[0]
        known = {"sqlite": ("sqlite", "embedded"), "kafka": ("kafka",)}.get(kind, (kind,))
        if statement.name.lower() in known:
            return Done(f"using {log}")
        if statement.name.lower() == _LENSES:
            return Done(
                f"using {log}: `USE {statement.name}` changes nothing here, the log is chosen by `--log`"
            )
        message = f"there is no connection `{statement.name}`; this session is on {log}"
        way_out = "name another log by `--log` or the environment variable HEADRACE_LOG"
        raise refused(codes.NOT_DEFINED, message, statement.name_span, way_out)

    def _kill(self, statement: KillQuery) -> Done:
        running = self._workspace.running
        if running is None or not running.kill(statement.query):
            message = f"no query {statement.query} runs"
            raise refused(
                codes.NOT_DEFINED, message, statement.query_span, "`SHOW QUERIES` lists those that run"
            )
        return Done(f"query {statement.query} is asked to end")


def _placed(fault: RunError, query: Query | DuckdbQuery, program: Program) -> RunError:
    """Say of what failed while it ran which query it was."""
    found = (
        replace(item, span=query.span) if item.span is None and item.code in _OF_THE_QUERY else item
        for item in fault.diagnostics
    )
    return RunError(tuple(found), fault.source or program.source)
