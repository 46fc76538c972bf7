"""The embedded log: topics in one SQLite file, for one machine, with nothing to install."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Self

from headrace.log.embedded.admin import EmbeddedAdmin
from headrace.log.embedded.consumer import EmbeddedConsumer
from headrace.log.embedded.database import Database, Session
from headrace.log.embedded.heartbeats import Heartbeats
from headrace.log.embedded.membership import Membership
from headrace.log.embedded.producer import EmbeddedProducer
from headrace.log.embedded.timing import Clock, Timing, wall_clock_ms

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from headrace.log.interface import ConsumerOptions, ProducerOptions


class EmbeddedLog:
    """`Log` in a file, or in memory.

    Several processes may use one file at once. A log in memory belongs to this object; all threads of the
    process that use the object see the same topics.
    """

    def __init__(
        self, path: str, properties: Mapping[str, str] | None = None, *, clock: Clock = wall_clock_ms
    ) -> None:
        """Open the log and lay the file out if it is new.

        Args:
            path: of the file; `:memory:` for a log that lives as long as this object.
            properties: `session.timeout.ms`, `max.poll.interval.ms`, `lock.timeout.ms`; others are ignored.
            clock: gives timestamps and measures session time-outs.

        Raises:
            LogError: the file cannot be used; the code says why.
        """
        self._timing = Timing().with_properties(properties or {})
        self._clock = clock
        self._database = Database(path, self._timing.lock_ms / 1000)
        self._lock = Lock()
        self._heartbeats: Heartbeats | None = None

    @property
    def name(self) -> str:
        """The log, for messages."""
        return self._database.name

    def consumer(self, options: ConsumerOptions) -> EmbeddedConsumer:
        """Make a consumer, which belongs to one thread."""
        return EmbeddedConsumer(
            self._database.session(),
            options,
            join=lambda session, topics: self._join(session, options, topics),
            leave=self._leave,
        )

    def producer(self, options: ProducerOptions) -> EmbeddedProducer:
        """Make a producer, which belongs to one thread.

        One with a transactional id replaces whoever used the id before.
        """
        return EmbeddedProducer(self._database.session(), options, self._clock)

    def admin(self) -> EmbeddedAdmin:
        """Give topics and groups."""
        return EmbeddedAdmin(self._database.session(), self._clock)

    def session(self) -> Session:
        """Give a connection to the file; the schema registry keeps its tables beside the topics."""
        return self._database.session()

    def close(self) -> None:
        """Free the file; consumers and producers cannot be used any more. May be called twice."""
        with self._lock:
            heartbeats, self._heartbeats = self._heartbeats, None
        if heartbeats is not None:
            heartbeats.close()
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _join(self, session: Session, options: ConsumerOptions, topics: tuple[str, ...]) -> Membership:
        assert options.group is not None, "the consumer has checked"
        timing = self._timing.with_properties(options.properties)
        member = Membership(
            session, options.group, options.instance, topics, timing, self._clock, options.process
        )
        with self._lock:
            if self._heartbeats is None:
                self._heartbeats = Heartbeats(self._database.session(), self._clock)
            self._heartbeats.add(member)
        return member

    def _leave(self, member: Membership) -> None:
        with self._lock:
            if self._heartbeats is not None:
                self._heartbeats.remove(member)
