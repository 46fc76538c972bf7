"""What can go wrong with a schema registry, by what the caller can do about it."""

from __future__ import annotations

from headrace.errors import RunError


class RegistryUnavailableError(RunError):
    """The registry cannot be reached now; the same call is worth trying again."""


class UnknownSchemaError(RunError):
    """The registry has no schema of this id or subject."""


class IncompatibleSchemaError(RunError):
    """The schema cannot be the next version of its subject."""
