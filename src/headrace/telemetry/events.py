"""Things that happen to a running processor: each one is a log line and a counter, emitted together.

Events never hold values of records or secrets; names of topics, numbers of partitions and reasons only.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from headrace.telemetry.metrics import Metrics

LOGGER = logging.getLogger("headrace")


@dataclass(frozen=True, slots=True)
class Event:
    """The base of all events: `name` is the label of the counter and part of the JSON log line."""

    name: ClassVar[str] = ""
    level: ClassVar[int] = logging.INFO

    def message(self) -> str:
        """Give the text of the log line."""
        raise NotImplementedError

    def emit(self, metrics: Metrics) -> None:
        """Write the line and count the event."""
        metrics.event(self.name)
        facts = {item.name: getattr(self, item.name) for item in fields(self)}
        LOGGER.log(self.level, "%s", self.message(), extra={"event": self.name, "facts": facts})


@dataclass(frozen=True, slots=True)
class ProcessorStarted(Event):
    """All targets are there and the threads begin to read."""

    name: ClassVar[str] = "processor_started"
    application: str
    threads: int
    log: str

    def message(self) -> str:
        """Give the text of the log line."""
        plural = "" if self.threads == 1 else "s"
        return f"processor `{self.application}` runs on {self.log} with {self.threads} thread{plural}"


@dataclass(frozen=True, slots=True)
class ProcessorStopped(Event):
    """All threads have ended and what they did is committed."""

    name: ClassVar[str] = "processor_stopped"
    application: str
    consumed: int
    produced: int
    failed: int

    def message(self) -> str:
        """Give the text of the log line."""
        return (
            f"processor `{self.application}` stopped: {self.consumed} records read, {self.produced} written, "
            f"{self.failed} failed"
        )


@dataclass(frozen=True, slots=True)
class PartitionsAssigned(Event):
    """This process reads more partitions."""

    name: ClassVar[str] = "partitions_assigned"
    partitions: str

    def message(self) -> str:
        """Give the text of the log line."""
        return f"assigned {self.partitions}"


@dataclass(frozen=True, slots=True)
class PartitionsRevoked(Event):
    """Partitions go to another member; what was read of them is committed."""

    name: ClassVar[str] = "partitions_revoked"
    partitions: str

    def message(self) -> str:
        """Give the text of the log line."""
        return f"revoked {self.partitions}"


@dataclass(frozen=True, slots=True)
class PartitionsLost(Event):
    """The group went on without this member; what it had not committed is done again by the new owner."""

    name: ClassVar[str] = "partitions_lost"
    level: ClassVar[int] = logging.WARNING
    partitions: str

    def message(self) -> str:
        """Give the text of the log line."""
        return (
            f"lost {self.partitions}: the group went on without this member, uncommitted work is done again"
        )


@dataclass(frozen=True, slots=True)
class ServiceAway(Event):
    """The broker or the registry cannot be reached; the processor waits."""

    name: ClassVar[str] = "service_away"
    level: ClassVar[int] = logging.WARNING
    service: str

    def message(self) -> str:
        """Give the text of the log line."""
        return f"{self.service} cannot be reached, waiting for it"


@dataclass(frozen=True, slots=True)
class ServiceBack(Event):
    """The broker or the registry is back."""

    name: ClassVar[str] = "service_back"
    service: str
    seconds: float

    def message(self) -> str:
        """Give the text of the log line."""
        return f"{self.service} is back after {self.seconds:.1f} s"


@dataclass(frozen=True, slots=True)
class WorkRepeated(Event):
    """A transaction was aborted; the same records are processed again."""

    name: ClassVar[str] = "work_repeated"
    level: ClassVar[int] = logging.WARNING
    reason: str

    def message(self) -> str:
        """Give the text of the log line."""
        return f"transaction aborted, the same records are processed again: {self.reason}"


@dataclass(frozen=True, slots=True)
class MemberFenced(Event):
    """Another member took over; this thread joins the group anew."""

    name: ClassVar[str] = "member_fenced"
    level: ClassVar[int] = logging.WARNING
    reason: str

    def message(self) -> str:
        """Give the text of the log line."""
        return f"fenced, joining the group anew: {self.reason}"


@dataclass(frozen=True, slots=True)
class RecordsFailed(Event):
    """Records went to the error policy. `records` were alike since the last line; this was the first of them.

    For rows that come out of an operator, its id stands in place of the topic and the offset is -1.
    """

    name: ClassVar[str] = "records_failed"
    level: ClassVar[int] = logging.WARNING
    topic: str
    partition: int
    offset: int
    stage: str
    policy: str
    records: int
    reason: str

    def message(self) -> str:
        """Give the text of the log line."""
        more = f" (and {self.records - 1} more)" if self.records > 1 else ""
        what = {"dlq": "sent to the dead letter topic", "continue": "left out", "fail": "stopping"}[
            self.policy
        ]
        place = f"{self.topic}[{self.partition}]"
        row = f"row of operator {place}" if self.offset < 0 else f"record {place}@{self.offset}"
        return f"{row}{more} failed in {self.stage}, {what}: {self.reason}"


@dataclass(frozen=True, slots=True)
class StateDamaged(Event):
    """Files of local state were damaged; they are made anew from the changelog."""

    name: ClassVar[str] = "state_damaged"
    level: ClassVar[int] = logging.WARNING
    task: str

    def message(self) -> str:
        """Give the text of the log line."""
        return f"local state of task `{self.task}` is damaged, it is rebuilt from the changelog"


@dataclass(frozen=True, slots=True)
class StateStale(Event):
    """A local copy does not go together with its changelog; it is made anew from there."""

    name: ClassVar[str] = "state_stale"
    level: ClassVar[int] = logging.WARNING
    store: str
    partition: int
    reason: str

    def message(self) -> str:
        """Give the text of the log line."""
        return f"local state of `{self.store}`[{self.partition}] is rebuilt from the changelog: {self.reason}"


@dataclass(frozen=True, slots=True)
class StateTakenOver(Event):
    """The state of an earlier version of the program is taken over by this one."""

    name: ClassVar[str] = "state_taken_over"
    level: ClassVar[int] = logging.WARNING
    store: str
    changes: tuple[str, ...]
    consequences: tuple[str, ...]

    def message(self) -> str:
        """Give the text of the log line."""
        done = "is migrated" if self.changes else "goes on"
        return f"state of `{self.store}` {done}: {'; '.join((*self.changes, *self.consequences))}"


@dataclass(frozen=True, slots=True)
class TaskRestored(Event):
    """A task has its state and begins to work."""

    name: ClassVar[str] = "task_restored"
    task: str
    records: int
    seconds: float

    def message(self) -> str:
        """Give the text of the log line."""
        return f"task `{self.task}` is ready: {self.records} changelog records read in {self.seconds:.1f} s"


@dataclass(frozen=True, slots=True)
class TaskRestoring(Event):
    """The state of a task is being read from its changelogs; told now and then while it takes long."""

    name: ClassVar[str] = "task_restoring"
    task: str
    done: int
    total: int

    def message(self) -> str:
        """Give the text of the log line."""
        share = 100 * self.done // max(1, self.total)
        return f"task `{self.task}` reads its changelogs: {self.done} of {self.total} offsets ({share}%)"


@dataclass(frozen=True, slots=True)
class TransactionOpen(Event):
    """Records wait behind a transaction that has been open for long."""

    name: ClassVar[str] = "transaction_open"
    level: ClassVar[int] = logging.WARNING
    topic: str
    partition: int
    offset: int
    seconds: int

    def message(self) -> str:
        """Give the text of the log line."""
        return (
            f"records of `{self.topic}`[{self.partition}] from offset {self.offset} on wait for the end of a transaction, "
            f"for {self.seconds} s now: if its writer is gone and the time-out of its transactions is over, "
            "`kafka-transactions.sh find-hanging` shows it and `abort` ends it"
        )
