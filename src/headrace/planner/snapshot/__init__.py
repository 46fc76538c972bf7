"""Snapshot queries: a SELECT over what topics hold now, run by DuckDB over scans of the log."""

from headrace.planner.snapshot.deletion import plan_condition, plan_offsets
from headrace.planner.snapshot.duckdb_sql import is_duckdb_query, plan_duckdb_query
from headrace.planner.snapshot.insertion import Insertion, plan_insertion
from headrace.planner.snapshot.plan import plan_query
from headrace.planner.snapshot.size import check_size
from headrace.planner.snapshot.views import reached, read_by, readers, stored_view

__all__ = [
    "Insertion",
    "check_size",
    "is_duckdb_query",
    "plan_condition",
    "plan_duckdb_query",
    "plan_insertion",
    "plan_offsets",
    "plan_query",
    "reached",
    "read_by",
    "readers",
    "stored_view",
]
