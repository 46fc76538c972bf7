"""Records that could not be processed: what is known about one, and how the bad rows of a batch are found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa

    from headrace.plan.topology import ErrorPolicy, RunSettings


class Stage(StrEnum):
    """Where a record failed."""

    DECODE_KEY = "decode.key"
    DECODE_VALUE = "decode.value"
    COMPUTE = "compute"
    ENCODE_KEY = "encode.key"
    ENCODE_VALUE = "encode.value"
    DELIVER = "deliver"

    def policy(self, settings: RunSettings) -> ErrorPolicy:
        """Give the policy of the side this stage belongs to: reading ends where the output row stands."""
        reading = self in (Stage.DECODE_KEY, Stage.DECODE_VALUE, Stage.COMPUTE)
        return settings.on_read_error if reading else settings.on_write_error


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a record failed; never holds data of the record."""

    stage: Stage
    reason: str


Result = TypeVar("Result")


def isolate(
    run: Callable[[pa.RecordBatch], Result],
    batch: pa.RecordBatch,
    failures: tuple[type[Exception], ...],
    on_fault: Callable[[int, Exception], None],
) -> Iterator[Result]:
    """Run over the whole batch or, if that fails, over halves of it down to the single rows that fail.

    Args:
        run: works on any slice of the batch.
        batch: n rows.
        failures: exceptions that one row can cause.
        on_fault: called with the row number in the batch and the exception, for each row that fails alone.

    Yields:
        The results of the slices that succeed, in row order.
    """
    pending = [(0, batch.num_rows)]
    while pending:
        start, length = pending.pop()
        try:
            result = run(batch.slice(start, length) if length < batch.num_rows else batch)
        except failures as error:
            if length == 1:
                on_fault(start, error)
                continue
            half = length // 2
            pending += [(start + half, length - half), (start, half)]
            continue
        yield result
