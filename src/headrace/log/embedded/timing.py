"""How long the embedded log waits for what."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

from headrace.errors import Diagnostic, ProgramError
from headrace.errors.codes import log as codes

Clock = Callable[[], int]
"""Gives the time in milliseconds since the epoch."""


def wall_clock_ms() -> int:
    """Give the time of this machine."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Timing:
    """Bounds in milliseconds; the names of the properties are Kafka's where Kafka has them.

    Args:
        session_ms: `session.timeout.ms`: a member that is silent for so long has lost its partitions. Shorter
            than Kafka's, since no network is between.
        poll_ms: `max.poll.interval.ms`: heartbeats go on without `poll` for so long, then the member counts
            as stuck.
        lock_ms: `lock.timeout.ms`: how long to wait while another process writes.
    """

    session_ms: int = 10_000
    poll_ms: int = 300_000
    lock_ms: int = 30_000

    @property
    def beat_ms(self) -> int:
        """How often a member says that it lives: two beats may be missed."""
        return max(self.session_ms // 3, 1)

    def with_properties(self, properties: Mapping[str, str]) -> Self:
        """Give these bounds changed by the properties that are named above.

        Others are Kafka's and mean nothing here.
        """
        return type(self)(
            session_ms=_milliseconds(properties, "session.timeout.ms", self.session_ms),
            poll_ms=_milliseconds(properties, "max.poll.interval.ms", self.poll_ms),
            lock_ms=_milliseconds(properties, "lock.timeout.ms", self.lock_ms),
        )


def _milliseconds(properties: Mapping[str, str], name: str, default: int) -> int:
    text = properties.get(name)
    if text is None:
        return default
    if not text.isdecimal() or int(text) == 0:
        raise ProgramError(
            (
                Diagnostic(
                    codes.BAD_PROPERTY, f"`{name}` is a number of milliseconds", help="for example `10000`"
                ),
            )
        )
    return int(text)
