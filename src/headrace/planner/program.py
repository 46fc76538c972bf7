"""A program and a catalog into a topology, or into everything that is wrong with the program."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from headrace.catalog import declared_topic
from headrace.errors import Diagnostic, ProgramError, Span
from headrace.errors.codes import plan as codes
from headrace.functions import macros_in, setup_sql
from headrace.plan.operators import Emit
from headrace.plan.topology import Topology
from headrace.planner.assembly import assemble
from headrace.planner.connection import connection, connection_alone
from headrace.planner.duckdb_types import Typer
from headrace.planner.faults import Faults
from headrace.planner.held import compare_with_held
from headrace.planner.joins.join import Joins
from headrace.planner.queries import Queries
from headrace.planner.read_settings import check_dead_letter_topic, program_settings, run_settings
from headrace.planner.relations import Names
from headrace.planner.selects import Selects
from headrace.planner.targets import Targets, finish
from headrace.planner.topics import Topics
from headrace.planner.user_functions import (
    called_in,
    calls_user_functions,
    program_functions,
    uncalled_methods,
    with_aggregates,
)
from headrace.sql.commands import Command
from headrace.sql.nodes import CreateTable, Insert, Named, Query, Set, With

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import duckdb

    from headrace.catalog import TopicCatalog
    from headrace.config import ProgramSettings
    from headrace.functions.user import UserFunctions
    from headrace.sql.nodes import Program


def plan_program(
    program: Program,
    catalog: TopicCatalog,
    *,
    defaults: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Topology:
    """Plan a program.

    Args:
        program: the text, parsed.
        catalog: what the topics hold; asked, never changed.
        defaults: settings that hold unless the program says otherwise, by their SET keys.
        folder: where relative paths in the program begin, if that is not where its file is.

    Raises:
        ProgramError: all that is wrong, with places in the text. No topic was touched.
    """
    user = program_functions(program, defaults, folder)
    duck = connection_alone() if calls_user_functions(program, user) else connection()
    try:
        return _Plan(program, catalog, duck, user).topology(defaults or {})
    except RecursionError:
        message = "the program is nested too deeply to be planned"
        raise ProgramError((Diagnostic(codes.TOO_DEEP, message),), program.source) from None
    finally:
        duck.close()


class _Plan:
    """The work on one program."""

    def __init__(
        self, program: Program, catalog: TopicCatalog, duck: duckdb.DuckDBPyConnection, user: UserFunctions
    ) -> None:
        self.program = program
        self.user = user
        self.faults = Faults(program.source)
        typer = Typer(duck, user=user)
        names = Names(typer)
        self.topics = Topics(catalog, names)
        self.selects = Selects(typer, names, program.source, self.faults)
        joins = Joins(typer, names, program.source, self.faults)
        self.queries = Queries(self.topics, self.selects, joins, self.faults)
        self.targets = Targets(self.topics)
        self.named: dict[str, Named] = {}
        self.places: dict[str, Span] = {}

    def topology(self, defaults: Mapping[str, str]) -> Topology:
        sets = [item for item in self.program.statements if isinstance(item, Set)]
        settings, complaints = program_settings(sets, defaults)
        self.faults.add(complaints)
        self.topics.assume(settings.key_format, settings.value_format)
        self.selects.emit = Emit(settings.emit)
        self._declare()
        self.topics.later_names.update(
            entry.name for item in self.program.statements for entry in _names_of(item)
        )
        for statement in self.program.statements:
            try:
                self._statement(statement, settings)
            except ProgramError as fault:
                self.faults.add(fault.diagnostics)
        self._check_there_is_something()
        self.faults.raise_if_any()
        for target in self.targets.found.values():
            try:
                finish(target, self.topics, self.places[target.name])
                self.faults.add(compare_with_held(target, self.topics, self.places[target.name]))
            except ProgramError as fault:
                self.faults.add(fault.diagnostics)
        self.faults.raise_if_any()
        try:
            found = assemble(self.targets.found)
        except ProgramError as fault:
            raise ProgramError(fault.diagnostics, self.program.source) from None
        self.faults.add(check_dead_letter_topic(settings, sets, found.sources, self.targets.found))
        self.faults.raise_if_any()
        queries = [item.query for item in found.pipelines]
        queries += [feed.query for operator in found.operators for feed in operator.feeds]
        called = " ".join(queries)
        self.faults.add(uncalled_methods(found.operators, found.pipelines, self.user))
        return Topology(
            found.sources,
            found.sinks,
            found.pipelines,
            run_settings(settings),
            setup_sql(macros_in(called)),
            self.faults.warnings,
            found.operators,
            functions=called_in(called, self.user),
            tables=found.tables,
        )

    def _declare(self) -> None:
        seen: dict[str, Span] = {}
        for statement in self.program.statements:
            if not isinstance(statement, CreateTable):
                continue
            if statement.name in seen:
                message = f"`{statement.name}` is declared twice"
                self.faults.add([Diagnostic(codes.NAME_TWICE, message, statement.name_span)])
                continue
            seen[statement.name] = statement.name_span
            there = self.topics.describe(statement.name)
            try:
                self.topics.declare(declared_topic(statement, there.partitions if there else 1))
            except ProgramError as fault:
                self.faults.add(fault.diagnostics)

    def _statement(self, statement: object, settings: ProgramSettings) -> None:
        if isinstance(statement, With):
            self._with(with_aggregates(statement, self.user).names, self.named)
        elif isinstance(statement, Insert):
            self._insert(with_aggregates(statement, self.user), settings)
        elif isinstance(statement, Query):
            message = "a SELECT by itself gives no records to a topic"
            way_out = "write `INSERT INTO topic` before it, or run it with `headrace query`"
            self.faults.add([Diagnostic(codes.NOTHING_TO_RUN, message, statement.span, way_out)])
        elif isinstance(statement, Command):
            message = "a program that runs for ever has no commands"
            way_out = "run it with `headrace query` or in `headrace sql`"
            self.faults.add([Diagnostic(codes.NOT_IN_A_PROCESSOR, message, statement.span, way_out)])

    def _with(self, entries: tuple[Named, ...], into: dict[str, Named]) -> None:
        for entry in entries:
            if entry.name in into:
                message = f"`{entry.name}` is defined twice"
                self.faults.add([Diagnostic(codes.NAME_TWICE, message, entry.name_span)])
                continue
            self.queries.check(entry, into)
            into[entry.name] = entry
            self.topics.later_names.discard(entry.name)

    def _insert(self, insert: Insert, settings: ProgramSettings) -> None:
        named = dict(self.named)
        self._with(insert.names, named)
        if insert.columns and not isinstance(insert.query, exp.Values):
            message = "a list of columns goes with VALUES; here the SELECT names its columns"
            self.faults.add([Diagnostic(codes.NOT_IN_A_PROCESSOR, message, insert.target_span, "use AS")])
            return
        self.places.setdefault(insert.target, insert.target_span)
        branches = self.queries.insertion(insert.query, named)
        if branches:
            try:
                self.targets.insert(insert, branches, settings.topic(insert.target))
            except ProgramError as fault:
                # What a schema cannot hold is found without a place in the text: it belongs to the target.
                raise ProgramError(
                    tuple(
                        item if item.span is not None else replace(item, span=insert.target_span)
                        for item in fault.diagnostics
                    )
                ) from None

    def _check_there_is_something(self) -> None:
        if any(isinstance(item, Insert | Query) for item in self.program.statements):
            return
        message = "the program has no INSERT INTO … SELECT, so there is nothing to run"
        self.faults.add([Diagnostic(codes.NOTHING_TO_RUN, message)])


def _names_of(statement: object) -> tuple[Named, ...]:
    if isinstance(statement, With | Insert):
        return statement.names
    return ()
