"""CREATE and DROP of views and synonyms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace.catalog import Kind
from headrace.engine.statements.answers import Done
from headrace.engine.statements.workspace import refused
from headrace.errors.codes import catalog as codes
from headrace.errors.suggest import did_you_mean
from headrace.planner.snapshot import plan_query, reached, read_by, readers, stored_view
from headrace.sql.commands import Dropped
from headrace.sql.nodes import Program, Query

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.engine.statements.workspace import Workspace
    from headrace.errors import Source, Span
    from headrace.sql.commands import CreateSynonym, CreateView, Drop


def create_view(statement: CreateView, source: Source, workspace: Workspace) -> Done:
    """Keep a query under a name, once it has been checked.

    Raises:
        ProgramError: the query is wrong, or the name is taken.
    """
    name = statement.name
    definitions = workspace.catalog.definitions
    if not (statement.replaces and name in definitions.views):
        _need_free(name, statement.name_span, workspace)
    query = Query(statement.query, statement.names, statement.span)
    way = reached(read_by(stored_view(statement.text)), definitions.views).get(name)
    if way is not None:
        through = "" if len(way) == 1 else f", through {' and '.join(f'`{item}`' for item in way[:-1])}"
        message = f"the view `{name}` would read itself{through}"
        raise refused(codes.NOT_DEFINED, message, statement.name_span, "give it another name")
    plan_query(Program((query,), source), workspace.catalog, workspace.states, definitions)
    workspace.definitions.define(Kind.VIEW, name, statement.text)
    workspace.catalog.forget()
    return Done(f"view `{name}` created")


def create_synonym(statement: CreateSynonym, workspace: Workspace) -> Done:
    """Give a topic another name.

    Raises:
        ProgramError: there is no such topic, or the name is taken.
    """
    _need_free(statement.name, statement.name_span, workspace)
    workspace.described(statement.topic, statement.topic_span)
    workspace.definitions.define(Kind.SYNONYM, statement.name, workspace.topic_name(statement.topic))
    workspace.catalog.forget()
    return Done(f"synonym `{statement.name}` created")


def drop_definition(statement: Drop, workspace: Workspace) -> Done:
    """Forget a view or a synonym.

    Raises:
        ProgramError: there is none of that name.
    """
    kind = Kind.VIEW if statement.what is Dropped.VIEW else Kind.SYNONYM
    there = workspace.catalog.definitions.of(kind)
    if statement.name not in there:
        message = f"there is no {kind} `{statement.name}`"
        if statement.if_exists:
            return Done(message)
        raise refused(
            codes.NOT_DEFINED, message, statement.name_span, did_you_mean(statement.name, list(there))
        )
    need_unread([statement.name], statement, workspace)
    workspace.definitions.forget(kind, statement.name)
    workspace.catalog.forget()
    return Done(f"{kind} `{statement.name}` dropped")


def need_unread(names: Sequence[str], statement: Drop, workspace: Workspace) -> None:
    """Refuse to drop what views read; views that read each other in a circle can be dropped.

    Raises:
        ProgramError: a view reads one of the names.
    """
    views = workspace.catalog.definitions.views
    circle = reached(names, views) if statement.what is Dropped.VIEW else {}
    found = [view for view in readers(views, names) if view not in circle]
    if not found:
        return
    listed = " and ".join(f"`{view}`" for view in found)
    message = f"`{statement.name}` is read by the view{'' if len(found) == 1 else 's'} {listed}"
    way_out = "drop them first: " + "; ".join(f"DROP VIEW {view}" for view in found)
    raise refused(codes.NOT_DEFINED, message, statement.name_span, way_out)


def _need_free(name: str, span: Span, workspace: Workspace) -> None:
    definitions = workspace.catalog.definitions
    what = next((kind for kind in Kind if name in definitions.of(kind)), None)
    if what is None and workspace.catalog.describe(name) is None:
        return
    message = f"there is a {what or 'topic'} `{name}` already"
    way_out = "CREATE OR REPLACE VIEW replaces a view" if what is Kind.VIEW else "choose another name"
    raise refused(codes.NOT_DEFINED, message, span, way_out)
