"""Shows how a program compares with what an application has."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from headrace.cli.failures import bad_call
from headrace.engine.deployment import Action
from headrace.engine.state.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.engine.deployment import Deployment, GroupState, SchemaPlan, TopicPlan
    from headrace.engine.state.verdicts import StoreVerdict


def shown(deployment: Deployment, form: str) -> str:
    """Give it as JSON, else as text."""
    if form == "json":
        return json.dumps(asdict(deployment), ensure_ascii=False)
    if form != "text":
        message = f"how a program compares with an application cannot be shown as {form}"
        raise bad_call(message, help="use --format text or json")
    return "\n".join(_lines(deployment))


def _lines(deployment: Deployment) -> Iterator[str]:
    for topic in deployment.topics:
        yield _topic(topic)
    for schema in deployment.schemas:
        yield from _schema(schema)
    for store in deployment.stores:
        yield from _store(store)
    if not deployment.stores:
        yield "the program keeps no state"
    yield from _group(deployment.application, deployment.group)
    for name in deployment.left_over:
        yield f"left over: topic {name}, which the program has no use for"


def _topic(item: TopicPlan) -> str:
    head = f"{item.use} {item.topic}: {item.action}"
    if item.action is Action.REFUSE:
        return f"{head}, {item.reason}"
    if item.action is Action.KEEP:
        return head
    count = (
        "the log's default of partitions" if item.partitions < 0 else _counted(item.partitions, "partition")
    )
    return ", ".join([head, count, *(f"{key}={value}" for key, value in sorted(item.configs.items()))])


def _schema(item: SchemaPlan) -> Iterator[str]:
    yield f"schema {item.subject}: {item.action}"
    for reason in item.reasons:
        yield f"  {reason}"


def _store(item: StoreVerdict) -> Iterator[str]:
    yield f"store {item.store}: {item.verdict.value}, {item.reason}"
    for line in item.details:
        yield f"  {line}"
    if item.verdict is Verdict.REFUSE:
        yield f"  run it under a new --app-id, or give the state up: --discard-state={item.store}"


def _group(application: str, group: GroupState) -> Iterator[str]:
    running = (
        f"{_counted(group.processes, 'process', 'processes')} running" if group.processes else "not running"
    )
    if not group.committed:
        yield f"group {application}: {running}, nothing committed"
        return
    unread = ", ".join(
        f"{_counted(count, 'record')} of {topic}" for topic, count in sorted(group.unread.items())
    )
    yield f"group {application}: {running}, unread: {unread or 'nothing of these inputs was ever committed'}"


def _counted(number: int, noun: str, nouns: str | None = None) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {nouns or f'{noun}s'}"
