"""Reads a store from outside: the copy on this machine, brought up to its changelog, or the changelog alone."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack, closing
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, cast

import pyarrow as pa

from headrace import _native
from headrace.engine.state.changelog import MARK, vanished
from headrace.engine.state.directory import folder_of, state_failed
from headrace.engine.state.kernels import make_kernel
from headrace.engine.state.restore import RestoreJob, Restorer, StoreRestore
from headrace.log.interface import TopicPartition
from headrace.plan.operators import Column, Match
from headrace.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from headrace.engine.state.description import StoreDescription
    from headrace.log.interface import Log

_ENTRIES: Final = 8192
"""Entries decoded at once."""

_LOOK: Final = 0.02
"""Seconds between two looks at whether a copy is complete."""

_NOTHING: Final = pa.array([], pa.binary())


class Allowance(Protocol):
    """How much of a store may be read, and for how long."""

    def spent(self) -> bool:
        """Say whether nothing more may be read."""

    def moved(self) -> None:
        """Note that the copy of the store came nearer to its changelog."""

    def taken(self, records: pa.RecordBatch) -> pa.RecordBatch:
        """Count entries, by `key` and `value`; gives those of them that may be read, from the first on."""


class _Restored(Enum):
    """How the way of a copy to the end of its changelog ended."""

    WHOLE = auto()
    DAMAGED = auto()
    LEFT = auto()
    """Nothing more may be read."""


def columns_of(found: StoreDescription) -> tuple[Column, ...]:
    """Give the columns of decoded entries by the names that the program has for them."""
    operator = found.operator
    plain = [column.name for column in operator.columns]
    labels = dict(zip(plain, operator.labels or plain, strict=True))
    if isinstance(operator.kernel, Match):
        # It keeps the rows that go in, not what comes out.
        feed = operator.kernel.feed
        labels |= dict(zip((column.name for column in feed.columns), feed.labels, strict=True))
    seen: set[str] = set()
    columns = []
    for field in make_kernel(operator).decode(_NOTHING, _NOTHING).schema:
        name = labels.get(field.name, field.name)
        if name.lower() in seen:
            name = f"{name}_{field.name}"
        seen.add(name.lower())
        columns.append(Column(name, field.type))
    return tuple(columns)


def read_store(
    log: Log,
    properties: Mapping[str, str],
    home: Path,
    found: StoreDescription,
    allowance: Allowance | None = None,
) -> Generator[pa.RecordBatch]:
    """Give the rows of a store as it is now, in the columns of `columns_of`; the names are the kernel's.

    The copy of a processor that does not run is used, and the end of the changelog is read into it. Where a processor has it
    open, or there is none, the changelog is read into a copy that goes again.

    Args:
        log: where the changelog is.
        properties: of the consumers.
        home: folder of the application's state.
        found: what the store holds.
        allowance: asked before each read, those of the changelog too; once it is spent the store seems to end.

    Raises:
        RunError: the changelog was deleted, or is of another program; the log or the disk fails.
    """
    store = found.operator.store
    with closing(log.admin()) as admin:
        there = admin.describe(store.changelog.name)
    if there is None:
        raise vanished(store.name, store.changelog.name)
    kernel = make_kernel(found.operator)
    restorer = Restorer(log, properties, Metrics(), announces=False)
    with closing(restorer):
        for number in range(there.partitions):
            with ExitStack() as opened:
                if allowance is not None and allowance.spent():
                    return
                local = _current(opened, restorer, home, found, number, allowance)
                if local is None:
                    return
                for keys, values in _allowed(_entries(local, store.name), allowance):
                    yield kernel.decode(keys, values, local)


def _current(
    opened: ExitStack,
    restorer: Restorer,
    home: Path,
    found: StoreDescription,
    number: int,
    allowance: Allowance | None,
) -> _native.LocalStore | None:
    """Give one partition of a store, with everything that its changelog holds; None if it may not be read so far."""
    local = _own_copy(folder_of(home, f"{found.group}_{number}"), found)
    if local is not None:
        opened.callback(local.close)
        restored = _restore(restorer, local, found, number, allowance)
        if restored is not _Restored.DAMAGED:
            return local if restored is _Restored.WHOLE else None
    folder = opened.enter_context(tempfile.TemporaryDirectory(prefix="headrace-state-"))
    local = _native.LocalStore(Path(folder) / "store")
    opened.callback(local.close)
    restored = _restore(restorer, local, found, number, allowance)
    if restored is _Restored.DAMAGED:
        raise state_failed(RuntimeError("a copy that was just made is damaged"))
    return local if restored is _Restored.WHOLE else None


def _restore(
    restorer: Restorer,
    local: _native.LocalStore,
    found: StoreDescription,
    number: int,
    allowance: Allowance | None,
) -> _Restored:
    """Read what the changelog has beyond a copy."""
    store = found.operator.store
    stores = [StoreRestore(found.operator, TopicPartition(store.changelog.name, number))]
    job = RestoreJob(f"{found.group}_{number}", local, stores, time.monotonic())
    restorer.begin([job])
    position = -1
    while not job.finished:
        time.sleep(_LOOK)
        if allowance is None:
            continue
        before, position = position, stores[0].position
        if position != before:
            allowance.moved()
        if allowance.spent():
            restorer.cancel(job)
    if job.error is not None:
        raise job.error
    if job.cancelled:
        return _Restored.LEFT
    return _Restored.DAMAGED if job.damaged else _Restored.WHOLE


def _own_copy(path: Path, found: StoreDescription) -> _native.LocalStore | None:
    """Open the copy that a processor left here; None if there is none of use, or a processor has it open."""
    if not path.is_dir():
        return None
    store = found.operator.store
    try:
        local = _native.LocalStore(path)
    except (_native.LockedStateError, _native.DamagedStateError):
        return None
    except (OSError, RuntimeError) as error:
        raise state_failed(error) from error
    if local.fingerprint(store.name) == store.fingerprint and local.position(store.name) is not None:
        return local
    local.close()
    return None


def _allowed(
    entries: Iterator[tuple[pa.BinaryArray, pa.BinaryArray]], allowance: Allowance | None
) -> Iterator[tuple[pa.BinaryArray, pa.BinaryArray]]:
    """Give the entries that may be read."""
    for keys, values in entries:
        if allowance is None:
            yield keys, values
            continue
        if allowance.spent():
            return
        taken = allowance.taken(pa.RecordBatch.from_arrays([keys, values], names=["key", "value"]))
        yield cast("pa.BinaryArray", taken.column("key")), cast("pa.BinaryArray", taken.column("value"))


def _entries(local: _native.LocalStore, store: str) -> Iterator[tuple[pa.BinaryArray, pa.BinaryArray]]:
    after: bytes | None = None
    while True:
        keys, values = local.entries(store, after, _ENTRIES)
        if not len(keys):
            return
        after = keys[-1].as_py()
        if after < MARK:
            yield keys, values
            continue
        # Marks stand behind all entries.
        count = sum(key.as_py() < MARK for key in keys)
        yield keys[:count], values[:count]
        return
