"""Topics and the offsets of their partitions, as rows of the file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headrace.errors.codes import log as codes
from headrace.log.embedded.faults import log_error
from headrace.log.interface import TopicDescription, TopicPartition
from headrace.log.names import WAY_OUT, is_topic_name

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic in the file. A topic that was deleted and made again has another id."""

    id: int
    partitions: int
    configs: dict[str, str]


def revision(tx: sqlite3.Connection) -> int:
    """Give a number that changes with every topic that is made, grown or deleted."""
    return int(tx.execute("SELECT revision FROM topics_revision").fetchone()[0])


def find(tx: sqlite3.Connection, name: str) -> Topic | None:
    """Give the topic of this name."""
    row = tx.execute("SELECT id, partitions, configs FROM topic WHERE name = ?", (name,)).fetchone()
    return None if row is None else Topic(row[0], row[1], json.loads(row[2]))


def require(tx: sqlite3.Connection, name: str) -> Topic:
    """Give the topic of this name, or raise LogError."""
    topic = find(tx, name)
    if topic is None:
        raise log_error(
            codes.NO_SUCH_TOPIC, f"topic `{name}` does not exist", "create it, or `SET autocreate = true`"
        )
    return topic


def require_partition(tx: sqlite3.Connection, place: TopicPartition) -> Topic:
    """Give the topic of this partition, or raise LogError if there is no such partition."""
    topic = require(tx, place.topic)
    if not 0 <= place.partition < topic.partitions:
        raise log_error(
            codes.NO_SUCH_TOPIC,
            f"topic `{place.topic}` has {topic.partitions} partitions, none is {place.partition}",
        )
    return topic


def end_offset(tx: sqlite3.Connection, topic: int, partition: int) -> int:
    """Give the offset that the next record of the partition will have."""
    row = tx.execute(
        "SELECT end_offset FROM partition WHERE topic = ? AND partition = ?", (topic, partition)
    ).fetchone()
    return 0 if row is None else int(row[0])


def end_offsets(tx: sqlite3.Connection, ids: Sequence[int]) -> dict[tuple[int, int], int]:
    """Give the end offset of every partition of these topics, by topic id and partition."""
    marks = ",".join("?" * len(ids))
    rows = tx.execute(
        f"SELECT topic, partition, end_offset FROM partition WHERE topic IN ({marks})", list(ids)
    )
    return {(topic, partition): end for topic, partition, end in rows}


def check(topic: TopicDescription) -> None:
    """Refuse a topic that could not be made."""
    if not is_topic_name(topic.name):
        raise log_error(
            codes.BAD_TOPIC,
            f"`{topic.name}` cannot be the name of a topic",
            WAY_OUT,
        )
    if topic.partitions < 1 and topic.partitions != -1:
        raise log_error(codes.BAD_TOPIC, f"topic `{topic.name}` needs at least one partition")


def create(tx: sqlite3.Connection, topic: TopicDescription) -> bool:
    """Make the topic; False if there is one of this name."""
    check(topic)
    partitions = 1 if topic.partitions == -1 else topic.partitions
    if find(tx, topic.name) is not None:
        return False
    configs = json.dumps(dict(topic.configs), sort_keys=True)
    identifier = tx.execute(
        "INSERT INTO topic (name, partitions, configs, internal) VALUES (?, ?, ?, ?)",
        (topic.name, partitions, configs, topic.internal),
    ).lastrowid
    _add(tx, identifier, range(partitions))
    return True


def grow(tx: sqlite3.Connection, name: str, total: int) -> None:
    """Raise the number of partitions."""
    topic = require(tx, name)
    if total <= topic.partitions:
        raise log_error(
            codes.BAD_TOPIC, f"topic `{name}` has {topic.partitions} partitions already, {total} are no more"
        )
    tx.execute("UPDATE topic SET partitions = ? WHERE id = ?", (total, topic.id))
    _add(tx, topic.id, range(topic.partitions, total))


def delete(tx: sqlite3.Connection, name: str) -> bool:
    """Delete the topic with its records and the offsets of groups in it; False if there is none."""
    if tx.execute("DELETE FROM topic WHERE name = ?", (name,)).rowcount == 0:
        return False
    tx.execute("DELETE FROM committed WHERE topic = ?", (name,))
    _count(tx)
    return True


def describe(tx: sqlite3.Connection, name: str) -> TopicDescription | None:
    """Give what is known of the topic."""
    row = tx.execute("SELECT partitions, configs, internal FROM topic WHERE name = ?", (name,)).fetchone()
    if row is None:
        return None
    return TopicDescription(name, row[0], configs=json.loads(row[1]), internal=bool(row[2]))


def _add(tx: sqlite3.Connection, topic: int | None, partitions: range) -> None:
    tx.executemany("INSERT INTO partition VALUES (?, ?, 0, 0, 0)", [(topic, number) for number in partitions])
    _count(tx)


def _count(tx: sqlite3.Connection) -> None:
    tx.execute("UPDATE topics_revision SET revision = revision + 1")
