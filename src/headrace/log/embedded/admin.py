"""Topics and groups of the embedded log."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from headrace.log.embedded import groups, segments, topics
from headrace.log.interface import TopicDescription, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.log.embedded.database import Session
    from headrace.log.embedded.timing import Clock
    from headrace.log.interface import GroupMember, Offsets


class EmbeddedAdmin:
    """`Admin` of the embedded log."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def identity(self) -> str:
        """See `Admin.identity`; made up when it is asked for the first time."""
        with self._session.write() as tx:
            tx.execute("CREATE TABLE IF NOT EXISTS identity (id TEXT NOT NULL)")
            found = tx.execute("SELECT id FROM identity").fetchone()
            if found is None:
                found = (uuid.uuid4().hex,)
                tx.execute("INSERT INTO identity VALUES (?)", found)
            return str(found[0])

    def topics(self) -> list[str]:
        """Give the names of all topics, sorted."""
        with self._session.read() as tx:
            return [name for (name,) in tx.execute("SELECT name FROM topic ORDER BY name")]

    def describe(self, topic: str) -> TopicDescription | None:
        """Give what is known of a topic, None if there is none."""
        with self._session.read() as tx:
            return topics.describe(tx, topic)

    def check_new(self, wanted: Sequence[TopicDescription]) -> None:
        """See `Admin.check_new`."""
        for topic in wanted:
            topics.check(topic)

    def create(self, topic: TopicDescription) -> bool:
        """Create the topic; False if it existed already."""
        with self._session.write() as tx:
            return topics.create(tx, topic)

    def delete_records(self, positions: Offsets) -> None:
        """See `Admin.delete_records`."""
        with self._session.write() as tx:
            for place, offset in positions.items():
                topic = topics.require_partition(tx, place)
                end = topics.end_offset(tx, topic.id, place.partition)
                if segments.first_offset(tx, topic.id, place.partition) < offset:
                    segments.delete_before(tx, topic.id, place.partition, min(offset, end))

    def add_partitions(self, topic: str, total: int) -> None:
        """Raise the number of partitions to `total`."""
        with self._session.write() as tx:
            topics.grow(tx, topic, total)

    def delete(self, topic: str) -> bool:
        """Delete the topic; False if there was none."""
        with self._session.write() as tx:
            return topics.delete(tx, topic)

    def group_offsets(self, group: str) -> dict[TopicPartition, int]:
        """Give what the group has committed."""
        with self._session.read() as tx:
            rows = tx.execute(
                "SELECT topic, partition, next_offset FROM committed WHERE consumer_group = ?", (group,)
            )
            return {TopicPartition(topic, partition): offset for topic, partition, offset in rows}

    def group_members(self, group: str) -> list[GroupMember]:
        """Give who is in the group and has been heard of in time."""
        with self._session.read() as tx:
            return groups.members(tx, group, self._clock())

    def close(self) -> None:
        """Free the connection."""
        self._session.close()
