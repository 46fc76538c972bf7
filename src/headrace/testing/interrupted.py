"""A log on which a processor ends in the middle, at a commit, and leaves what a kill leaves: nothing more is written."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    import pyarrow as pa

    from headrace.log.interface import (
        Admin,
        Consumer,
        ConsumerOptions,
        DeliveryFailure,
        Log,
        Offsets,
        Producer,
        ProducerOptions,
        TopicPartition,
    )


class Interrupted(Exception):
    """The end that was asked for."""


def interrupt() -> None:
    """End the processor, and nothing else of the process."""
    raise Interrupted


class _Countdown:
    """Says when the commit has come."""

    def __init__(self, commits: int) -> None:
        self._left = commits
        self._lock = threading.Lock()

    def over(self) -> bool:
        """Count a commit; true from the last one on."""
        with self._lock:
            self._left -= 1
            return self._left <= 0


class _InterruptedProducer:
    """A producer whose commit may be the last."""

    def __init__(
        self, producer: Producer, countdown: _Countdown, end: Callable[[], None], *, after: bool
    ) -> None:
        self._producer = producer
        self._end = end
        self._countdown = countdown
        self._after = after
        self._dead = False

    def send(self, topic: str, records: pa.RecordBatch) -> int:
        return self._producer.send(topic, records)

    def flush(self, timeout: float) -> list[DeliveryFailure]:
        return self._producer.flush(timeout)

    def positions(self) -> dict[TopicPartition, int]:
        return self._producer.positions()

    def begin(self) -> None:
        self._producer.begin()

    def commit(self, offsets: Offsets, consumer: Consumer) -> None:
        """Commit, unless this is the one."""
        over = self._dead or self._countdown.over()
        if over and self._after and not self._dead:
            self._producer.commit(offsets, consumer)
        self._dead = self._dead or over
        if over:
            self._end()
        self._producer.commit(offsets, consumer)

    def abort(self) -> None:
        self._producer.abort()

    def close(self) -> None:
        self._producer.close()


class InterruptedLog:
    """A log that ends the processor on it."""

    def __init__(self, log: Log, commits: int, *, after: bool, end: Callable[[], None] = interrupt) -> None:
        """Take the log.

        Args:
            log: stays open.
            commits: the number of the transaction's commit at which the processor ends, from 1.
            after: the transaction is still committed, and what comes behind it is not done.
            end: ends the processor; does not return.
        """
        self._log = log
        self._end = end
        self._countdown = _Countdown(commits)
        self._after = after

    @property
    def name(self) -> str:
        """See `Log`."""
        return self._log.name

    def consumer(self, options: ConsumerOptions) -> Consumer:
        """See `Log`."""
        return self._log.consumer(options)

    def producer(self, options: ProducerOptions) -> Producer:
        """See `Log`; with transactions, the commit may be the last."""
        made = self._log.producer(options)
        if options.transactional_id is None:
            return made
        return _InterruptedProducer(made, self._countdown, self._end, after=self._after)

    def admin(self) -> Admin:
        """See `Log`."""
        return self._log.admin()

    def close(self) -> None:
        """Leave the log open: it is somebody else's."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
