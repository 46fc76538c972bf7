"""What a changelog topic says about itself: whose state it is, and where a later version of the program took over.

A mark is a record among the entries, under a key that no kernel writes. The first one stands before all entries. Where a
program takes over the state of an earlier version of itself it writes another one; entries before it are of the old version
and those behind it of the new one. Compaction keeps all marks and their places, since each has a key of its own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from headrace.errors import Diagnostic, RunError
from headrace.errors.codes.run import STATE_OF_OTHERS
from headrace.plan.layouts import state_layout
from headrace.plan.operators_json import operator_data, operator_from

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from headrace.plan.operators import Operator

MARK: Final = b"\xffheadrace:fingerprint\xff"
"""What the keys of marks begin with: no text, and no key of a kernel does. The first mark has this key, later ones a number
behind it."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Whose the entries behind it are.

    Args:
        fingerprint: of the store.
        operator: whose state it is; None if that is not known.
        key: of its record.
    """

    fingerprint: str
    operator: Operator | None
    key: bytes = MARK

    @property
    def value(self) -> bytes:
        """The value of its record."""
        data: dict[str, Any] = {"fingerprint": self.fingerprint}
        if self.operator is not None:
            data |= {"layout": _layout(self.operator), "operator": operator_data(self.operator)}
        return json.dumps(data, ensure_ascii=False).encode()


def _layout(operator: Operator) -> int:
    return state_layout(operator.kernel)


def next_mark(operator: Operator, number: int) -> Mark:
    """Give the mark of an operator that has so many before it."""
    key = MARK if number == 0 else MARK + str(number).encode()
    return Mark(operator.store.fingerprint, operator, key)


def read_mark(key: bytes, value: bytes) -> Mark:
    """Read a mark back."""
    text = value.decode("utf-8", "replace")
    try:
        data = json.loads(text)
        operator = operator_from(data["operator"])
        return Mark(data["fingerprint"], operator if data["layout"] == _layout(operator) else None, key)
    except (ValueError, KeyError, TypeError):
        # Of a release that describes operators in another way: whose it is can be told, and not what it is.
        return Mark(_fingerprint_in(text), None, key)


def _fingerprint_in(text: str) -> str:
    try:
        return str(json.loads(text)["fingerprint"])
    except (ValueError, KeyError, TypeError):
        return text


def mark_records(marks: Mapping[int, Mark]) -> pa.RecordBatch:
    """Give the records of marks by partition."""
    return pa.RecordBatch.from_arrays(
        [
            pa.array(list(marks), pa.int32()),
            pa.array([mark.key for mark in marks.values()], pa.binary()),
            pa.array([mark.value for mark in marks.values()], pa.binary()),
        ],
        names=["partition", "key", "value"],
    )


def segments(records: pa.RecordBatch) -> Iterator[pa.RecordBatch | Mark]:
    """Give the entries among records of a changelog and the marks between them, in order."""
    places = _places_of_marks(records)
    start = 0
    for place in places:
        if place > start:
            yield records.slice(start, place - start)
        key, value = (records.column(name)[place].as_py() for name in ("key", "value"))
        if value is not None:
            yield read_mark(key, value)
        start = place + 1
    if start < records.num_rows:
        yield records.slice(start)


def marks_in(records: pa.RecordBatch) -> list[Mark]:
    """Give the marks among records, in order."""
    if not len(_places_of_marks(records)):
        return []
    return [item for item in segments(records) if isinstance(item, Mark)]


def _places_of_marks(records: pa.RecordBatch) -> list[int]:
    keys: Any = records.column("key")
    found: Any = pc.starts_with(keys, cast("str", MARK)).fill_null(False)
    return [] if not pc.any(found).as_py() else np.flatnonzero(found.to_numpy(zero_copy_only=False)).tolist()


def by_partition(records: pa.RecordBatch) -> list[tuple[int, pa.RecordBatch]]:
    """Split records by partition, in order. The parts share no memory: one of them keeps nothing of another."""
    numbers = records.column("partition").to_numpy()
    if (numbers == numbers[0]).all():
        return [(int(numbers[0]), records)]
    order = np.argsort(numbers, kind="stable")
    numbers = numbers[order]
    starts = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(numbers)]
    return [
        (int(numbers[start]), records.take(pa.array(order[start:end], pa.int64())))
        for start, end in pairwise(starts)
    ]


def foreign(store: str, where: str, obstacles: Sequence[str] = ()) -> RunError:
    """Say that stored state was written by a program that meant something else by it.

    Args:
        store: its name.
        where: the state is.
        obstacles: what the other program had in another way, if that is known.
    """
    message = f"{where} holds the state of `{store}` of another program, or of this one before it was changed"
    if obstacles:
        message += f": {'; '.join(obstacles)}"
    way_out = f"run it under a new application id, or give that state up with `--discard-state={store}`"
    return RunError((Diagnostic(STATE_OF_OTHERS, message, help=way_out),))


def taken_over(store: str, where: str) -> RunError:
    """Say that a later version of the program has taken the state over: this one must not change it back."""
    message = f"{where} holds the state of `{store}` of a later version of this program, which took it over"
    way_out = f"run the later version, or this one under a new application id; `--discard-state={store}` gives the state up"
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
