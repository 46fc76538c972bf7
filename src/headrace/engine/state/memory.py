"""How much memory state may take: what the program says, or a share of what the process may have."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_SHARE: Final = 4
"""One part in so many of the process's memory is for state that could be read from disk again."""

_BUFFERS: Final = 192 << 20
"""What the local stores of a process take beside: their cache, and writes on their way into files."""

_CGROUPS: Final = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Where the limit of a container stands: version 2, version 1."""


def state_memory(wanted: int | None) -> int:
    """Give the bytes for entries of state: what is left of the memory for state when local stores have theirs, half at least.

    Args:
        wanted: what the program says.
    """
    total = wanted if wanted is not None else _memory() // _SHARE
    return max(total - _BUFFERS, total // 2)


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
