"""Gives the internal topics of a topology their names: `{application}` becomes the application id."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from headrace.errors import Diagnostic, RunError
from headrace.errors.codes.run import BAD_APPLICATION
from headrace.log.names import is_topic_name

if TYPE_CHECKING:
    from headrace.log.interface import TopicDescription
    from headrace.plan.topology import Topology

APPLICATION: Final = "{application}"


def named(topology: Topology, application: str) -> Topology:
    """Give the topology with the names of its internal topics.

    Raises:
        RunError: the application id cannot be part of a topic's name.
    """

    def name(topic: str) -> str:
        full = topic.replace(APPLICATION, application)
        if full != topic and not is_topic_name(full):
            raise _bad(application, full)
        return full

    def described(topic: TopicDescription) -> TopicDescription:
        return replace(topic, name=name(topic.name))

    return replace(
        topology,
        sources={key: replace(source, topic=name(source.topic)) for key, source in topology.sources.items()},
        sinks={
            key: replace(
                sink, topic=name(sink.topic), create=None if sink.create is None else described(sink.create)
            )
            for key, sink in topology.sinks.items()
        },
        operators=tuple(
            replace(item, store=replace(item.store, changelog=described(item.store.changelog)))
            for item in topology.operators
        ),
    )


def _bad(application: str, topic: str) -> RunError:
    message = (
        f"the application id `{application}` gives the internal topic `{topic}`, which is no name for a topic"
    )
    way_out = "use letters, digits, `.`, `_` and `-`, and not too many, for `--app-id`"
    return RunError((Diagnostic(BAD_APPLICATION, message, help=way_out),))
