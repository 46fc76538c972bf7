"""The published rules of Nexmark's events: how many of each kind, which ids exist when, and what time it is.

Everything follows from the number of an event, so any part of the events can be made by itself, and twice the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]

PERSONS: Final = 1
AUCTIONS: Final = 3
BIDS: Final = 46
EPOCH: Final = PERSONS + AUCTIONS + BIDS
"""Of so many events in a row, the first are persons, then come auctions, then bids."""

FIRST_ID: Final = 1000
FIRST_CATEGORY: Final = 10
CATEGORIES: Final = 5
BASE_TIME: Final = 1_436_918_400_000
"""2015-07-15 00:00:00 UTC: the time of the first event."""

ACTIVE_PERSONS: Final = 1000
"""Only the newest persons bid and sell."""
AUCTIONS_IN_FLIGHT: Final = 100
PERSON_LEAD: Final = 10
AUCTION_LEAD: Final = 10
"""Bids and auctions may name ids a little before their own events."""
HOT_STRIDE: Final = 100
"""Of so many ids in a row, one is hot."""

_SHUFFLE: Final = 953
_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_SEEDS: Final = 0xD1342543DE82EF95
"""Odd, so that each seed has a sequence of its own."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What can be chosen.

    Args:
        seed: of all draws.
        rate: events a second of event time.
        disorder: events are shuffled within groups of so many; 1 is in order. No multiple of 953.
        hot_auctions: one bid of so many goes to any auction in flight, the others to the hot one.
        hot_bidders: one bid of so many comes from any active person, the others from the hot one.
        hot_sellers: the same for auctions.
    """

    seed: int = 0
    rate: int = 10_000
    disorder: int = 1
    hot_auctions: int = 2
    hot_bidders: int = 4
    hot_sellers: int = 4

    def numbers(self, first: int, count: int) -> Numbers:
        """Give the numbers of the events from place `first` on, in the order in which they are sent."""
        places = np.arange(first, first + count, dtype=np.int64)
        groups = places // self.disorder * self.disorder
        return groups + places * _SHUFFLE % self.disorder

    def times(self, numbers: Numbers) -> Numbers:
        """Give when the events happen, in milliseconds since 1970."""
        return BASE_TIME + numbers * 1000 // self.rate

    def draw(self, numbers: Numbers, purpose: int, below: Numbers | int) -> Numbers:
        """Draw uniformly from 0 to below `below` (2^31 at most), one draw for each event and purpose (0 to 63)."""
        drawn = self._mixed(numbers, purpose) >> np.uint64(33)
        return (drawn.astype(np.int64) * below) >> 31

    def unit(self, numbers: Numbers, purpose: int) -> NDArray[np.float64]:
        """Draw uniformly from 0 to 1."""
        return (self._mixed(numbers, purpose) >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def _mixed(self, numbers: Numbers, purpose: int) -> NDArray[np.uint64]:
        # SplitMix64 at a place of its sequence: draws depend neither on the batches nor on the version of NumPy.
        place = numbers.astype(np.uint64) * np.uint64(64) + np.uint64(purpose)
        mixed = (place + np.uint64(_SEEDS * self.seed % 2**64)) * _GOLDEN
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return mixed ^ (mixed >> np.uint64(31))

    def any_person(self, numbers: Numbers, purpose: int) -> Numbers:
        """Draw an active person, or one that comes soon."""
        last = last_person(numbers)
        active = np.minimum(last + 1, ACTIVE_PERSONS)
        drawn = self.draw(numbers, purpose, active + PERSON_LEAD)
        return FIRST_ID + last + 1 - active + drawn

    def any_auction(self, numbers: Numbers, purpose: int) -> Numbers:
        """Draw an auction in flight, or one that comes soon."""
        last = last_auction(numbers)
        oldest = np.maximum(last - AUCTIONS_IN_FLIGHT, 0)
        return FIRST_ID + oldest + self.draw(numbers, purpose, last - oldest + 1 + AUCTION_LEAD)

    def price(self, numbers: Numbers, purpose: int) -> Numbers:
        """Draw a price from 1 to a million units of 100, its logarithm uniformly."""
        price: Any = np.round(np.power(10.0, self.unit(numbers, purpose) * 6.0) * 100.0)
        return price.astype(np.int64)  # type: ignore[no-any-return]

    def is_hot(self, numbers: Numbers, purpose: int, ratio: int) -> NDArray[np.bool_]:
        """Draw who is hot: all but one in `ratio`."""
        return self.draw(numbers, purpose, ratio) > 0


def last_person(numbers: Numbers) -> Numbers:
    """Give how many persons came before the newest one at each event."""
    return numbers // EPOCH * PERSONS + np.minimum(numbers % EPOCH, PERSONS - 1)


def last_auction(numbers: Numbers) -> Numbers:
    """Give how many auctions came before the newest one at each event; -1 becomes 0, as before the first."""
    within = np.minimum(numbers % EPOCH - PERSONS, AUCTIONS - 1)
    return np.maximum(numbers // EPOCH * AUCTIONS + np.maximum(within, -1), 0)
