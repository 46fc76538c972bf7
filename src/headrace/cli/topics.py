"""`headrace topics`: list, describe, create, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import pyarrow as pa

from headrace.cli.failures import bad_call, reported
from headrace.cli.options import examples, log_options
from headrace.cli.session import Session, open_session
from headrace.cli.tables import print_pairs, print_rows
from headrace.cli.topic_sides import unknown_topic
from headrace.log.interface import ConsumerOptions, TopicDescription, TopicPartition
from headrace.types.sql import type_name

if TYPE_CHECKING:
    from headrace.formats.interface import Side


@click.group(
    "topics",
    epilog=examples(
        "headrace topics list", "headrace topics create orders --partitions 4 --config cleanup.policy=compact"
    ),
)
def command() -> None:
    """List, describe, create and delete topics."""


@command.command("list", epilog=examples("headrace topics list"))
@click.option("--internal", is_flag=True, help="Internal topics too.")
@log_options
@reported
def list_topics(internal: bool, log: str | None, registry: str | None) -> None:
    """List the topics with their numbers of partitions."""
    with open_session(log, registry) as session:
        admin = session.log.admin()
        try:
            found = [admin.describe(name) for name in sorted(admin.topics())]
        finally:
            admin.close()
    shown = [item for item in found if item is not None and (internal or not item.internal)]
    print_rows(("topic", "partitions"), [(item.name, str(item.partitions)) for item in shown])


@command.command("describe", epilog=examples("headrace topics describe iot_data"))
@click.argument("topic")
@log_options
@reported
def describe_topic(topic: str, log: str | None, registry: str | None) -> None:
    """Show what TOPIC holds: formats, fields, partitions, settings."""
    with open_session(log, registry) as session:
        described = _describe(session, topic)
        found = session.catalog.topic(topic)
        offsets = _offsets(session, described)
    print_pairs(
        [
            ("topic", topic),
            ("partitions", str(described.partitions)),
            ("replication", str(described.replication)),
            *((f"config {name}", value) for name, value in sorted(described.configs.items())),
            ("key format", found.key.format.value if found else "unknown: no records and no schema"),
            ("value format", found.value.format.value if found else "unknown: no records and no schema"),
        ]
    )
    if found is not None:
        click.echo()
        print_rows(("field", "type"), [*_fields("_key", found.key), *_fields("_value", found.value)])
    click.echo()
    print_rows(("partition", "first offset", "end offset"), offsets)


@command.command(
    "create", epilog=examples("headrace topics create orders --partitions 4 --config retention.ms=86400000")
)
@click.argument("topic")
@click.option("--partitions", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--replication", type=click.IntRange(min=1), help="Default: the broker's.")
@click.option("--config", "configs", multiple=True, metavar="NAME=VALUE", help="A topic setting; repeatable.")
@log_options
@reported
def create_topic(
    topic: str,
    partitions: int,
    replication: int | None,
    configs: tuple[str, ...],
    log: str | None,
    registry: str | None,
) -> None:
    """Create TOPIC."""
    settings = dict(_setting(item) for item in configs)
    with open_session(log, registry) as session:
        admin = session.log.admin()
        try:
            created = admin.create(
                TopicDescription(topic, partitions, -1 if replication is None else replication, settings)
            )
        finally:
            admin.close()
    if not created:
        message = f"topic `{topic}` exists already"
        raise bad_call(message, help="`headrace topics describe` shows what it holds")
    click.echo(f"created `{topic}`")


@command.command("delete", epilog=examples("headrace topics delete orders"))
@click.argument("topics", nargs=-1, required=True)
@log_options
@reported
def delete_topics(topics: tuple[str, ...], log: str | None, registry: str | None) -> None:
    """Delete TOPICS with all their records."""
    with open_session(log, registry) as session:
        for topic in topics:
            _describe(session, topic)
        admin = session.log.admin()
        try:
            for topic in topics:
                admin.delete(topic)
                click.echo(f"deleted `{topic}`")
        finally:
            admin.close()


def _describe(session: Session, topic: str) -> TopicDescription:
    admin = session.log.admin()
    try:
        described = admin.describe(topic)
    finally:
        admin.close()
    if described is None:
        raise unknown_topic(topic)
    return described


def _offsets(session: Session, topic: TopicDescription) -> list[tuple[str, str, str]]:
    consumer = session.log.consumer(ConsumerOptions())
    try:
        marks = consumer.watermarks(
            [TopicPartition(topic.name, number) for number in range(topic.partitions)]
        )
    finally:
        consumer.close()
    return [(str(part.partition), str(first), str(end)) for part, (first, end) in sorted(marks.items())]


def _fields(facet: str, side: Side) -> list[tuple[str, str]]:
    """Give a row for each field of a record, or one for a primitive."""
    if isinstance(side.type, pa.StructType):
        fields = [side.type.field(number) for number in range(side.type.num_fields)]
        return [(f"{facet}.{field.name}", type_name(field.type)) for field in fields]
    return [(facet, type_name(side.type))]


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        message = f"`--config {text}` is not of the form NAME=VALUE"
        raise bad_call(message)
    return name, value
