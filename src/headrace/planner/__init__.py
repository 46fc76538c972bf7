"""SQL and catalog into a topology."""

from headrace.planner.connection import connection
from headrace.planner.program import plan_program
from headrace.planner.snapshot import plan_query

__all__ = ["connection", "plan_program", "plan_query"]
