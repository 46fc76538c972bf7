"""CREATE TABLE, DROP TABLE: topics, their schemas, and what is declared of them."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from headrace.catalog import Kind, declared_topic
from headrace.config.topic_configs import TOPIC_CONFIGS
from headrace.engine.statements.answers import Done
from headrace.engine.statements.views import need_unread
from headrace.engine.statements.workspace import refused
from headrace.errors.codes import catalog as catalog_codes
from headrace.errors.codes import plan as codes
from headrace.errors.suggest import did_you_mean
from headrace.formats.interface import READ_ONLY
from headrace.formats.registered import KINDS, schema_text
from headrace.log.interface import TopicDescription
from headrace.planner.schemas import DEFAULT_NAMESPACE
from headrace.sql import print_program
from headrace.sql.nodes import Program

if TYPE_CHECKING:
    from headrace.engine.statements.workspace import Workspace
    from headrace.errors import Source
    from headrace.formats.interface import Side
    from headrace.sql.commands import Drop
    from headrace.sql.nodes import CreateTable

_OWN: Final = ("partitions", "replication", "compacted", "delimiter", "header", "quote", "window.size")
"""Properties that are not configurations of the topic."""


def create_table(statement: CreateTable, source: Source, workspace: Workspace) -> Done:
    """Create the topic, register its schemas, and keep the declaration.

    A topic that is there already is declared and not changed.

    Raises:
        ProgramError: it is declared already, the declaration is wrong, or a schema does not fit the registry.
    """
    name, span = statement.name, statement.name_span
    definitions = workspace.catalog.definitions
    if name in definitions.tables and statement.if_not_exists:
        return Done(f"table `{name}` is there already")
    if name in definitions.tables:
        way_out = f"`DESCRIBE TABLE {name}` shows it; `DROP TABLE {name}` removes it with its records"
        raise refused(catalog_codes.NOT_DEFINED, f"`{name}` is declared already", span, way_out)
    if name in definitions.views or name in definitions.synonyms:
        raise refused(catalog_codes.NOT_DEFINED, f"`{name}` is the name of a view or synonym", span)
    properties = dict(statement.properties)
    _check(statement, properties, workspace)
    wanted = _description(statement, properties)
    declared = declared_topic(statement, wanted.partitions)
    schemas = [
        (f"{name}-{facet}", schema, KINDS[side.format])
        for facet, side in (("key", declared.key), ("value", declared.value))
        if (schema := _schema(name, side)) is not None
    ]
    if schemas and workspace.registry is None:
        message = f"`{name}` needs a schema registry, and there is none"
        raise refused(codes.NO_REGISTRY, message, span, "name one with --registry, or declare JSON")
    for subject, schema, kind in schemas:
        assert workspace.registry is not None
        reasons = workspace.registry.check(subject, schema, kind)
        if reasons:
            message = f"the columns do not fit the schema of `{subject}` in the registry: {reasons[0]}"
            raise refused(codes.INCOMPATIBLE_TARGET, message, span)
    with closing(workspace.log.admin()) as admin:
        created = admin.create(wanted)
    for subject, schema, kind in schemas:
        assert workspace.registry is not None
        workspace.registry.register(subject, schema, kind)
    plain = replace(statement, if_not_exists=False)
    text = print_program(Program((plain,), source)).rstrip().removesuffix(";")
    workspace.definitions.define(Kind.TABLE, name, text)
    workspace.catalog.forget()
    return Done(
        f"table `{name}` created" if created else f"topic `{name}` was there; its columns are declared now"
    )


def drop_table(statement: Drop, workspace: Workspace) -> Done:
    """Delete a topic with its records, and the declaration. The schemas stay in the registry.

    Raises:
        ProgramError: there is no such topic, it is a view or a synonym, or a view reads it.
    """
    name, span = statement.name, statement.name_span
    definitions = workspace.catalog.definitions
    if name in definitions.synonyms:
        topic = definitions.synonyms[name]
        message = f"`{name}` is a synonym of `{topic}`"
        way_out = f"`DROP SYNONYM {name}` removes the name, `DROP TABLE {topic}` the topic with its records"
        raise refused(catalog_codes.NOT_DEFINED, message, span, way_out)
    if name in definitions.views:
        raise refused(catalog_codes.NOT_DEFINED, f"`{name}` is a view", span, f"write `DROP VIEW {name}`")
    with closing(workspace.log.admin()) as admin:
        if admin.describe(name) is not None:
            synonyms = [other for other, topic in definitions.synonyms.items() if topic == name]
            need_unread([name, *synonyms], statement, workspace)
        gone = admin.delete(name)
    if name in definitions.tables:
        workspace.definitions.forget(Kind.TABLE, name)
        gone = True
    workspace.catalog.forget()
    if not gone and not statement.if_exists:
        workspace.described(name, span)
    return Done(f"table `{name}` dropped" if gone else f"there is no table `{name}`")


def _check(statement: CreateTable, properties: dict[str, str], workspace: Workspace) -> None:
    """Refuse properties that nobody knows, and values that those of our own cannot have.

    What the format itself reads (`delimiter`, `window.size`) is checked with the columns; a broker knows its own configurations.
    """
    for key, value in properties.items():
        if key == "compacted" and value.lower() not in ("true", "false"):
            message = "`compacted` is `true` or `false`"
            raise refused(catalog_codes.BAD_DECLARATION, message, statement.span)
        if key in _OWN or key in TOPIC_CONFIGS or workspace.log.name.startswith("kafka:"):
            continue
        message = f"there is no property `{key}`"
        way_out = did_you_mean(key, [*_OWN, *TOPIC_CONFIGS])
        way_out = way_out or f"a property is one of {', '.join(_OWN)}, or a configuration of the topic"
        raise refused(catalog_codes.BAD_DECLARATION, message, statement.span, way_out)


def _description(statement: CreateTable, properties: dict[str, str]) -> TopicDescription:
    configs = {key: value for key, value in properties.items() if key not in _OWN}
    if properties.get("compacted", "").lower() == "true":
        configs.setdefault("cleanup.policy", "compact")
    numbers = {}
    for key, default in (("partitions", 1), ("replication", -1)):
        text = properties.get(key)
        if text is not None and not (text.isdigit() and int(text) > 0):
            message = f"`{key}` is a number of at least 1"
            raise refused(catalog_codes.BAD_DECLARATION, message, statement.span)
        numbers[key] = default if text is None else int(text)
    return TopicDescription(statement.name, numbers["partitions"], numbers["replication"], configs)


def _schema(name: str, side: Side) -> str | None:
    if side.format not in KINDS or side.format in READ_ONLY:
        return None
    return schema_text(side.format, side.type, name, DEFAULT_NAMESPACE)
