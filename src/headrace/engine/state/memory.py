"""How much memory state may take: what the program says, or a share of what the process may have."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_SHARE: Final = 4
"""One part in so many of the process's memory is for state that could be read from disk again."""

_CGROUPS: Final = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Where the limit of a container stands: version 2, version 1."""


def state_memory(wanted: int | None) -> int:
    """Give the bytes for state.

    Args:
        wanted: what the program says.
    """
    return wanted if wanted is not None else _memory() // _SHARE


def _memory() -> int:
    """Give what the process may have: the container's limit or the machine's memory, whichever is less."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in _CGROUPS:
        try:
            text = path.read_text().strip()
        except OSError:
            continue
        if text.isdigit():
            return min(machine, int(text))
    return machine
