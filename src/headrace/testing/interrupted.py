"""A log on which a processor ends in the middle, at a commit, and leaves what a kill leaves: nothing more is written."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from headrace.log.passing import PassingLog, PassingProducer

if TYPE_CHECKING:
    from collections.abc import Callable

    from headrace.log.interface import (
        Consumer,
        Log,
        Offsets,
        Producer,
        ProducerOptions,
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


class _InterruptedProducer(PassingProducer):
    """A producer whose commit may be the last."""

    def __init__(
        self, producer: Producer, countdown: _Countdown, end: Callable[[], None], *, after: bool
    ) -> None:
        super().__init__(producer)
        self._end = end
        self._countdown = countdown
        self._after = after
        self._dead = False

    def commit(self, offsets: Offsets, consumer: Consumer) -> None:
        """Commit, unless this is the one."""
        over = self._dead or self._countdown.over()
        if over and self._after and not self._dead:
            super().commit(offsets, consumer)
        self._dead = self._dead or over
        if over:
            self._end()
        super().commit(offsets, consumer)


class InterruptedLog(PassingLog):
    """A log that ends the processor on it."""

    def __init__(self, log: Log, commits: int, *, after: bool, end: Callable[[], None] = interrupt) -> None:
        """Take the log.

        Args:
            log: stays open.
            commits: the number of the transaction's commit at which the processor ends, from 1.
            after: the transaction is still committed, and what comes behind it is not done.
            end: ends the processor; does not return.
        """
        super().__init__(log)
        self._end = end
        self._countdown = _Countdown(commits)
        self._after = after

    def producer(self, options: ProducerOptions) -> Producer:
        """See `Log`; with transactions, the commit may be the last."""
        made = super().producer(options)
        if options.transactional_id is None:
            return made
        return _InterruptedProducer(made, self._countdown, self._end, after=self._after)
