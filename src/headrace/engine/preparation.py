"""What must be there before the first record is read: targets, dead letter topic, registered schemas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace.engine.pipeline import SchemaIds
from headrace.errors import Diagnostic, RunError
from headrace.errors.codes.run import TOPIC_MISSING
from headrace.log.interface import Admin, Log, TopicDescription
from headrace.plan.topology import ErrorPolicy, Topology

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headrace.formats.interface import Registry


def prepare(topology: Topology, log: Log, registry: Registry | None) -> Mapping[str, SchemaIds]:
    """Create the topics that are missing, register the schemas and give their ids by sink.

    Raises:
        RunError: a target is missing that may not be created, or was deleted since planning.
    """
    admin = log.admin()
    try:
        for sink in topology.sinks.values():
            _ensure(admin, sink.topic, sink.create)
        settings = topology.settings
        if (
            ErrorPolicy.DLQ in (settings.on_read_error, settings.on_write_error)
            and settings.dead_letter_topic
        ):
            letters = settings.dead_letter_topic
            _ensure(admin, letters, TopicDescription(letters, partitions=-1, replication=-1))
    finally:
        admin.close()
    ids: dict[str, SchemaIds] = {}
    for name, sink in topology.sinks.items():
        ids[name] = SchemaIds(
            key=_register(registry, sink.register_key), value=_register(registry, sink.register_value)
        )
    return ids


def _ensure(admin: Admin, topic: str, create: TopicDescription | None) -> None:
    if admin.describe(topic) is not None:
        return
    if create is None:
        raise RunError(
            (
                Diagnostic(
                    TOPIC_MISSING,
                    f"target topic `{topic}` does not exist",
                    help="create it, or allow it with `SET defaults.topic.autocreate=true;`",
                ),
            )
        )
    admin.create(create)


def _register(registry: Registry | None, schema: tuple[str, str] | None) -> int | None:
    if schema is None or registry is None:
        return None
    return registry.register(*schema)
