"""The errors that end a run because of a record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace.errors import Diagnostic, RunError
from headrace.errors.codes.run import DEAD_LETTER_REFUSED, RECORD_FAILED

if TYPE_CHECKING:
    from headrace.engine.delivery import Undelivered
    from headrace.engine.transform import FailedRecord


def record_failed(record: FailedRecord) -> RunError:
    """Say which record stopped the run and why, without its data."""
    place = f"{record.partition.topic}[{record.partition.partition}]@{record.offset}"
    return RunError(
        (
            Diagnostic(
                RECORD_FAILED,
                f"record {place} failed in {record.fault.stage.value}: {record.fault.reason}",
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
