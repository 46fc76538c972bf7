"""What must be there before the first record is read: targets, dead letter topic, registered schemas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from headrace.engine.pipeline import SchemaIds
from headrace.engine.state.topics import check_inputs, discard, ensure, internal_topics
from headrace.errors import Diagnostic, RunError
from headrace.errors.codes.run import TOPIC_MISSING
from headrace.formats.registered import KINDS
from headrace.log.interface import Admin, Log, TopicDescription
from headrace.plan.topology import ErrorPolicy, Topology

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from headrace.formats.interface import Format, Registry


_LETTER_ROOM: Final = 1 << 16
"""Bytes that a dead letter may be larger than the record it holds: the headers with the reason."""


@dataclass(frozen=True, slots=True)
class Targets:
    """What is known of the targets once they are there.

    Args:
        schema_ids: by sink.
        record_limits: smallest and largest of their `record_limit`, if the log tells them.
    """

    schema_ids: Mapping[str, SchemaIds]
    record_limits: tuple[int, int] | None


def prepare(
    topology: Topology, log: Log, registry: Registry | None, discarded: Collection[str] = ()
) -> Targets:
    """Create the topics that are missing and register the schemas.

    Args:
        topology: with the names of its internal topics.
        log: where the topics are.
        registry: where the schemas go.
        discarded: stores whose state is given up.

    Raises:
        RunError: a target is missing that may not be created, or was deleted since planning; an internal topic does not fit.
    """
    admin = log.admin()
    try:
        discard(admin, topology, discarded)
        found: list[TopicDescription | None] = [*ensure(admin, internal_topics(topology))]
        check_inputs(admin, topology)
        outer = [sink for sink in topology.sinks.values() if not sink.internal]
        found += [_ensure(admin, sink.topic, sink.create) for sink in outer]
        settings = topology.settings
        if (
            ErrorPolicy.DLQ in (settings.on_read_error, settings.on_write_error)
            and settings.dead_letter_topic
        ):
            letters = settings.dead_letter_topic
            found.append(_ensure(admin, letters, _for_letters(admin, letters, topology)))
        if topology.operators and settings.late_topic:
            late = settings.late_topic
            found.append(_ensure(admin, late, _for_letters(admin, late, topology)))
    finally:
        admin.close()
    ids: dict[str, SchemaIds] = {}
    for name, sink in topology.sinks.items():
        ids[name] = SchemaIds(
            key=_register(registry, sink.register_key, sink.key.format),
            value=_register(registry, sink.register_value, sink.value.format),
        )
    limits = [topic.record_limit for topic in found if topic is not None and topic.record_limit is not None]
    return Targets(ids, (min(limits), max(limits)) if limits else None)


def _for_letters(admin: Admin, topic: str, topology: Topology) -> TopicDescription:
    """Describe a topic for dead letters or late records that takes every record of the sources."""
    sources = [admin.describe(source.topic) for source in topology.sources.values()]
    limits = [source.record_limit for source in sources if source is not None and source.record_limit]
    configs = {"max.message.bytes": str(max(limits) + _LETTER_ROOM)} if limits else {}
    return TopicDescription(topic, partitions=-1, replication=-1, configs=configs)


def _ensure(admin: Admin, topic: str, create: TopicDescription | None) -> TopicDescription | None:
    found = admin.describe(topic)
    if found is not None:
        return found
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
    return admin.describe(topic)


def _register(registry: Registry | None, schema: tuple[str, str] | None, form: Format) -> int | None:
    if schema is None or registry is None:
        return None
    return registry.register(*schema, KINDS[form])
