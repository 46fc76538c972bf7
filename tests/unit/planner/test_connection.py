"""The one DuckDB of the process: connections know nothing of each other, and a database that has failed is replaced."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING

import duckdb
import pytest

from headrace.planner.connection import Database, connection

if TYPE_CHECKING:
    from pathlib import Path


def test_what_a_connection_makes_is_its_own() -> None:
    with connection() as one, connection() as other:
        one.execute("CREATE TEMP MACRO twice(x) AS x * 2")
        one.execute("CREATE TEMP VIEW input AS SELECT 1 AS a")
        other.execute("CREATE TEMP VIEW input AS SELECT 2 AS b")
        assert one.sql("SELECT twice(a) FROM input").fetchall() == [(2,)]
        assert other.sql("FROM input").fetchall() == [(2,)]
        with pytest.raises(duckdb.CatalogException):
            other.sql("SELECT twice(1)")


@pytest.mark.parametrize(
    "statement",
    ["SET TimeZone = 'Europe/Berlin'", "SET threads = 4", "SELECT * FROM read_csv('/etc/passwd')"],
)
def test_connections_cannot_be_changed_or_read_files(statement: str) -> None:
    with connection() as one, pytest.raises(duckdb.Error, match=r"locked|disabled"):
        one.execute(statement)


def test_after_a_fault_of_duckdb_the_next_connection_is_to_a_new_database(tmp_path: Path) -> None:
    broken = duckdb.connect(tmp_path / "broken.db")
    database = Database(lambda: broken)
    held = database.connect()
    held.execute("CREATE TABLE t AS SELECT 1 AS a")
    held.execute("SET debug_checkpoint_abort = 'before_truncate'")
    with pytest.raises(duckdb.FatalException):
        held.execute("CHECKPOINT")
    database.open = duckdb.connect
    with database.connect() as fresh:
        assert fresh.sql("SELECT 1").fetchall() == [(1,)]
    with pytest.raises(duckdb.FatalException):
        held.execute("SELECT 1")


def test_a_forked_process_has_a_database_of_its_own() -> None:
    connection().close()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        found = 0
        try:
            with connection() as one:
                found = one.sql("SELECT 7").fetchall()[0][0]
        finally:
            os._exit(found)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
