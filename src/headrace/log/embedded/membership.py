"""One consumer's part in its group: it joins, takes and gives partitions, proves that it still owns them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headrace.errors.codes import log as codes
from headrace.log.embedded import groups
from headrace.log.embedded.faults import fenced

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from headrace.log.embedded.database import Session
    from headrace.log.embedded.timing import Clock, Timing
    from headrace.log.errors import FencedError
    from headrace.log.interface import TopicPartition


@dataclass(frozen=True, slots=True)
class Step:
    """What happened to the partitions of a member; `revoke` is still owned until `release`."""

    lost: tuple[TopicPartition, ...] = ()
    revoke: tuple[TopicPartition, ...] = ()
    gained: tuple[TopicPartition, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.lost or self.revoke or self.gained)


class Membership:
    """A member of a group. `beat` may be called from another thread, all else belongs to the consumer's."""

    def __init__(
        self,
        session: Session,
        group: str,
        instance: str | None,
        topics: Sequence[str],
        timing: Timing,
        clock: Clock,
        process: str | None = None,
    ) -> None:
        self._session = session
        self._group = group
        self._instance = instance
        self._topics = tuple(topics)
        self._timing = timing
        self._clock = clock
        self._incarnation = groups.incarnation(uuid.uuid4().hex, process)
        self._member: int | None = None
        self._owned: tuple[TopicPartition, ...] = ()
        self._revision = -1
        self._topics_revision = -1
        self._beaten_ms = 0
        self._looked_ms = 0
        self._polled_ms = clock()

    @property
    def timing(self) -> Timing:
        """The time-outs of this member."""
        return self._timing

    def step(self) -> Step:
        """Take part in the group and give what changed; cheap if nothing did.

        Raises:
            FencedError: another process uses the name of this instance.
        """
        now = self._clock()
        self._polled_ms = now
        if not self._due(now):
            return Step()
        with self._session.write() as tx:
            lost: tuple[TopicPartition, ...] = ()
            if not self._alive(tx, now):
                lost, self._owned = self._owned, ()
                self._join(tx, now)
            assert self._member is not None
            groups.refresh(tx, self._group, now)
            holding = groups.owned(tx, self._member)
            lost += tuple(place for place in self._owned if place not in holding)
            revoke = tuple(place for place, keep in holding.items() if not keep)
            if not revoke:
                groups.take(tx, self._member)
                holding = groups.owned(tx, self._member)
            gained = tuple(place for place in holding if place not in self._owned and place not in revoke)
            # What a predecessor of this instance held and must give up was never ours: free it without a
            # word.
            unknown = tuple(place for place in revoke if place not in self._owned)
            if unknown:
                groups.release(tx, self._member, unknown)
            self._owned = tuple(place for place in holding if place not in unknown)
            # Partitions to be given up are looked at again after `release`, so the revision stays unseen
            # until then.
            self._revision = -1 if revoke else groups.revision(tx, self._group)
            self._topics_revision = _topics_revision(tx)
            self._beaten_ms = self._looked_ms = now
        return Step(lost, tuple(place for place in revoke if place not in unknown), gained)

    def _due(self, now: int) -> bool:
        if self._member is None or now - self._beaten_ms >= self._timing.beat_ms:
            return True
        with self._session.read() as tx:
            if self._revision != groups.revision(
                tx, self._group
            ) or self._topics_revision != _topics_revision(tx):
                return True
            # Looking for silent members at every poll would be waste: a fraction of the time-out is soon
            # enough.
            if now - self._looked_ms < self._timing.beat_ms // 3:
                return False
            self._looked_ms = now
            return groups.silent(tx, self._group, now)

    def _alive(self, tx: sqlite3.Connection, now: int) -> bool:
        if self._member is None:
            return False
        row = tx.execute("SELECT incarnation FROM member WHERE id = ?", (self._member,)).fetchone()
        if row is not None and row[0] != self._incarnation:
            raise self._replaced()
        # Silent for too long but not thrown out yet: the partitions are still ours, nobody else has touched
        # them.
        return groups.beat(tx, self._member, self._incarnation, now)

    def _join(self, tx: sqlite3.Connection, now: int) -> None:
        self._member = groups.join(
            tx,
            self._group,
            instance=self._instance,
            incarnation=self._incarnation,
            subscription=self._topics,
            session_ms=self._timing.session_ms,
            now_ms=now,
        )

    def release(self, places: Iterable[TopicPartition]) -> None:
        """Give partitions up, after their records have been dealt with."""
        gone = set(places)
        self._owned = tuple(place for place in self._owned if place not in gone)
        with self._session.write() as tx:
            if self._member is not None:
                groups.release(tx, self._member, gone)

    def beat_due(self, now: int) -> bool:
        """Say whether a heartbeat is due; never for a consumer that has not polled for too long."""
        waits = now - self._beaten_ms
        return self._member is not None and waits >= self._timing.beat_ms // 2 and not self._stuck(now)

    def _stuck(self, now: int) -> bool:
        return now - self._polled_ms >= self._timing.poll_ms

    def beat(self, tx: sqlite3.Connection, now: int) -> None:
        """Say that this member lives; if it was thrown out meanwhile, the next `step` finds out."""
        member = self._member
        if member is not None and groups.beat(tx, member, self._incarnation, now):
            self._beaten_ms = now

    def check(self, tx: sqlite3.Connection, places: Iterable[TopicPartition]) -> None:
        """Prove that this member owns these partitions and may commit their offsets.

        Raises:
            FencedError: with `MEMBER_REPLACED` if another process has taken its place for good, with
                `MEMBER_LOST` if the partitions have moved; the next `poll` tells which.
        """
        row = None
        if self._member is not None:
            row = tx.execute("SELECT incarnation FROM member WHERE id = ?", (self._member,)).fetchone()
        if row is not None and row[0] != self._incarnation:
            raise self._replaced()
        holding = groups.owned(tx, self._member) if row is not None and self._member is not None else {}
        if not all(place in holding for place in places):
            raise fenced(
                codes.MEMBER_LOST,
                f"this member of group `{self._group}` has lost partitions that it commits",
                "poll more often, or raise `session.timeout.ms`",
            )

    def leave(self) -> None:
        """Leave the group.

        A member with an instance name stays, until its session times out, for its successor.
        """
        if self._member is None or self._instance is not None:
            return
        with self._session.write() as tx:
            if groups.beat(tx, self._member, self._incarnation, self._clock()):
                groups.leave(tx, self._group, self._member)
        self._member, self._owned = None, ()

    def _replaced(self) -> FencedError:
        return fenced(
            codes.MEMBER_REPLACED,
            f"another process joined group `{self._group}` as instance `{self._instance}`",
            "give each instance a name of its own",
        )


def _topics_revision(tx: sqlite3.Connection) -> int:
    return int(tx.execute("SELECT revision FROM topics_revision").fetchone()[0])
