"""Makes entries of an aggregate of those of an earlier version of it, which had other calls."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from headrace import _native
from headrace.engine.state.kernels import schema, specification

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.plan.operators import Operator


def make_migration(old: Operator, new: Operator, calls: Sequence[int | None]) -> _native.Migration:
    """Give what turns entries of one version into those of another.

    Args:
        old: an aggregate.
        new: another one, which differs in its calls alone.
        calls: for each call of the new one the number of the same call of the old one, None for a new call.
    """
    sides = [
        (
            json.dumps(specification(operator)),
            [schema(feed.columns) for feed in operator.feeds],
            schema(operator.columns),
        )
        for operator in (old, new)
    ]
    return _native.Migration(*sides[0], *sides[1], list(calls))
