"""What must be there before the first record is read: targets, dead letter topic, registered schemas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from headrace.engine.pipeline import SchemaIds
from headrace.engine.state.topics import (
    check_inputs,
    check_internal,
    check_left_over,
    discard,
    internal_topics,
    stored_in,
)
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


_NOT_TO_BE_MADE: Final = TopicDescription("", partitions=-1, replication=-1)
"""Stands for a target that the program may not create."""


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
        found = _topics(topology, log, admin, discarded)
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


def _topics(topology: Topology, log: Log, admin: Admin, discarded: Collection[str]) -> list[TopicDescription]:
    """Create what is missing, once the log has agreed to all of it, and give the topics that are written to as they are."""
    changelogs = stored_in(topology, discarded)
    internal = internal_topics(topology)
    there = {item.name: admin.describe(item.name) for item in internal}
    if not changelogs:
        check_left_over(log, topology, there)
    there.update(dict.fromkeys(changelogs))
    check_internal(internal, there)
    check_inputs(admin, topology)
    wanted = {item.name: item for item in internal}
    for sink in topology.sinks.values():
        if not sink.internal:
            there[sink.topic] = admin.describe(sink.topic)
            wanted[sink.topic] = sink.create or _NOT_TO_BE_MADE
    for name in _for_failures(topology):
        there[name] = admin.describe(name)
        if there[name] is None:
            wanted[name] = _for_letters(name, admin, topology)
    missing = {name: item for name, item in wanted.items() if there[name] is None}
    for name, item in missing.items():
        if item is _NOT_TO_BE_MADE:
            raise _missing_target(name)
    admin.check_new(list(missing.values()))
    discard(admin, changelogs)
    for item in missing.values():
        admin.create(item)
        there[item.name] = admin.describe(item.name)
    # Another process may have been quicker.
    check_internal(internal, there)
    return [item for item in there.values() if item is not None]


def _for_failures(topology: Topology) -> list[str]:
    """Give the names of the topics for dead letters and late records."""
    settings = topology.settings
    found = []
    if ErrorPolicy.DLQ in (settings.on_read_error, settings.on_write_error) and settings.dead_letter_topic:
        found.append(settings.dead_letter_topic)
    if topology.operators and settings.late_topic:
        found.append(settings.late_topic)
    return found


def _for_letters(name: str, admin: Admin, topology: Topology) -> TopicDescription:
    """Describe a topic for dead letters or late records that takes every record of the sources."""
    sources = [admin.describe(source.topic) for source in topology.sources.values()]
    limits = [source.record_limit for source in sources if source is not None and source.record_limit]
    configs = {"max.message.bytes": str(max(limits) + _LETTER_ROOM)} if limits else {}
    return TopicDescription(name, partitions=-1, replication=-1, configs=configs)


def _missing_target(topic: str) -> RunError:
    message = f"target topic `{topic}` does not exist"
    way_out = "create it, or allow it with `SET defaults.topic.autocreate=true;`"
    return RunError((Diagnostic(TOPIC_MISSING, message, help=way_out),))


def _register(registry: Registry | None, schema: tuple[str, str] | None, form: Format) -> int | None:
    if schema is None or registry is None:
        return None
    return registry.register(*schema, KINDS[form])
