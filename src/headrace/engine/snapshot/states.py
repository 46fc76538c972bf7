"""The state of processors as tables of a snapshot query."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pyarrow as pa

from headrace.engine.state.description import StoreDescription, described_stores, read_description
from headrace.engine.state.directory import home_of
from headrace.engine.state.reading import columns_of, read_store

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

    from headrace.engine.snapshot.limits import Budget
    from headrace.log.interface import Log
    from headrace.plan.operators import Column
    from headrace.plan.snapshot import StateScan


class LocalStates:
    """The stores that this machine knows of; what plans of snapshot queries name by `STATE('application', 'store')`."""

    def __init__(self, root: Path | None, log: Log) -> None:
        """Name the place; nothing is touched.

        Args:
            root: folder of local state of all applications; None if there is none.
            log: where the changelogs are.
        """
        self._root = root
        self.log = log
        self._identity: str | None = None

    @property
    def root(self) -> Path | None:
        """Folder of local state of all applications."""
        return self._root

    def stores(self, application: str) -> list[str]:
        """Give the names of an application's stores."""
        home = self.home(application)
        return [] if home is None else described_stores(home)

    def columns(self, application: str, store: str) -> tuple[Column, ...] | None:
        """Give the columns of a store as a table; None if nothing is known of it.

        Raises:
            RunError: the disk refuses.
        """
        found = self.describe(application, store)
        return None if found is None else columns_of(found)

    def describe(self, application: str, store: str) -> StoreDescription | None:
        """Give what a store holds; None if nothing is known of it."""
        home = self.home(application)
        return None if home is None else read_description(home, store)

    def home(self, application: str) -> Path | None:
        """Give the folder of an application."""
        if self._root is None:
            return None
        if self._identity is None:
            with closing(self.log.admin()) as admin:
                self._identity = admin.identity()
        return home_of(self._root, application, self._identity)


class StatePass:
    """One pass over a store as it is now; belongs to one thread."""

    failed = 0
    """As of a scan of a topic: there is nothing that cannot be decoded."""

    def __init__(
        self,
        scan: StateScan,
        states: LocalStates,
        properties: Mapping[str, str],
        budget: Budget | None = None,
    ) -> None:
        """Take what to read; nothing is opened before the first batch is asked for.

        Args:
            scan: names the store.
            states: of this machine.
            properties: of the consumers.
            budget: what may be read, in entries of the store; None is everything.
        """
        self.schema = pa.schema([pa.field(f"c{index}", item.type) for index, item in enumerate(scan.columns)])
        self._scan = scan
        self._states = states
        self._properties = properties
        self._budget = budget
        self.read = 0
        """Rows read."""

    def batches(self) -> Generator[pa.RecordBatch]:
        """Give the rows. Closing the iterator ends the pass.

        Raises:
            RunError: the changelog was deleted, or is of another program; the log or the disk fails.
        """
        scan, states = self._scan, self._states
        home, found = states.home(scan.application), states.describe(scan.application, scan.store)
        assert home is not None
        assert found is not None
        for rows in read_store(states.log, self._properties, home, found, self._budget):
            self.read += rows.num_rows
            if rows.num_rows:
                yield pa.RecordBatch.from_arrays(rows.columns, schema=self.schema)
