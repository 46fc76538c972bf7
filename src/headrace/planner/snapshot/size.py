"""`SET live.aggs = false`: no query that needs a whole topic before its first row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace.errors.codes import plan as codes
from headrace.plan.snapshot import Bounds
from headrace.planner.faults import refusal

if TYPE_CHECKING:
    from headrace.plan.snapshot import SnapshotPlan
    from headrace.sql.nodes import DuckdbQuery, Query


def check_size(query: Query | DuckdbQuery, plan: SnapshotPlan) -> None:
    """Refuse a query that puts records together and reads a topic from its beginning to its end.

    Raises:
        ProgramError: it is one.
    """
    if plan.follows or all(scan.bounds != Bounds() for scan in plan.scans):
        return
    message = "the query reads a whole topic before it gives a row, and `live.aggs` is false"
    way_out = "say what is read: `_meta.timestamp >= …` or `_meta.offset >= LAST_OFFSET() - 1000`"
    raise refusal(codes.NOT_ONE_QUERY, message, query.span, way_out)
