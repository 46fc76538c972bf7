"""Reads a changelog in the form that this program has, whatever earlier versions of it have written there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

import pyarrow as pa

from headrace.engine.state.changelog import (
    MARK,
    Mark,
    foreign,
    next_mark,
    read_mark,
    segments,
    taken_over,
)
from headrace.engine.state.migration import make_migration
from headrace.engine.state.ownership import from_mark, inputs_from_mark

if TYPE_CHECKING:
    from headrace import _native
    from headrace.plan.evolution import Evolution
    from headrace.plan.operators import Operator

_MOST_MARKS: Final = 1000
"""More versions than a program ever has."""


@dataclass(frozen=True, slots=True)
class Entries:
    """What goes into a local store.

    Args:
        keys, values: of entries of this program, and of marks.
        count: records that they come from.
    """

    keys: pa.BinaryArray
    values: pa.BinaryArray
    count: int


class History:
    """The marks of one partition of a changelog, as far as it was read."""

    def __init__(self, operator: Operator, topic: str) -> None:
        """Begin before the first record.

        Args:
            operator: the plan of this program.
            topic: the changelog, for messages.
        """
        self._operator = operator
        self._where = f"changelog topic `{topic}`"
        self._marks: list[Mark] = []
        self._migrations: dict[str, _native.Migration | None] = {operator.store.fingerprint: None}
        self.missing: Mark | None = None
        """What must be written before the first entry of this program; None if it stands there. Known after `settle`."""

    def known(self, marks: list[Mark]) -> None:
        """Take over what a local copy in the form of this program knows of the part that has been read into it."""
        self._marks = marks or [Mark(self._operator.store.fingerprint, self._operator)]

    def read(self, records: pa.RecordBatch) -> Entries:
        """Read records of the changelog.

        Raises:
            RunError: they are of a program whose state is of no use for this one.
        """
        if records.column("key").null_count:
            raise foreign(self._operator.store.name, self._where)
        parts: list[tuple[pa.BinaryArray, pa.BinaryArray]] = []
        for item in segments(records):
            if isinstance(item, Mark):
                self._migration(item)
                self._marks.append(item)
                parts.append((pa.array([item.key], pa.binary()), pa.array([item.value], pa.binary())))
                continue
            if not self._marks:
                raise foreign(self._operator.store.name, self._where)
            keys, values = (cast("pa.BinaryArray", item.column(name)) for name in ("key", "value"))
            migration = self._migration(self._marks[-1])
            parts.append((keys, values) if migration is None else migration.convert(keys, values))
        if len(parts) == 1:
            return Entries(*parts[0], records.num_rows)
        keys, values = (pa.concat_arrays([part[side] for part in parts]) for side in (0, 1))
        return Entries(keys, values, records.num_rows)

    def settle(self) -> Evolution | None:
        """Say, at the end, whether this program takes the state of an earlier version over, and what becomes of it.

        Raises:
            RunError: what stands last is of no use for this program, or of a later version of it.
        """
        store = self._operator.store
        if not self._marks:
            self.missing = next_mark(self._operator, 0)
            return None
        last = self._marks[-1]
        if last.fingerprint == store.fingerprint:
            return self._other_rows(last)
        found = verdict_on(self._marks, self._operator)
        if found is None:
            raise taken_over(store.name, self._where)
        if found.obstacles:
            raise foreign(store.name, self._where, found.obstacles)
        self.missing = next_mark(self._operator, len(self._marks))
        return found

    def _other_rows(self, last: Mark) -> Evolution | None:
        """Say whether other rows go into the same state than did before; a mark tells the next start of it."""
        self.missing = None
        store = self._operator.store
        found = inputs_from_mark(last, self._operator)
        if found.obstacles:
            raise foreign(store.name, self._where, found.obstacles)
        if not found.consequences:
            return None
        self.missing = next_mark(self._operator, len(self._marks))
        return found

    def _migration(self, mark: Mark) -> _native.Migration | None:
        """Give what makes entries of this program of those behind a mark; None if they are such."""
        if mark.fingerprint not in self._migrations:
            found = from_mark(mark, self._operator)
            if mark.operator is None or not found.is_readable:
                raise foreign(self._operator.store.name, self._where, found.obstacles)
            self._migrations[mark.fingerprint] = make_migration(mark.operator, self._operator, found.calls)
        return self._migrations[mark.fingerprint]


def verdict_on(marks: list[Mark], operator: Operator) -> Evolution | None:
    """Say what is between the last of these marks and an operator; None if the state was taken over from this operator.

    Args:
        marks: of one partition, at least one; the last is not of the operator.
        operator: of this program.
    """
    if any(mark.fingerprint == operator.store.fingerprint for mark in marks):
        return None
    return from_mark(marks[-1], operator)


def stored_marks(local: _native.LocalStore, store: str) -> list[Mark]:
    """Give the marks of the part of a changelog that has been read into a local store, in order."""
    keys, values = local.entries(store, MARK[:-1], _MOST_MARKS)
    found = [
        (key.as_py(), value.as_py())
        for key, value in zip(keys, values, strict=True)
        if key.as_py().startswith(MARK)
    ]
    found.sort(key=lambda entry: int(entry[0][len(MARK) :] or b"0"))
    return [read_mark(*entry) for entry in found]
