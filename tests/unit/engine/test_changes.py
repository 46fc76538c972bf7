"""Pairs of changes after queries that drop or multiply rows."""

from __future__ import annotations

import numpy as np
import pytest

from headrace.engine.operators.changes import alone, settled, updates
from headrace.plan.operators import RowKind

INSERT, AFTER, DELETE, BEFORE = (
    int(kind) for kind in (RowKind.INSERT, RowKind.UPDATE_AFTER, RowKind.DELETE, RowKind.UPDATE_BEFORE)
)


@pytest.mark.parametrize(
    ("rows", "kinds", "expected"),
    [
        ([0, 1, 2], [INSERT, BEFORE, AFTER], [INSERT, BEFORE, AFTER]),
        ([1], [BEFORE], [DELETE]),
        ([2], [AFTER], [INSERT]),
        ([0, 3], [BEFORE, AFTER], [DELETE, INSERT]),
        ([1, 2, 2], [BEFORE, AFTER, AFTER], [DELETE, INSERT, INSERT]),
        ([1, 1, 2], [BEFORE, BEFORE, AFTER], [DELETE, DELETE, INSERT]),
        ([0, 1, 2, 3], [BEFORE, AFTER, BEFORE, AFTER], [BEFORE, AFTER, BEFORE, AFTER]),
        ([1, 2, 3], [AFTER, BEFORE, AFTER], [INSERT, BEFORE, AFTER]),
        ([], [], []),
    ],
)
def test_halves_of_updates_without_their_partner_become_whole(
    rows: list[int], kinds: list[int], expected: list[int]
) -> None:
    given = np.array(kinds, np.int8)
    before = updates(given, np.array(rows, np.int32))
    assert settled(given, before).tolist() == expected


def test_taken_apart() -> None:
    assert alone(np.array([INSERT, AFTER, DELETE, BEFORE], np.int8)).tolist() == [
        INSERT,
        INSERT,
        DELETE,
        DELETE,
    ]
