"""What a changelog topic says about itself: the fingerprint of the store that it belongs to, as one of its records."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headrace.errors import Diagnostic, RunError
from headrace.errors.codes.run import STATE_OF_OTHERS

if TYPE_CHECKING:
    from collections.abc import Sequence

MARK: Final = b"\xffheadrace:fingerprint\xff"
"""Key of the record that holds the fingerprint, in each partition: no text, and no key that a kernel writes."""


def marks(partitions: Sequence[int], fingerprint: str) -> pa.RecordBatch:
    """Give the records that say whose these partitions of a changelog are."""
    count = len(partitions)
    return pa.RecordBatch.from_arrays(
        [
            pa.array(partitions, pa.int32()),
            pa.array([MARK] * count, pa.binary()),
            pa.array([fingerprint.encode()] * count, pa.binary()),
        ],
        names=["partition", "key", "value"],
    )


def split_marks(records: pa.RecordBatch) -> tuple[pa.RecordBatch, list[str]]:
    """Give the entries among records of a changelog, and the fingerprints."""
    found: Any = pc.equal(records.column("key"), pa.scalar(MARK, pa.binary())).fill_null(False)
    if not pc.any(found).as_py():
        return records, []
    values: pa.Array[Any] = records.column("value").filter(found)
    return records.filter(pc.invert(found)), [
        value.as_py().decode("utf-8", "replace") for value in values.drop_null()
    ]


def by_partition(records: pa.RecordBatch) -> list[tuple[int, pa.RecordBatch]]:
    """Split records by partition, in order."""
    numbers = records.column("partition").to_numpy()
    if (numbers == numbers[0]).all():
        return [(int(numbers[0]), records)]
    order = np.argsort(numbers, kind="stable")
    ordered, numbers = records.take(pa.array(order, pa.int64())), numbers[order]
    starts = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(numbers)]
    return [(int(numbers[start]), ordered.slice(start, end - start)) for start, end in pairwise(starts)]


def foreign(store: str, where: str) -> RunError:
    """Say that stored state was written by a program that meant something else by it."""
    message = f"{where} holds the state of `{store}` of another program, or of this one before it was changed"
    way_out = f"run it under a new application id, or give that state up with `--discard-state={store}`"
    return RunError((Diagnostic(STATE_OF_OTHERS, message, help=way_out),))


def vanished(store: str, topic: str) -> RunError:
    """Say that a changelog is empty although there is local state that was written to it."""
    message = (
        f"changelog topic `{topic}` is empty, and the local state of `{store}` is not: the topic was deleted"
    )
    way_out = f"run it under a new application id, or give the state up with `--discard-state={store}`"
    return RunError((Diagnostic(STATE_OF_OTHERS, message, help=way_out),))


def cut_off(store: str, topic: str) -> RunError:
    """Say that a changelog has lost its beginning, and with it state that no local copy has."""
    message = f"changelog topic `{topic}` has lost its beginning: what it held of `{store}` was deleted, by hand or by age"
    way_out = (
        f"bring back local state that is newer, or give the state up with `--discard-state={store}`; "
        "the topic needs `cleanup.policy` compact"
    )
    return RunError((Diagnostic(STATE_OF_OTHERS, message, help=way_out),))
