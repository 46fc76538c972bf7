"""What can go wrong with a log, by what the caller can do about it."""

from __future__ import annotations

from headrace.errors import RunError


class LogError(RunError):
    """The log refused or could not be reached in time; waiting will not help unless a subclass says so."""


class AbortableError(LogError):
    """The transaction must be aborted; the same work can then be done again."""


class FencedError(LogError):
    """Another instance has taken over this member or this transactional id."""
