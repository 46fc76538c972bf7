"""Did you mean: the nearest of the names that would have been right."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """Give the candidate that is fewest edits away, if it is near enough to be meant; ties go to the first."""
    best: str | None = None
    limit = max(1, len(name) // 3)
    least = limit + 1
    for candidate in candidates:
        if candidate.lower() == name.lower():
            return candidate
        distance = _distance(name.lower(), candidate.lower(), least)
        if distance < least:
            best, least = candidate, distance
    return best


def did_you_mean(name: str, candidates: Iterable[str]) -> str | None:
    """Give the help text for a name that is not known; None if nothing is near."""
    found = nearest(name, candidates)
    return None if found is None else f"did you mean `{found}`?"


def _distance(left: str, right: str, limit: int) -> int:
    """Count insertions, deletions, replacements and swaps of neighbours; `limit` if there are that many or more."""
    if abs(len(left) - len(right)) >= limit:
        return limit
    before: list[int] = []
    row = list(range(len(right) + 1))
    for i, mine in enumerate(left, 1):
        older, before, row = before, row, [i]
        for j, theirs in enumerate(right, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (mine != theirs))
            if i > 1 and j > 1 and mine == right[j - 2] and left[i - 2] == theirs:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
        if min(row) >= limit:
            return limit
    return min(row[-1], limit)
