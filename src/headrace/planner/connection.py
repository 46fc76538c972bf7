"""The one way to open DuckDB: for the planner's types, the engine's batches and snapshot queries alike."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Final

import duckdb

if TYPE_CHECKING:
    from collections.abc import Callable

_CONFIG: Final[dict[str, str | bool | int | float | list[str]]] = {
    # One thread a connection: the engine has its own threads, and rows must stay in input order.
    "threads": 1,
    "preserve_insertion_order": True,
    # User SQL may not reach files, the network, or Python variables of the process.
    "enable_external_access": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "python_enable_replacements": False,
}


def _open() -> duckdb.DuckDBPyConnection:
    opened = duckdb.connect(config=_CONFIG)
    opened.execute("SET GLOBAL TimeZone = 'UTC'")
    opened.execute("SET lock_configuration = true")
    return opened


class Database:
    """A DuckDB database in memory, opened at its first use: that costs 20 ms, a connection to it next to nothing."""

    def __init__(self, open_database: Callable[[], duckdb.DuckDBPyConnection]) -> None:
        self.open = open_database
        self._lock = threading.Lock()
        self._root: duckdb.DuckDBPyConnection | None = None

    def connect(self) -> duckdb.DuckDBPyConnection:
        """Give a connection of its own to whoever asks; to a new database if the last one has failed."""
        with self._lock:
            # A fork may begin meanwhile, in another thread.
            root = self._root
            if root is not None:
                connection = root.cursor()
                try:
                    connection.execute("SELECT 1").fetchall()
                except duckdb.FatalException:
                    connection.close()
                else:
                    return connection
            self._root = root = self.open()
            return root.cursor()

    def leave(self) -> None:
        """Open a new database next time. The present one lives on as long as it has connections."""
        self._root = None


_DATABASE: Final = Database(_open)
# The threads of a database are not in a forked process, which would crash at its end.
os.register_at_fork(before=_DATABASE.leave)


def connection() -> duckdb.DuckDBPyConnection:
    """Connect to the process's in-memory DuckDB: one thread, UTC, no way to files or the network.

    The caller closes it. A connection belongs to one thread. What it makes must be TEMP: anything else would be seen by all
    other connections. It has none of the functions' macros yet: plans carry the statements for those that they call, since
    all of them together would cost a tenth of a second.
    """
    return _DATABASE.connect()


def connection_alone() -> duckdb.DuckDBPyConnection:
    """Connect to a DuckDB of its own, for user functions: in the common one they would be seen, and outlived, by others."""
    return _open()
