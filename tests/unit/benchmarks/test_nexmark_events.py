"""The events follow the published rules, and are the same however they are made."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.nexmark.generator import Events, events, generate
from benchmarks.nexmark.rules import BASE_TIME, FIRST_ID, Rules

COUNT = 20_000


@pytest.fixture(scope="module")
def made() -> Events:
    return events(Rules(), 0, COUNT)


def test_one_person_three_auctions_and_46_bids_of_fifty(made: Events) -> None:
    assert (len(made.persons), len(made.auctions), len(made.bids)) == (400, 1200, 18_400)


def test_ids_are_given_one_after_the_other(made: Events) -> None:
    assert made.persons.column("id").to_pylist() == list(range(FIRST_ID, FIRST_ID + 400))
    assert made.auctions.column("id").to_pylist() == list(range(FIRST_ID, FIRST_ID + 1200))


def test_the_batches_do_not_matter() -> None:
    whole = events(Rules(seed=7, disorder=40), 0, 1000)
    parts = list(generate(Rules(seed=7, disorder=40), 1000, batch=130))
    for kind in ("persons", "auctions", "bids"):
        together = pa.Table.from_batches([getattr(part, kind) for part in parts])
        assert together.combine_chunks().to_batches() == [getattr(whole, kind)]


def test_the_seed_decides_everything() -> None:
    assert events(Rules(seed=1), 0, 100) == events(Rules(seed=1), 0, 100)
    assert events(Rules(seed=1), 0, 100).bids != events(Rules(seed=2), 0, 100).bids


def test_the_events_stay_the_same_over_versions() -> None:
    bid = events(Rules(), 4, 1).bids.select(["auction", "bidder", "price", "channel"]).to_pylist()
    assert bid == [{"auction": 1000, "bidder": 1001, "price": 58281, "channel": "channel-5947"}]


def test_half_of_the_bids_go_to_the_hot_auction(made: Events) -> None:
    auctions = made.bids.column("auction").to_numpy()
    hot = np.mean((auctions - FIRST_ID) % 100 == 0)
    assert 0.48 < hot < 0.54


def test_three_quarters_of_the_bids_come_from_the_hot_bidder(made: Events) -> None:
    bidders = made.bids.column("bidder").to_numpy()
    hot = np.mean((bidders - FIRST_ID) % 100 == 1)
    assert 0.73 < hot < 0.78


def test_bids_name_auctions_in_flight_or_soon_to_come(made: Events) -> None:
    newest = FIRST_ID + np.arange(len(made.bids)) // 46 * 3 + 2
    ahead = made.bids.column("auction").to_numpy() - newest
    assert ahead.max() == 10
    assert ahead.min() == -100


def test_the_logarithm_of_prices_is_uniform(made: Events) -> None:
    logarithms = np.log10(made.bids.column("price").to_numpy() / 100)
    counts, _ = np.histogram(logarithms, 6, (0, 6))
    assert counts.sum() == len(made.bids)
    assert np.abs(counts / len(made.bids) - 1 / 6).max() < 0.02


@pytest.mark.parametrize(("kind", "wanted"), [("persons", 200), ("auctions", 500), ("bids", 100)])
def test_events_have_their_mean_size(made: Events, kind: str, wanted: int) -> None:
    rows = getattr(made, kind)
    # Channel and page of a bid stand beside its size, as in the published generator.
    counted = [name for name in rows.schema.names if name not in ("channel", "url")]
    size = 0
    for name in counted:
        column = rows.column(name)
        size += sum(map(len, column.to_pylist())) if pa.types.is_string(column.type) else 8 * len(column)
    assert abs(size / len(rows) - wanted) < wanted / 20


def test_events_are_in_order_without_disorder(made: Events) -> None:
    times = made.bids.column("date_time").cast(pa.int64()).to_numpy()
    assert times[0] == BASE_TIME
    assert (np.diff(times) >= 0).all()


def test_disorder_shuffles_within_groups() -> None:
    rules = Rules(disorder=100)
    numbers = rules.numbers(0, 1000)
    assert (np.diff(numbers) < 0).any()
    assert (np.sort(numbers.reshape(10, 100), axis=1).ravel() == np.arange(1000)).all()
