"""Compares a program with what an application has: what a start would create, register, keep or refuse. Nothing is changed."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from headrace.engine.state.naming import named
from headrace.engine.state.topics import internal_topics, left_over, misfit
from headrace.engine.state.verdicts import StoreVerdict, Verdict, judge
from headrace.formats.registered import KINDS
from headrace.log.interface import ConsumerOptions, TopicPartition
from headrace.plan.subtopologies import subtopologies
from headrace.plan.topology import ErrorPolicy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from headrace.formats.interface import Format, Registry
    from headrace.log.interface import Admin, Log, TopicDescription
    from headrace.plan.topology import Topology

_INTERNAL: Final = ("-changelog", "-repartition")


class Action(StrEnum):
    """What a start does with a topic or a schema."""

    CREATE = "CREATE"
    """It is not there yet."""
    KEEP = "KEEP"
    """It is there, and as the program needs it."""
    EVOLVE = "EVOLVE"
    """A schema that becomes the next version of its subject."""
    REFUSE = "REFUSE"
    """The program does not start."""


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """A topic of the program.

    Args:
        topic: its name.
        use: what the program does with it.
        action: what a start does.
        partitions: of the topic that is there, or is created; -1 stands for the log's default.
        configs: of a topic that is created.
        reason: why it is refused.
    """

    topic: str
    use: str
    action: Action
    partitions: int = -1
    configs: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SchemaPlan:
    """A schema that the program registers.

    Args:
        subject: under which.
        action: CREATE for the first version.
        reasons: why it is refused.
    """

    subject: str
    action: Action
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GroupState:
    """The consumer group of the application.

    Args:
        processes: how many run now.
        committed: whether it has committed anything: without, a start begins at `auto.offset.reset`.
        unread: by input topic, records behind the committed offsets; topics without any committed offset are left out.
    """

    processes: int
    committed: bool
    unread: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Deployment:
    """What a start would find and do.

    Args:
        application: the application id.
        topics, schemas, stores, group: see there.
        left_over: internal topics of this application that the program has no use for.
    """

    application: str
    topics: tuple[TopicPlan, ...]
    schemas: tuple[SchemaPlan, ...]
    stores: tuple[StoreVerdict, ...]
    group: GroupState
    left_over: tuple[str, ...]

    @property
    def refused(self) -> bool:
        """Whether the program would not start."""
        actions = [item.action for item in self.topics] + [item.action for item in self.schemas]
        return Action.REFUSE in actions or any(item.verdict is Verdict.REFUSE for item in self.stores)


def compare(
    topology: Topology, log: Log, registry: Registry | None, application: str, state_dir: Path | None
) -> Deployment:
    """Compare a program with what an application has.

    Args:
        topology: from the planner.
        log: where the topics are.
        registry: where its schemas go.
        application: the application id.
        state_dir: folder of local state of all applications; None if it is kept in memory.

    Raises:
        RunError: the application id cannot be used, or the log, the registry or the disk fails.
    """
    stores = judge(topology, log, application, state_dir)
    topology = named(topology, application)
    with closing(log.admin()) as admin:
        topics = tuple(_topics(admin, log, topology))
        group = _group(admin, log, topology, application)
        known = {item.topic for item in topics} | {source.topic for source in topology.sources.values()}
        left_over = tuple(
            name
            for name in admin.topics()
            if name.startswith(f"{application}-") and name.endswith(_INTERNAL) and name not in known
        )
    schemas = tuple(_schemas(registry, topology))
    return Deployment(application, topics, schemas, tuple(stores), group, left_over)


def _topics(admin: Admin, log: Log, topology: Topology) -> Iterator[TopicPlan]:
    yield from _inputs(admin, topology)
    for sink in topology.sinks.values():
        if not sink.internal:
            yield _outer(sink.topic, "target", sink.create, admin.describe(sink.topic))
    settings = topology.settings
    policies = (settings.on_read_error, settings.on_write_error)
    if ErrorPolicy.DLQ in policies and settings.dead_letter_topic:
        yield _kept(admin, settings.dead_letter_topic, "dead letters")
    if topology.operators and settings.late_topic:
        yield _kept(admin, settings.late_topic, "late records")
    internal = internal_topics(topology)
    found = {wanted.name: admin.describe(wanted.name) for wanted in internal}
    faults = left_over(log, topology, found)
    for wanted in internal:
        use = "changelog" if wanted.name.endswith("-changelog") else "repartition"
        there = found[wanted.name]
        fault = None if there is None else misfit(wanted, there) or faults.get(wanted.name)
        if fault is not None:
            yield TopicPlan(wanted.name, use, Action.REFUSE, wanted.partitions, reason=fault)
        else:
            yield _outer(wanted.name, use, wanted, there)


def _inputs(admin: Admin, topology: Topology) -> Iterator[TopicPlan]:
    """Tell of inputs whose partitions do not go with the state that is kept by them."""
    changelogs = {item.id: item.store.changelog for item in topology.operators}
    for group in subtopologies(topology):
        needed = changelogs[group.operators[0]].partitions if group.operators else None
        for name in group.sources:
            source = topology.sources[name]
            there = admin.describe(source.topic)
            if source.internal or there is None:
                continue
            if needed in (None, there.partitions):
                yield TopicPlan(source.topic, "input", Action.KEEP, there.partitions)
            else:
                reason = f"it has {there.partitions} partitions, the state of `{group.operators[0]}` {needed}"
                yield TopicPlan(source.topic, "input", Action.REFUSE, there.partitions, reason=reason)

    for source in topology.tables.values():
        there = admin.describe(source.topic)
        if there is not None:
            yield TopicPlan(source.topic, "input", Action.KEEP, there.partitions)


def _outer(
    topic: str, use: str, create: TopicDescription | None, there: TopicDescription | None
) -> TopicPlan:
    if there is not None:
        return TopicPlan(topic, use, Action.KEEP, there.partitions)
    if create is None:
        return TopicPlan(topic, use, Action.REFUSE, reason="it does not exist and may not be created")
    return TopicPlan(topic, use, Action.CREATE, create.partitions, create.configs)


def _kept(admin: Admin, topic: str, use: str) -> TopicPlan:
    there = admin.describe(topic)
    if there is None:
        return TopicPlan(topic, use, Action.CREATE)
    return TopicPlan(topic, use, Action.KEEP, there.partitions)


def _schemas(registry: Registry | None, topology: Topology) -> Iterator[SchemaPlan]:
    if registry is None:
        return
    sides: Iterable[tuple[str, str, Format]] = dict.fromkeys(
        (*pair, form)
        for sink in topology.sinks.values()
        for pair, form in ((sink.register_key, sink.key.format), (sink.register_value, sink.value.format))
        if pair is not None
    )
    for subject, schema, form in sides:
        latest = registry.latest(subject)
        if latest is None:
            yield SchemaPlan(subject, Action.CREATE)
        elif reasons := tuple(registry.check(subject, schema, KINDS[form])):
            yield SchemaPlan(subject, Action.REFUSE, reasons)
        else:
            yield SchemaPlan(subject, Action.KEEP if latest[1] == schema else Action.EVOLVE)


def _group(admin: Admin, log: Log, topology: Topology, application: str) -> GroupState:
    processes = {member.process for member in admin.group_members(application)}
    committed = admin.group_offsets(application)
    inputs = {source.topic for source in topology.sources.values()}
    places = [
        TopicPartition(topic.name, number)
        for name in sorted(inputs & {place.topic for place in committed})
        if (topic := admin.describe(name)) is not None
        for number in range(topic.partitions)
    ]
    unread: dict[str, int] = {}
    if places:
        settings = topology.settings
        properties = {**settings.client, **settings.consumer_client}
        with closing(log.consumer(ConsumerOptions(properties=properties))) as looker:
            for place, (low, end) in looker.watermarks(places).items():
                behind = max(0, end - max(low, committed.get(place, low)))
                unread[place.topic] = unread.get(place.topic, 0) + behind
    return GroupState(len(processes), bool(committed), unread)
