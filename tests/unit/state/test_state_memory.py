"""How much of the memory for state is for entries."""

from __future__ import annotations

import pytest

from headrace.engine.state.memory import state_memory

MEBI = 1 << 20


@pytest.mark.parametrize(("wanted", "entries"), [(512, 320), (200, 100), (2, 1)])
def test_local_stores_have_their_share(wanted: int, entries: int) -> None:
    assert state_memory(wanted * MEBI) == entries * MEBI


def test_nothing_said_is_a_part_of_what_there_is() -> None:
    assert state_memory(None) > 16 * MEBI
