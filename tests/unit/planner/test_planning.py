"""What plans have in common: safe connections, bounded work, nothing of DuckDB in what users read."""

from __future__ import annotations

import duckdb
import pytest

from headrace.errors import ProgramError
from headrace.planner import connection
from tests.unit.planner.topics import plan


def test_user_sql_reaches_no_files_and_changes_no_settings() -> None:
    opened = connection()
    try:
        for statement in ("SELECT * FROM read_csv('/etc/passwd')", "SET threads = 8", "INSTALL httpfs"):
            with pytest.raises(duckdb.Error):
                opened.execute(statement)
        assert opened.execute("SELECT current_setting('TimeZone')").fetchall() == [("UTC",)]
    finally:
        opened.close()


def test_a_long_chain_of_conditions_is_planned() -> None:
    chain = " OR ".join(f"id = {number}" for number in range(300))
    assert plan(f"INSERT INTO out SELECT STREAM id FROM orders WHERE {chain}").pipelines


def test_a_tower_of_operators_is_refused_in_time() -> None:
    tower = "id" + " + 1" * 600
    with pytest.raises(ProgramError) as refused:
        plan(f"INSERT INTO out SELECT STREAM {tower} AS n FROM orders")
    assert refused.value.diagnostics[0].code.id == "SQL0315"


def test_a_record_read_whole_and_by_twins_is_refused() -> None:
    twins = "INSERT INTO twins SELECT STREAM id AS r.A, customer AS r.a FROM orders;"
    assert plan(twins + "INSERT INTO out SELECT STREAM r.A AS x, r.a AS y FROM twins").pipelines
    with pytest.raises(ProgramError) as refused:
        plan(twins + "INSERT INTO out SELECT STREAM r, r.a AS y FROM twins")
    assert refused.value.diagnostics[0].code.id == "SQL0210"


def test_warnings_come_with_the_plan() -> None:
    topology = plan("SET rocksdb.table.block.size=4096; INSERT INTO out SELECT STREAM id FROM orders")
    assert [item.severity.value for item in topology.warnings] == ["warning"]
