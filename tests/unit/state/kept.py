"""What stays of the tasks of a kernel when it is gone: local stores and changelogs; and what kernels of aggregates are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from headrace._native import LocalStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace._native import Kernel
    from tests.unit.state.aggregate_oracle import Call

LEADING: list[tuple[str, pa.DataType]] = [
    ("_partition", pa.int32()),
    ("_seq", pa.int64()),
    ("_time", pa.int64()),
    ("_op", pa.int8()),
]


def call_specs(calls: Sequence[Call]) -> list[dict[str, Any]]:
    """Give calls as a specification has them."""
    return [
        {
            "function": call.function,
            "arguments": [] if call.column is None else [call.column],
            "distinct": call.distinct,
            "filter": call.filter,
            "limit": call.limit,
            "parameter": call.parameter,
        }
        for call in calls
    ]


def entries(store: LocalStore, name: str) -> dict[bytes | None, bytes | None]:
    keys, values = store.entries(name, None, 1_000_000)
    return dict(zip(keys.to_pylist(), values.to_pylist(), strict=True))


class Kept:
    """The local stores and changelogs of some tasks.

    Args:
        name: of the store.
        partitions: how many tasks there are.
    """

    def __init__(self, name: str, partitions: int) -> None:
        self.name = name
        self.stores = {partition: self._begun() for partition in range(partitions)}
        self.changelog: dict[int, list[tuple[bytes, bytes | None]]] = {number: [] for number in self.stores}

    def open(self, kernel: Kernel) -> None:
        """Let a kernel work on the stores."""
        for partition, store in self.stores.items():
            kernel.open(partition, store)

    def commit(self, kernel: Kernel) -> None:
        """Take the changes of a kernel over; then there are none left."""
        changes = kernel.changes()
        for partition, key, value in zip(
            *(column.to_pylist() for column in changes.columns[:3]), strict=True
        ):
            self.changelog[partition].append((key, value))
        kernel.committed({partition: len(log) for partition, log in self.changelog.items()})
        assert kernel.changes().num_rows == 0

    def restore(self) -> None:
        """Make the stores anew from the changelogs; they must hold the same."""
        for partition, log in self.changelog.items():
            store = self._begun()
            keys, values = [key for key, _ in log], [value for _, value in log]
            store.restore(self.name, pa.array(keys, pa.binary()), pa.array(values, pa.binary()), len(log))
            assert entries(store, self.name) == entries(self.stores[partition], self.name)
            self.stores[partition] = store

    def _begun(self) -> LocalStore:
        store = LocalStore(None)
        store.begin(self.name, "fingerprint")
        return store
