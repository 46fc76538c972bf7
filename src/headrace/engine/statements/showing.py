"""SHOW and DESCRIBE."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pyarrow as pa

from headrace.catalog.definitions import TOPIC as DEFINITIONS
from headrace.engine.statements.answers import Rows, table, texts
from headrace.engine.statements.functions import describe_function, show_functions
from headrace.engine.statements.patterns import like
from headrace.engine.statements.workspace import refused
from headrace.errors.codes import catalog as codes
from headrace.errors.suggest import did_you_mean
from headrace.log.interface import ConsumerOptions, TopicPartition
from headrace.sql.commands import Described, Shown
from headrace.types.shape import fields
from headrace.types.sql import type_name

if TYPE_CHECKING:
    from headrace.engine.statements.workspace import Workspace
    from headrace.formats.interface import Side
    from headrace.functions.user import UserFunctions
    from headrace.log.interface import TopicDescription
    from headrace.sql.commands import Describe, Show


def show(statement: Show, workspace: Workspace, user: UserFunctions) -> Rows:
    """Give a list.

    Args:
        statement: says of what.
        workspace: the log.
        user: the user functions of the session.

    Raises:
        ProgramError: SHOW VIEW names a view that is not there.
    """
    match statement.what:
        case Shown.TABLES:
            return _tables(workspace, statement.like)
        case Shown.VIEWS:
            views = workspace.catalog.definitions.views
            return texts(("name", "query"), [(name, views[name]) for name in like(views, statement.like)])
        case Shown.VIEW:
            return _view(statement, workspace)
        case Shown.SYNONYMS:
            found = workspace.catalog.definitions.synonyms
            return texts(("name", "topic"), [(name, found[name]) for name in like(found, statement.like)])
        case Shown.FUNCTIONS:
            return show_functions(statement.like, user)
    queries = (
        [] if workspace.running is None else workspace.running.listed(all=statement.what is Shown.ALL_QUERIES)
    )
    columns: dict[str, pa.DataType] = {
        "id": pa.int64(),
        "status": pa.string(),
        "started": pa.timestamp("ms", "UTC"),
        "finished": pa.timestamp("ms", "UTC"),
        "user": pa.string(),
        "sql": pa.string(),
    }
    return table(
        columns,
        [(item.id, item.status, item.started, item.finished, item.user, item.sql) for item in queries],
    )


def describe(statement: Describe, workspace: Workspace, user: UserFunctions) -> Rows:
    """Tell of a table or a function.

    Raises:
        ProgramError: there is none of that name, or nothing is known of what it holds.
    """
    if statement.what is Described.FUNCTION:
        return describe_function(statement.name, statement.name_span, user)
    topic = workspace.described(statement.name, statement.name_span)
    found = workspace.catalog.topic(topic.name)
    assert found is not None
    columns = [*_columns("_key", found.key), *_columns("", found.value)]
    if statement.what is Described.TABLE:
        return texts(("column", "type", "nullable"), columns)
    facts = [
        ("topic", topic.name),
        ("key format", str(found.key.format)),
        ("value format", str(found.value.format)),
        ("known from", str(found.origin)),
        ("partitions", str(topic.partitions)),
        ("replication", str(topic.replication)),
        ("records", str(_records(topic, workspace))),
        *((f"config {name}", value) for name, value in sorted(topic.configs.items())),
        *(
            (f"column {name}", f"{kind}{'' if nullable == 'yes' else ' NOT NULL'}")
            for name, kind, nullable in columns
        ),
    ]
    return texts(("property", "value"), facts)


def _tables(workspace: Workspace, pattern: str | None) -> Rows:
    with closing(workspace.log.admin()) as admin:
        names = like(admin.topics(), pattern)
        found = [
            item
            for item in map(admin.describe, names)
            if item is not None and not item.internal and item.name != DEFINITIONS
        ]
    declared = workspace.catalog.definitions.tables
    rows = [
        (
            item.name,
            item.partitions,
            item.replication,
            "compact" in item.configs.get("cleanup.policy", ""),
            item.name in declared,
        )
        for item in found
    ]
    columns: dict[str, pa.DataType] = {
        "name": pa.string(),
        "partitions": pa.int32(),
        "replication": pa.int32(),
        "compacted": pa.bool_(),
        "declared": pa.bool_(),
    }
    return table(columns, rows)


def _view(statement: Show, workspace: Workspace) -> Rows:
    views = workspace.catalog.definitions.views
    name = statement.name or ""
    if name not in views:
        raise refused(
            codes.NOT_DEFINED,
            f"there is no view `{name}`",
            statement.name_span,
            did_you_mean(name, list(views)),
        )
    return texts(("name", "query"), [(name, views[name])])


def _columns(facet: str, side: Side) -> list[tuple[str, str, str]]:
    """Give a row for each field, records field by field; a value that is no record is one row."""
    if not fields(side.type):
        return [(facet or "_value", type_name(side.type), "yes")]
    found: list[tuple[str, str, str]] = []

    def walk(kind: pa.DataType, before: str) -> None:
        for field in fields(kind):
            name = f"{before}.{field.name}" if before else field.name
            if fields(field.type):
                walk(field.type, name)
            else:
                found.append((name, type_name(field.type), "yes" if field.nullable else "no"))

    walk(side.type, facet)
    return found


def _records(topic: TopicDescription, workspace: Workspace) -> int:
    """Give how many offsets lie between begin and end; compaction and transactions take some of them."""
    places = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
    with closing(workspace.log.consumer(ConsumerOptions())) as consumer:
        return sum(end - first for first, end in consumer.watermarks(places).values())
