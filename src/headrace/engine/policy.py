"""What becomes of records that failed: left out, sent to the dead letter topic, or the end of the run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from headrace.engine.deadletter import dead_letters
from headrace.engine.pipeline import Output
from headrace.errors import Diagnostic, RunError
from headrace.errors.codes.run import DEAD_LETTER_REFUSED, RECORD_FAILED, ROW_FAILED, STATE_REFUSED
from headrace.log.interface import TopicPartition
from headrace.plan.topology import ErrorPolicy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headrace.engine.delivery import Undelivered
    from headrace.engine.faults import Fault, Stage
    from headrace.plan.topology import RunSettings


@dataclass(frozen=True, slots=True)
class FailedRecord:
    """A record with its place, its fault and the policy that applies; it stands for others that failed like it.

    Args:
        partition: with an operator's id in place of the topic for a row of its output.
        offset: -1 for a row of an operator.
        records: how many failed in the same stage of the same batch, with this one, the first of them.
    """

    partition: TopicPartition
    offset: int
    fault: Fault
    policy: ErrorPolicy
    records: int = 1


@dataclass(frozen=True, slots=True)
class Judged:
    """What is to be done about the faults of a batch.

    Args:
        stops: rows whose policy is to end the run, ascending; nothing else is said then but the first of them.
        failed: one for all of a stage; with stops the first record that ends the run.
        letters: for the dead letter topic.
    """

    stops: Sequence[int] = ()
    failed: Sequence[FailedRecord] = ()
    letters: Output | None = None


class Policies:
    """The error policies of a program."""

    def __init__(self, settings: RunSettings, application: str) -> None:
        self._settings = settings
        self._application = application

    def of(self, stage: Stage) -> ErrorPolicy:
        """Give the policy for failures in this stage."""
        return stage.policy(self._settings)

    def judge(self, records: pa.RecordBatch, faults: Mapping[int, Fault]) -> Judged:
        """Decide about the faults of n records of one topic, given by row."""
        if not faults:
            return Judged()
        by_stage: dict[Stage, list[int]] = {}
        for row in sorted(faults):
            by_stage.setdefault(faults[row].stage, []).append(row)
        policies = {stage: self.of(stage) for stage in by_stage}
        stops = sorted(
            row for stage in by_stage if policies[stage] is ErrorPolicy.FAIL for row in by_stage[stage]
        )
        if stops:
            return Judged(stops, (self.failed(records, stops[0], faults[stops[0]]),))
        failed = [self.failed(records, rows[0], faults[rows[0]], len(rows)) for rows in by_stage.values()]
        dead = sorted(
            row for stage in by_stage if policies[stage] is ErrorPolicy.DLQ for row in by_stage[stage]
        )
        letters = self.letters(records, {row: faults[row] for row in dead}) if dead else None
        return Judged((), failed, letters)

    def failed(self, records: pa.RecordBatch, row: int, fault: Fault, count: int = 1) -> FailedRecord:
        """Give the place of one record of a batch with its fault."""
        topic = records.column("topic")[row].as_py()
        partition = TopicPartition(topic, records.column("partition")[row].as_py())
        offset = records.column("offset")[row].as_py()
        return FailedRecord(partition, offset, fault, self.of(fault.stage), count)

    def letters(self, records: pa.RecordBatch, faults: Mapping[int, Fault]) -> Output:
        """Give the dead letters of these rows."""
        topic = self._settings.dead_letter_topic
        assert topic is not None
        return Output(topic, dead_letters(records, faults, self._application), pa.array(faults, pa.int32()))


def record_failed(record: FailedRecord) -> RunError:
    """Say which record stopped the run and why, without its data."""
    place = f"{record.partition.topic}[{record.partition.partition}]"
    failure = f"failed in {record.fault.stage.value}: {record.fault.reason}"
    if record.offset < 0:
        return RunError(
            (
                Diagnostic(
                    ROW_FAILED,
                    f"a row of operator {place} {failure}",
                    notes=("what was done since the last commit is undone; a restart does it again",),
                    help="`SET error.policy='continue';` leaves such rows out",
                ),
            )
        )
    return RunError(
        (
            Diagnostic(
                RECORD_FAILED,
                f"record {place}@{record.offset} {failure}",
                notes=(
                    "everything before it is processed and committed; a restart meets the same record again",
                    "`SET error.policy='continue';` leaves such records out, `'dlq'` keeps them in a topic",
                ),
            ),
        )
    )


def dead_letter_refused(letter: Undelivered) -> RunError:
    """Say that a failed record could not be put into the dead letter topic."""
    place = f"{letter.partition.topic}[{letter.partition.partition}]@{letter.offset}"
    return RunError(
        (
            Diagnostic(
                DEAD_LETTER_REFUSED,
                f"dead letter topic `{letter.topic}` refused record {place}: {letter.reason}",
                help="raise `max.message.bytes` of the dead letter topic, or choose another error policy",
            ),
        )
    )


def changelog_refused(entry: Undelivered) -> RunError:
    """Say that the state of a key could not be written to its changelog."""
    return RunError(
        (
            Diagnostic(
                STATE_REFUSED,
                f"changelog topic `{entry.topic}` refused an entry of store `{entry.partition.topic}`: {entry.reason}",
                help="raise `max.message.bytes` of the changelog topic, or bound the state of a key",
            ),
        )
    )
