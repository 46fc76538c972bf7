"""Snapshot queries: SQL over what the topics hold now."""

from headrace.engine.snapshot.limits import Budget, Ending, Limits
from headrace.engine.snapshot.query import SnapshotQuery
from headrace.engine.snapshot.states import LocalStates

__all__ = ["Budget", "Ending", "Limits", "LocalStates", "SnapshotQuery"]
