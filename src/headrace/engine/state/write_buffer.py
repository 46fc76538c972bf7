"""Entries on their way from a changelog to a local copy: a local store takes many at once at a fraction of the cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa

if TYPE_CHECKING:
    from headrace import _native
    from headrace.engine.state.history import Entries

_NOTHING: Final = pa.array([], pa.binary())


class WriteBuffer:
    """What was read for one store and is not in it yet. Lost with the process: then the changelog is read again from there."""

    def __init__(self) -> None:
        """Begin empty."""
        self._keys: list[pa.BinaryArray] = []
        self._values: list[pa.BinaryArray] = []
        self.bytes = 0
        """What the entries take."""

    def add(self, entries: Entries) -> None:
        """Take entries in; they come after those before them."""
        self._keys.append(entries.keys)
        self._values.append(entries.values)
        self.bytes += entries.keys.nbytes + entries.values.nbytes

    def write(self, local: _native.LocalStore, store: str, position: int) -> None:
        """Write everything into a store, with the position of the changelog after it."""
        keys, values = (
            pa.concat_arrays(parts) if parts else _NOTHING for parts in (self._keys, self._values)
        )
        local.restore(store, keys, values, position)
        self._keys, self._values, self.bytes = [], [], 0
