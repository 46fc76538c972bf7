"""The one way to open DuckDB: for the planner's types, the engine's batches and snapshot queries alike."""

from __future__ import annotations

import duckdb

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    # One thread a connection: the engine has its own threads, and rows must stay in input order.
    "threads": 1,
    "preserve_insertion_order": True,
    # User SQL may not reach files, the network, or Python variables of the process.
    "enable_external_access": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "python_enable_replacements": False,
}


def connection() -> duckdb.DuckDBPyConnection:
    """Open an in-memory DuckDB: one thread, UTC, no way to files or the network.

    The caller closes it. A connection belongs to one thread. It has none of the functions' macros yet: plans carry the
    statements for those that they call, since all of them together would cost a tenth of a second.
    """
    opened = duckdb.connect(config=_CONFIG)
    opened.execute("SET TimeZone = 'UTC'")
    opened.execute("SET lock_configuration = true")
    return opened
