"""Snapshot queries: SQL over what the topics hold now."""

from headrace.engine.snapshot.query import SnapshotQuery

__all__ = ["SnapshotQuery"]
