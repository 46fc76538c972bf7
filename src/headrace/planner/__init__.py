"""SQL and catalog into a topology; `planner.snapshot` plans queries."""

from headrace.planner.connection import connection
from headrace.planner.program import plan_program

__all__ = ["connection", "plan_program"]
