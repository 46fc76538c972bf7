"""Decoding with the schemas of the writers, which are fetched from the registry as they are met.

A schema that the registry does not know, or that cannot be used, makes the records of that writer errors and leaves all others
alone; it is asked for again after a while, for it may have been registered by then.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, Protocol

from headrace.formats.errors import UnknownSchemaError
from headrace.formats.native import decoded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pyarrow as pa

    from headrace.formats.interface import Decoded, Registry

REFUSAL_SECONDS: Final = 30.0
"""How long a schema that could not be had is not asked for again: bad records must not become a flood of requests."""

_MOST_REFUSALS: Final = 10_000


class NativeWriters(Protocol):
    """A native decoder that is given the schemas of writers."""

    def add_writer(self, id: int, schema: str) -> None:
        """Make the values of a writer readable. Raises ValueError if they cannot be."""

    def unknown(self, data: pa.BinaryArray) -> list[int]:
        """Give the ids of the writers in a batch that have not been added."""

    def decode(
        self, data: pa.BinaryArray, refused: Mapping[int, str]
    ) -> tuple[list[pa.Array[Any]], list[tuple[int, str]]]:
        """Give the columns, and the rows that failed; `refused` says why writers are missing."""


class WritersDecoder:
    """Decodes records that name the schema of their writer."""

    def __init__(
        self,
        native: NativeWriters,
        registry: Registry,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._native = native
        self._registry = registry
        self._clock = clock
        self._refused: dict[int, tuple[str, float]] = {}

    def decode(self, data: pa.BinaryArray) -> Decoded:
        """Decode n values; raises RegistryUnavailableError if a schema cannot be fetched now."""
        refused = {id: self._add(id) for id in self._native.unknown(data)}
        reasons = {id: reason for id, reason in refused.items() if reason is not None}
        return decoded(*self._native.decode(data, reasons))

    def _add(self, id: int) -> str | None:
        """Fetch the schema of a writer, or say why it cannot be used."""
        now = self._clock()
        reason, until = self._refused.get(id, ("", now))
        if now < until:
            return reason
        self._refused.pop(id, None)
        try:
            self._native.add_writer(id, self._registry.schema(id))
        except UnknownSchemaError:
            reason = "the registry does not know it"
        except ValueError as error:
            reason = str(error)
        else:
            return None
        if len(self._refused) >= _MOST_REFUSALS:
            self._refused.clear()
        self._refused[id] = (reason, now + REFUSAL_SECONDS)
        return reason
