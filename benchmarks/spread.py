"""What several runs of the same gave: the middle, and how far apart they are."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some values, the lowest and the highest."""

    median: float
    low: float
    high: float

    def over(self, divisor: float) -> Spread:
        """Give each as a multiple of a divisor."""
        return Spread(self.median / divisor, self.low / divisor, self.high / divisor)

    def text(self, digits: int) -> str:
        """Give the median, and the others in brackets where they differ at so many digits."""
        middle, low, high = (f"{value:,.{digits}f}" for value in (self.median, self.low, self.high))
        return middle if low == high else f"{middle} ({low} to {high})"


def spread(values: Sequence[float]) -> Spread:
    """Give the spread of at least one value."""
    return Spread(statistics.median(values), min(values), max(values))
