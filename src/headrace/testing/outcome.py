"""What came out of a case, as sections of text, and when two of them are the same."""

from __future__ import annotations

import json
import re
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from headrace.errors import HeadraceError, ProgramError
from headrace.errors.render import render
from headrace.plan.operators import Aggregate, Emit
from headrace.sql import parse_program
from headrace.testing.records import read_topic, record_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.formats.interface import Registry
    from headrace.log.interface import Log
    from headrace.plan.topology import Topology
    from headrace.testing.case_file import Case


_TIMESTAMP: Final = re.compile(r', "timestamp": \d+(?=[,}])', re.ASCII)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out, by section.

    Args:
        sections: title and text.
        unordered: titles of sections whose lines have no order among them.
        by_key: titles of sections whose lines have an order for each key alone.
        latest: titles of sections of which only the latest line of each key counts: results at each commit.
    """

    sections: dict[str, str]
    unordered: frozenset[str] = frozenset()
    by_key: frozenset[str] = frozenset()
    latest: frozenset[str] = frozenset()

    def comparable(self, other: Outcome) -> tuple[dict[str, str], dict[str, str]]:
        """Give both with nothing left in them that depends on how the case is run."""
        return self._comparable(self, other), self._comparable(other, self)

    @staticmethod
    def _comparable(one: Outcome, other: Outcome) -> dict[str, str]:
        found = {}
        for title, body in one.sections.items():
            lines = body.splitlines()
            if title in one.latest | other.latest:
                lines = _latest(lines)
            elif title in one.unordered | other.unordered:
                lines = sorted(lines)
            elif title in one.by_key | other.by_key:
                lines = sorted(lines, key=_key)
            found[title] = "".join(line + "\n" for line in lines)
        return found


def _key(line: str) -> str:
    return json.dumps(json.loads(line)["key"]) if line.startswith("{") else ""


def _latest(lines: Sequence[str]) -> list[str]:
    """Give the lines without those that a later one replaces, without deletions, which have nothing to delete then.

    And without timestamps: a result at a commit has the largest time of what has changed it since the last one.
    """
    state: dict[str, str] = {}
    for number, line in enumerate(lines):
        key = _key(line) or str(number)
        state.pop(key, None)
        if not line.startswith("{") or json.loads(line)["value"] is not None:
            state[key] = _TIMESTAMP.sub("", line)
    return sorted(state.values(), key=_key)


def results_at_commits(topology: Topology) -> bool:
    """Say whether how many results there are depends on the commits."""
    return any(
        isinstance(operator.kernel, Aggregate) and operator.kernel.emit is Emit.COMMIT
        for operator in topology.operators
    )


def outcome_of(
    case: Case, topology: Topology, log: Log, registry: Registry | None, failure: HeadraceError | None
) -> Outcome:
    """Read what a run has left."""
    sections: dict[str, str] = {}
    unordered: set[str] = set()
    by_key: set[str] = set()
    latest: set[str] = set()
    if topology.warnings:
        warnings = ProgramError(topology.warnings, parse_program(case.sql, "case.sql").source)
        sections["warnings"] = render(warnings) + "\n"
    inputs = {topic.name for topic in case.topics if topic.records}
    operators = {operator.id for operator in topology.operators}
    at_commits = results_at_commits(topology)
    for name in sorted(topology.sinks):
        sink = topology.sinks[name]
        if sink.internal:
            continue
        title = f"output {sink.topic}"
        lines = record_lines(read_topic(log, sink.topic), sink.key, sink.value, registry)
        sections[title] = _lines(
            [f"format: {sink.key.format}, {sink.value.format}", *_configs(log, sink.topic), *lines]
        )
        feeders = [item.source for item in topology.pipelines if item.sink == name]
        of_operators = operators.issuperset(feeders)
        if of_operators and at_commits:
            latest.add(title)
        elif len(feeders) > 1:
            unordered.add(title)
        elif _spread(log, [sink.topic, *inputs]):
            (by_key if of_operators else unordered).add(title)
        for part, registered in (("key", sink.register_key), ("value", sink.register_value)):
            if registered is not None:
                sections[f"schema {sink.topic}-{part}"] = registered[1] + "\n"
    for title, topic in (
        ("dead letters", topology.settings.dead_letter_topic),
        ("late records", topology.settings.late_topic),
    ):
        if topic is not None:
            sections[f"{title} {topic}"] = _lines(record_lines(read_topic(log, topic), None, None, registry))
            unordered.add(f"{title} {topic}")
    if failure is not None:
        sections["failure"] = render(failure) + "\n"
    return Outcome(sections, frozenset(unordered), frozenset(by_key), frozenset(latest))


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
