"""Makes persons, auctions and bids as Arrow record batches, over a million events a second and core."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as compute

from benchmarks.nexmark.rules import (
    AUCTIONS,
    AUCTIONS_IN_FLIGHT,
    CATEGORIES,
    EPOCH,
    FIRST_CATEGORY,
    FIRST_ID,
    HOT_STRIDE,
    PERSONS,
    Rules,
    last_auction,
    last_person,
)
from benchmarks.nexmark.text import padding, words
from headrace.log.records import TIMESTAMP

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.nexmark.rules import Numbers

pc: Any = compute
"""Its functions; the stubs have them for some types of arrays only."""


def _schema(*fields: pa.Field[Any]) -> pa.Schema:
    return pa.schema(fields)


PERSON: Final = _schema(
    pa.field("id", pa.int64()),
    pa.field("name", pa.string()),
    pa.field("email_address", pa.string()),
    pa.field("credit_card", pa.string()),
    pa.field("city", pa.string()),
    pa.field("state", pa.string()),
    pa.field("date_time", TIMESTAMP),
    pa.field("extra", pa.string()),
)
AUCTION: Final = _schema(
    pa.field("id", pa.int64()),
    pa.field("item_name", pa.string()),
    pa.field("description", pa.string()),
    pa.field("initial_bid", pa.int64()),
    pa.field("reserve", pa.int64()),
    pa.field("date_time", TIMESTAMP),
    pa.field("expires", TIMESTAMP),
    pa.field("seller", pa.int64()),
    pa.field("category", pa.int64()),
    pa.field("extra", pa.string()),
)
BID: Final = _schema(
    pa.field("auction", pa.int64()),
    pa.field("bidder", pa.int64()),
    pa.field("price", pa.int64()),
    pa.field("channel", pa.string()),
    pa.field("url", pa.string()),
    pa.field("date_time", TIMESTAMP),
    pa.field("extra", pa.string()),
)

_FIRST_NAMES: Final = [
    "Peter",
    "Paul",
    "Luke",
    "John",
    "Saul",
    "Vicky",
    "Kate",
    "Julie",
    "Sarah",
    "Deiter",
    "Walter",
]
_LAST_NAMES: Final = ["Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris"]
_CITIES: Final = [
    *("Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland"),
    *("Bend", "Redmond", "Seattle", "Kent", "Cheyenne"),
]
_STATES: Final = ["AZ", "CA", "ID", "OR", "WA", "WY"]
_HOT_CHANNELS: Final = ["Google", "Facebook", "Baidu", "Apple"]
_CHANNELS: Final = 10_000
_SIZES: Final = {"person": 200, "auction": 500, "bid": 100}
"""Mean sizes in bytes, with 8 for each number and each time."""
_BATCH: Final = 100_000


@dataclass(frozen=True, slots=True)
class Events:
    """Events in the order in which they are sent, each kind by itself."""

    persons: pa.RecordBatch
    auctions: pa.RecordBatch
    bids: pa.RecordBatch


def generate(rules: Rules, count: int, batch: int = _BATCH) -> Iterator[Events]:
    """Give the first `count` events."""
    for first in range(0, count, batch):
        yield events(rules, first, min(batch, count - first))


def events(rules: Rules, first: int, count: int) -> Events:
    """Give `count` events from place `first` on."""
    numbers = rules.numbers(first, count)
    kinds = numbers % EPOCH
    return Events(
        _persons(rules, numbers[kinds < PERSONS]),
        _auctions(rules, numbers[(kinds >= PERSONS) & (kinds < PERSONS + AUCTIONS)]),
        _bids(rules, numbers[kinds >= PERSONS + AUCTIONS]),
    )


def _persons(rules: Rules, numbers: Numbers) -> pa.RecordBatch:
    first = _picked(rules, numbers, 1, _FIRST_NAMES)
    name = pc.binary_join_element_wise(first, _picked(rules, numbers, 2, _LAST_NAMES), " ")
    user = words(rules, numbers, 3, 3 + rules.draw(numbers, 4, 4))
    host = words(rules, numbers, 5, 3 + rules.draw(numbers, 6, 2))
    email = pc.binary_join_element_wise(user, "@", host, ".com", "")
    groups = [pa.array(rules.draw(numbers, 7 + number, 10_000)).cast(pa.string()) for number in range(4)]
    card = pc.binary_join_element_wise(*(pc.utf8_lpad(group, 4, "0") for group in groups), " ")
    city, state = _picked(rules, numbers, 11, _CITIES), _picked(rules, numbers, 12, _STATES)
    used = 8 + 8 + sum(_lengths(item) for item in (name, email, card, city, state))
    columns = [
        pa.array(FIRST_ID + last_person(numbers)),
        name,
        email,
        card,
        city,
        state,
        _timestamps(rules.times(numbers)),
        padding(rules, numbers, 13, used, _SIZES["person"]),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=PERSON)


def _auctions(rules: Rules, numbers: Numbers) -> pa.RecordBatch:
    times = rules.times(numbers)
    # An auction is open for twice the time, at most, until as many newer ones have come as are in flight.
    later = rules.times(numbers + AUCTIONS_IN_FLIGHT * EPOCH // AUCTIONS)
    length = 1 + rules.draw(numbers, 1, np.maximum((later - times) * 2, 1))
    initial = rules.price(numbers, 2)
    hot = last_person(numbers) // HOT_STRIDE * HOT_STRIDE + FIRST_ID
    seller = np.where(rules.is_hot(numbers, 3, rules.hot_sellers), hot, rules.any_person(numbers, 4))
    item = words(rules, numbers, 5, 3 + rules.draw(numbers, 6, 17))
    description = words(rules, numbers, 7, 3 + rules.draw(numbers, 8, 97))
    used = 7 * 8 + _lengths(item) + _lengths(description)
    columns = [
        pa.array(FIRST_ID + last_auction(numbers)),
        item,
        description,
        pa.array(initial),
        pa.array(initial + rules.price(numbers, 9)),
        _timestamps(times),
        _timestamps(times + length),
        pa.array(seller),
        pa.array(FIRST_CATEGORY + rules.draw(numbers, 10, CATEGORIES)),
        padding(rules, numbers, 11, used, _SIZES["auction"]),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=AUCTION)


def _bids(rules: Rules, numbers: Numbers) -> pa.RecordBatch:
    hot_auction = last_auction(numbers) // HOT_STRIDE * HOT_STRIDE + FIRST_ID
    auction = np.where(
        rules.is_hot(numbers, 1, rules.hot_auctions), hot_auction, rules.any_auction(numbers, 2)
    )
    hot_bidder = last_person(numbers) // HOT_STRIDE * HOT_STRIDE + 1 + FIRST_ID
    bidder = np.where(rules.is_hot(numbers, 3, rules.hot_bidders), hot_bidder, rules.any_person(numbers, 4))
    # Every second bid comes through one of the four large channels.
    large = rules.draw(numbers, 5, 2) > 0
    place = np.where(
        large,
        rules.draw(numbers, 6, len(_HOT_CHANNELS)),
        len(_HOT_CHANNELS) + rules.draw(numbers, 7, _CHANNELS),
    )
    channels, urls = _channels(rules.seed)
    columns = [
        pa.array(auction),
        pa.array(bidder),
        pa.array(rules.price(numbers, 8)),
        pc.take(channels, place),
        pc.take(urls, place),
        _timestamps(rules.times(numbers)),
        padding(rules, numbers, 9, 4 * 8, _SIZES["bid"]),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=BID)


@lru_cache(maxsize=4)
def _channels(seed: int) -> tuple[pa.Array[Any], pa.Array[Any]]:
    """Give the names of the channels and their pages: first the large ones, whose pages name no channel."""
    rules = Rules(seed)
    numbers = np.arange(len(_HOT_CHANNELS) + _CHANNELS, dtype=np.int64)
    parts = [
        pc.replace_substring(
            words(rules, numbers, 40 + part, 3 + rules.draw(numbers, 43 + part, 3)), " ", "_"
        )
        for part in range(3)
    ]
    names = [*_HOT_CHANNELS, *(f"channel-{number}" for number in range(_CHANNELS))]
    # The ids of channels are their numbers with the bits in reverse, so that near numbers give ids far apart.
    ids = [int(f"{number:031b}"[::-1], 2) for number in range(_CHANNELS)]
    suffixes = [*("" for _ in _HOT_CHANNELS), *(f"&channel_id={id}" for id in ids)]
    pages = pc.binary_join_element_wise("https://www.nexmark.com", *parts, "item.htm?query=1", "/")
    return pa.array(names), pc.binary_join_element_wise(pages, pa.array(suffixes), "")


def _picked(rules: Rules, numbers: Numbers, purpose: int, choices: Sequence[str]) -> pa.Array[Any]:
    picked: pa.Array[Any] = pc.take(pa.array(list(choices)), rules.draw(numbers, purpose, len(choices)))
    return picked


def _lengths(texts: pa.Array[Any]) -> Any:
    return pc.binary_length(texts).to_numpy().astype(np.int64)


def _timestamps(milliseconds: Numbers) -> pa.Array[Any]:
    return pa.array(milliseconds).cast(TIMESTAMP)
