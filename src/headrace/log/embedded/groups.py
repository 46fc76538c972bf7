"""Who reads what: the members of a consumer group and their partitions, as rows of the file.

Each partition has a *target*, the member that shall read it, and an *owner*, the member that does. When
members come or go the targets are computed anew; a member whose partition has another target gives it up at
its next poll, and only then the target takes it. So a partition has at most one owner at any time, and those
that do not move are read on.

Everything here runs inside a write transaction of the caller.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from headrace.log.embedded import topics
from headrace.log.interface import GroupMember, TopicPartition

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping, Sequence


def assign_ranges(
    members: Mapping[int, Sequence[str]], partitions: Mapping[str, int]
) -> dict[TopicPartition, int]:
    """Deal the partitions of each topic to its subscribers in runs, as Kafka's range assignor does.

    Topics of one size with the same subscribers are dealt alike, so that the partitions of one number meet in
    one member.

    Args:
        members: the topics that each subscribes to; in the order of joining, so that a newcomer moves little.
        partitions: how many each topic has.
    """
    targets: dict[TopicPartition, int] = {}
    for topic, count in partitions.items():
        subscribers = [member for member in sorted(members) if topic in members[member]]
        if not subscribers:
            continue
        share, larger = divmod(count, len(subscribers))
        start = 0
        for place, member in enumerate(subscribers):
            end = start + share + (place < larger)
            targets.update({TopicPartition(topic, number): member for number in range(start, end)})
            start = end
    return targets


def revision(tx: sqlite3.Connection, group: str) -> int:
    """Give a number that changes with members, targets and owners of the group.

    -1 if there is no such group.
    """
    row = tx.execute("SELECT revision FROM consumer_group WHERE name = ?", (group,)).fetchone()
    return -1 if row is None else int(row[0])


def ensure(tx: sqlite3.Connection, group: str) -> None:
    """Make the group if there is none."""
    tx.execute("INSERT OR IGNORE INTO consumer_group VALUES (?, 0, -1)", (group,))


def join(
    tx: sqlite3.Connection,
    group: str,
    *,
    instance: str | None,
    incarnation: str,
    subscription: Sequence[str],
    session_ms: int,
    now_ms: int,
) -> int:
    """Add a member and give its id.

    One with an instance name takes over the row, and the partitions, of its predecessor.
    """
    ensure(tx, group)
    wanted = json.dumps(sorted(set(subscription)))
    found = None
    if instance is not None:
        found = tx.execute(
            "SELECT id, topics FROM member WHERE consumer_group = ? AND instance = ?", (group, instance)
        ).fetchone()
    if found is None:
        cursor = tx.execute(
            "INSERT INTO member (consumer_group, instance, incarnation, topics, session_ms, seen_ms)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (group, instance, incarnation, wanted, session_ms, now_ms),
        )
        member, known = cursor.lastrowid, None
    else:
        member, known = found
        tx.execute(
            "UPDATE member SET incarnation = ?, topics = ?, session_ms = ?, seen_ms = ? WHERE id = ?",
            (incarnation, wanted, session_ms, now_ms, member),
        )
        # The predecessor, if it still runs, shall notice at its next poll.
        _count(tx, member)
    if known != wanted:
        rebalance(tx, group)
    assert member is not None, "an INSERT gives a row id"
    return int(member)


def leave(tx: sqlite3.Connection, group: str, member: int) -> None:
    """Remove a member; its partitions are free at once."""
    tx.execute("DELETE FROM member WHERE id = ?", (member,))
    rebalance(tx, group)


def beat(tx: sqlite3.Connection, member: int, incarnation: str, now_ms: int) -> bool:
    """Note that the member lives; False if it is no member any more."""
    cursor = tx.execute(
        "UPDATE member SET seen_ms = ? WHERE id = ? AND incarnation = ?", (now_ms, member, incarnation)
    )
    return cursor.rowcount > 0


def silent(tx: sqlite3.Connection, group: str, now_ms: int) -> bool:
    """Say whether a member has outlived its session time-out."""
    return (
        tx.execute(
            "SELECT 1 FROM member WHERE consumer_group = ? AND seen_ms + session_ms < ? LIMIT 1",
            (group, now_ms),
        ).fetchone()
        is not None
    )


def refresh(tx: sqlite3.Connection, group: str, now_ms: int) -> None:
    """Throw out silent members, and compute the targets again if that, or a change of topics, asks for it."""
    dropped = tx.execute(
        "DELETE FROM member WHERE consumer_group = ? AND seen_ms + session_ms < ?", (group, now_ms)
    ).rowcount
    known = tx.execute("SELECT topics_revision FROM consumer_group WHERE name = ?", (group,)).fetchone()[0]
    if dropped or known != topics.revision(tx):
        rebalance(tx, group)


def rebalance(tx: sqlite3.Connection, group: str) -> None:
    """Compute the targets from the members and topics of this moment."""
    members: dict[int, list[str]] = {
        member: json.loads(wanted)
        for member, wanted in tx.execute("SELECT id, topics FROM member WHERE consumer_group = ?", (group,))
    }
    wanted = sorted({topic for subscription in members.values() for topic in subscription})
    found = {name: topics.find(tx, name) for name in wanted}
    targets = assign_ranges(
        members, {name: topic.partitions for name, topic in found.items() if topic is not None}
    )
    tx.execute("UPDATE claim SET target = NULL WHERE consumer_group = ?", (group,))
    tx.executemany(
        "INSERT INTO claim (consumer_group, topic, partition, target) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET target = excluded.target",
        [(group, place.topic, place.partition, member) for place, member in targets.items()],
    )
    tx.execute("DELETE FROM claim WHERE consumer_group = ? AND target IS NULL AND owner IS NULL", (group,))
    tx.execute(
        "UPDATE consumer_group SET revision = revision + 1, topics_revision = ? WHERE name = ?",
        (topics.revision(tx), group),
    )


def owned(tx: sqlite3.Connection, member: int) -> dict[TopicPartition, bool]:
    """Give what the member owns; for each partition whether it shall keep it."""
    rows = tx.execute(
        "SELECT topic, partition, target IS owner FROM claim WHERE owner = ? ORDER BY topic, partition",
        (member,),
    )
    return {TopicPartition(topic, partition): bool(keep) for topic, partition, keep in rows}


def take(tx: sqlite3.Connection, member: int) -> None:
    """Make the member the owner of all partitions that are meant for it and free."""
    changed = tx.execute(
        "UPDATE claim SET owner = ? WHERE target = ? AND owner IS NULL", (member, member)
    ).rowcount
    if changed:
        _count(tx, member)


def release(tx: sqlite3.Connection, member: int, places: Iterable[TopicPartition]) -> None:
    """Free partitions that the member owns, for whoever they are meant."""
    tx.executemany(
        "UPDATE claim SET owner = NULL WHERE owner = ? AND topic = ? AND partition = ?",
        [(member, place.topic, place.partition) for place in places],
    )
    _count(tx, member)


def _count(tx: sqlite3.Connection, member: int) -> None:
    tx.execute(
        "UPDATE consumer_group SET revision = revision + 1"
        " WHERE name = (SELECT consumer_group FROM member WHERE id = ?)",
        (member,),
    )


def has_members(tx: sqlite3.Connection, group: str) -> bool:
    """Say whether anybody is in the group."""
    return (
        tx.execute("SELECT 1 FROM member WHERE consumer_group = ? LIMIT 1", (group,)).fetchone() is not None
    )


def incarnation(unique: str, process: str | None) -> str:
    """Give what tells a member from those before it under the same name, and its process from others."""
    return unique if process is None else f"{process}:{unique}"


def members(tx: sqlite3.Connection, group: str, now_ms: int) -> list[GroupMember]:
    """Give who is in the group and has not outlived its session time-out, with what is meant for each."""
    found: dict[int, tuple[str, list[TopicPartition]]] = {}
    for member, name in tx.execute(
        "SELECT id, incarnation FROM member WHERE consumer_group = ? AND seen_ms + session_ms >= ? ORDER BY id",
        (group, now_ms),
    ):
        found[member] = (name.partition(":")[0], [])
    for member, topic, partition in tx.execute(
        "SELECT target, topic, partition FROM claim WHERE consumer_group = ?", (group,)
    ):
        if member in found:
            found[member][1].append(TopicPartition(topic, partition))
    return [GroupMember(process, frozenset(places)) for process, places in found.values()]


def commit(tx: sqlite3.Connection, group: str, offsets: Mapping[TopicPartition, int]) -> None:
    """Store the offsets of the group; the caller has checked that it may."""
    tx.executemany(
        "INSERT INTO committed VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET next_offset = excluded.next_offset",
        [(group, place.topic, place.partition, offset) for place, offset in offsets.items()],
    )


def committed(tx: sqlite3.Connection, group: str, place: TopicPartition) -> int | None:
    """Give the offset that the group has committed."""
    row = tx.execute(
        "SELECT next_offset FROM committed WHERE consumer_group = ? AND topic = ? AND partition = ?",
        (group, place.topic, place.partition),
    ).fetchone()
    return None if row is None else int(row[0])
