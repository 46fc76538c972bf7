"""Runs a case through the real parser, planner and engine, in several ways that must all give the same."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from headrace.catalog import Catalog
from headrace.engine import Processor, ProcessorOptions
from headrace.errors import HeadraceError, ProgramError, RunError
from headrace.errors.render import render
from headrace.formats.registry import open_registry
from headrace.log.embedded import EmbeddedLog
from headrace.log.interface import ProducerOptions, TopicDescription
from headrace.plan.topology import RunSettings
from headrace.planner import plan_program
from headrace.sql import parse_program
from headrace.testing.records import encode_records, read_topic, record_lines, register_schemas

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.formats.interface import Registry
    from headrace.log.interface import Log
    from headrace.plan.topology import Topology
    from headrace.testing.case_file import Case, TopicInput

NAME: Final = "case.sql"


@dataclass(frozen=True, slots=True)
class Variant:
    """A way to run a case.

    Args:
        batch: records of one poll at most.
        partitions: of each input that does not say how many it has.
        restart: let the first half of each input be processed, then come up again for the rest.
    """

    name: str
    batch: int = 16_384
    partitions: int = 1
    restart: bool = False


PLAIN: Final = Variant("plain")
VARIANTS: Final = (
    PLAIN,
    Variant("batches of 7, restarted", batch=7, restart=True),
    Variant("4 partitions, batches of 1, restarted", batch=1, partitions=4, restart=True),
)
_COMMIT_INTERVAL: Final = 0.02
"""Seconds, instead of the product's default: cases are many and short."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out, by section. `unordered` names the sections whose lines have no order among them."""

    sections: dict[str, str]
    unordered: frozenset[str] = frozenset()

    def comparable(self, other: Outcome) -> tuple[dict[str, str], dict[str, str]]:
        """Give both with the lines sorted where either has no order."""
        loose = self.unordered | other.unordered
        return _sorted(self.sections, loose), _sorted(other.sections, loose)


def _sorted(sections: dict[str, str], loose: frozenset[str]) -> dict[str, str]:
    return {
        title: "\n".join(sorted(body.splitlines())) if title in loose else body
        for title, body in sections.items()
    }


def run_case(case: Case, variant: Variant = PLAIN) -> Outcome:
    """Run a case on an embedded log in memory."""
    with EmbeddedLog(":memory:") as log:
        return run_on(case, variant, log, open_registry(None, log))


def run_on(case: Case, variant: Variant, log: Log, registry: Registry | None) -> Outcome:
    """Run a case on a log that has none of its topics yet.

    With a restart the plan is made on a log of its own that holds all records, since types may be found by sampling.
    """
    try:
        if variant.restart:
            with EmbeddedLog(":memory:") as whole:
                topology = _planned(case, variant, whole, open_registry(None, whole), half=None)
            ids = _create(case, variant, log, registry)
        else:
            topology = _planned(case, variant, log, registry, half=None)
            ids = None
    except ProgramError as error:
        return Outcome({"diagnostics": render(error) + "\n"})
    sections = {}
    if topology.warnings:
        warnings = ProgramError(topology.warnings, parse_program(case.sql, NAME).source)
        sections["warnings"] = render(warnings) + "\n"
    application = f"case-{uuid4().hex[:8]}"
    failure = None
    halves = (0, 1) if variant.restart else (None,)
    for half in halves:
        if half is not None:
            assert ids is not None
            _produce(case, log, ids, half)
        failure = _run(topology, log, registry, application, variant)
        if failure is not None:
            break
    return _outcome(case, topology, log, registry, sections, failure)


def _run(
    topology: Topology, log: Log, registry: Registry | None, application: str, variant: Variant
) -> HeadraceError | None:
    settings = topology.settings
    if settings.commit_interval == RunSettings().commit_interval:
        topology = replace(topology, settings=replace(settings, commit_interval=_COMMIT_INTERVAL))
    options = ProcessorOptions(application, until_end=True, batch_records=variant.batch, lag_interval=0)
    try:
        Processor(topology, log, registry, options).run()
    except RunError as error:
        return error
    return None


def _planned(case: Case, variant: Variant, log: Log, registry: Registry | None, half: int | None) -> Topology:
    ids = _create(case, variant, log, registry)
    _produce(case, log, ids, half)
    with closing(Catalog(log, registry)) as catalog:
        return plan_program(parse_program(case.sql, NAME), catalog)


def _create(case: Case, variant: Variant, log: Log, registry: Registry | None) -> dict[str, dict[str, int]]:
    ids = {}
    with closing(log.admin()) as admin:
        for topic in case.topics:
            ids[topic.name] = register_schemas(topic, registry)
            partitions = int(topic.options.get("partitions", variant.partitions))
            admin.create(TopicDescription(topic.name, partitions))
    return ids


def _produce(case: Case, log: Log, ids: dict[str, dict[str, int]], half: int | None) -> None:
    with closing(log.producer(ProducerOptions())) as producer:
        for topic in case.topics:
            records = _half(topic, half)
            if records:
                producer.send(topic.name, encode_records(topic, records, ids[topic.name]))
        failures = producer.flush(30.0)
    assert not failures, failures[0].reason


def _half(topic: TopicInput, half: int | None) -> list[tuple[int, dict[str, object]]]:
    records = list(enumerate(topic.records))
    middle = int(topic.options.get("restart", len(records) // 2))
    if half is None:
        return records
    return records[:middle] if half == 0 else records[middle:]


def _outcome(
    case: Case,
    topology: Topology,
    log: Log,
    registry: Registry | None,
    sections: dict[str, str],
    failure: HeadraceError | None,
) -> Outcome:
    unordered = set()
    # Which of the inputs of a join is read first is only decided by event time where both have records to read.
    joins = any(len(operator.feeds) > 1 for operator in topology.operators)
    inputs = {topic.name for topic in case.topics if topic.records}
    for name in sorted(topology.sinks):
        sink = topology.sinks[name]
        if sink.internal:
            continue
        table = read_topic(log, sink.topic)
        title = f"output {sink.topic}"
        lines = record_lines(table, sink.key, sink.value, registry)
        sections[title] = _lines(
            [f"format: {sink.key.format}, {sink.value.format}", *_configs(log, sink.topic), *lines]
        )
        feeders = [item for item in topology.pipelines if item.sink == name]
        if len(feeders) > 1 or joins or _spread(log, [sink.topic, *inputs]):
            unordered.add(title)
        for part, registered in (("key", sink.register_key), ("value", sink.register_value)):
            if registered is not None:
                sections[f"schema {sink.topic}-{part}"] = registered[1] + "\n"
    dead = topology.settings.dead_letter_topic
    if dead is not None:
        title = f"dead letters {dead}"
        sections[title] = _lines(record_lines(read_topic(log, dead), None, None, registry))
        unordered.add(title)
    if failure is not None:
        sections["failure"] = render(failure) + "\n"
    return Outcome(sections, frozenset(unordered))


def _spread(log: Log, topics: Sequence[str]) -> bool:
    with closing(log.admin()) as admin:
        found = [admin.describe(topic) for topic in topics]
    return any(item is not None and item.partitions > 1 for item in found)


def _configs(log: Log, topic: str) -> list[str]:
    with closing(log.admin()) as admin:
        found = admin.describe(topic)
    if found is None or not found.configs:
        return []
    return ["configs: " + ", ".join(f"{key}={value}" for key, value in sorted(found.configs.items()))]


def _lines(lines: Sequence[str]) -> str:
    return "".join(line + "\n" for line in lines)
