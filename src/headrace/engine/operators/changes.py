"""Pairs of UPDATE_BEFORE and UPDATE_AFTER: found in bulk after queries that may have dropped either of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headrace.plan.operators import RowKind

if TYPE_CHECKING:
    import numpy.typing as npt

    Kinds = npt.NDArray[np.int8]
    Rows = npt.NDArray[np.int32]
    Mask = npt.NDArray[np.bool_]


def updates(kinds: Kinds, rows: Rows) -> Mask:
    """Say which rows are an UPDATE_BEFORE whose UPDATE_AFTER stands right behind it.

    Args:
        kinds: `RowKind` of each row of a result.
        rows: the row of the operator's output that each came from, ascending. A row of the output that gave several
            has no partner any more: what became of which is not known.
    """
    before = np.zeros(len(kinds), np.bool_)
    if len(kinds) < 2:
        return before
    same = rows[1:] == rows[:-1]
    single = np.ones(len(rows), np.bool_)
    single[1:] &= ~same
    single[:-1] &= ~same
    before[:-1] = (
        (kinds[:-1] == RowKind.UPDATE_BEFORE)
        & (kinds[1:] == RowKind.UPDATE_AFTER)
        & (rows[1:] == rows[:-1] + 1)
        & single[:-1]
        & single[1:]
    )
    return before


def settled(kinds: Kinds, before: Mask) -> Kinds:
    """Give the kinds with each half of an update that lost its other half as a DELETE or an INSERT.

    Args:
        kinds: of all rows.
        before: what `updates` gave for them.
    """
    after = np.zeros(len(kinds), np.bool_)
    after[1:] = before[:-1]
    whole = np.sign(kinds)
    return np.where(before | after, kinds, whole).astype(np.int8)


def alone(kinds: Kinds) -> Kinds:
    """Give the kinds with every update taken apart: its halves may have come by different ways."""
    return np.sign(kinds).astype(np.int8)
