"""What the caller of a processor decides, apart from the program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from headrace.engine.clock import MACHINE, Clock

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class ProcessorOptions:
    """How to run a topology.

    Args:
        application: application id: the consumer group, and the first part of transactional ids.
        instance: name of this process among those of the application, stable over restarts (a pod's name): gives
            static membership and stable transactional ids. None: a dynamic member.
        until_end: stop when the present end of all inputs (at start) is processed and committed.
        batch_records: most records of one poll. Larger batches cost less a record, more memory and latency.
        in_flight_records: commit before the interval is over when this many records were read since the last one.
        lag_interval: seconds between two looks at the ends of the inputs, for the lag metric; 0 never looks.
        state_dir: folder of local state, of all applications; None keeps it in memory: each start reads the changelogs.
        discard_state: stores whose state is given up at the start.
        standby_interval: seconds between two rounds in which copies of other processes' state are brought up to date.
        clock: what PROCTIME() is.
        patience: seconds to wait at the end for a log that is away, before giving up what is not committed.
    """

    application: str
    instance: str | None = None
    until_end: bool = False
    batch_records: int = 16_384
    in_flight_records: int = 1_000_000
    lag_interval: float = 3.0
    state_dir: Path | None = None
    discard_state: frozenset[str] = frozenset()
    standby_interval: float = 2.0
    clock: Clock = MACHINE
    patience: float = 30.0
