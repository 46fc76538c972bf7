"""Snapshot queries: a SELECT over what topics hold now, run by DuckDB over scans of the log."""

from headrace.planner.snapshot.plan import plan_query

__all__ = ["plan_query"]
