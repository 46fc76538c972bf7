"""Where schemas are kept: a server with Confluent's API, or the file of the embedded log."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headrace.formats.interface import Registry
    from headrace.log.interface import Log

__all__ = ["open_registry"]

_EMBEDDED = "sqlite:"
"""How the names of embedded logs begin."""


def open_registry(url: str | None, log: Log, properties: Mapping[str, str] | None = None) -> Registry | None:
    """Open the registry of this URL, or the one in the file of an embedded log; None if there is neither.

    Args:
        url: `http://host:port` or `https://host:port`; a user and password in it are used and never shown.
        log: whose schemas are asked for.
        properties: of Confluent's client; they count only with a URL.

    Raises:
        ProgramError: the URL or a property is not understood.
    """
    if url:
        # Confluent's client is loaded only where it is used: its HTTP packages cost a third of a second.
        from headrace.formats.registry.confluent import ConfluentRegistry

        return ConfluentRegistry(url, properties)
    if not log.name.startswith(_EMBEDDED):
        return None
    # So is the database of the embedded log.
    from headrace.formats.registry.embedded import EmbeddedRegistry
    from headrace.log.embedded import EmbeddedLog

    return EmbeddedRegistry(log) if isinstance(log, EmbeddedLog) else None
