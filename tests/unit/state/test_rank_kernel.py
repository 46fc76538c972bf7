"""The first rows of each key in an order, as the model gives them."""

from __future__ import annotations

from dataclasses import asdict
from random import Random

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.plan.operators import Changes, Order, RankFunction, RowKind
from tests.unit.formats.decoding import examples
from tests.unit.state.join_oracles import RankOracle
from tests.unit.state.join_runs import (
    Event,
    Maker,
    Plan,
    Record,
    Subject,
    check,
    one_of_each,
    plans,
    records,
    terms,
)

INT, TEXT = pa.int64(), pa.string()
KEYS: dict[str, tuple[list[pa.DataType], Maker]] = {
    "no key": ([], one_of_each()),
    "one key": ([INT], one_of_each((1, 1, 2, None))),
    "two keys": ([TEXT, INT], one_of_each(("a", None), (1, None))),
}
VALUE = one_of_each((None, None, -2, -1, 0, 1, 2), (None, "", "a", "b", "\u00e9", "\U0001f600", "\uffff"))


def rank(
    key: list[pa.DataType],
    order: list[Order],
    limit: int,
    retracts: bool,
    changes: Changes,
    function: RankFunction = RankFunction.ROW_NUMBER,
) -> Subject:
    numbers = [pa.int64()] if function is RankFunction.ROW_NUMBER else [pa.int64(), pa.int64()]
    return Subject(
        {
            "kernel": "rank",
            "function": function.value,
            "inputs": [changes],
            "order": [asdict(term) for term in order],
            "limit": limit,
            "retracts": retracts,
        },
        key,
        [[INT, TEXT]],
        [*key, *numbers, INT, TEXT],
    )


@pytest.mark.parametrize("key", list(KEYS))
@pytest.mark.parametrize("changes", [Changes.APPEND, Changes.RETRACT])
@given(
    data=st.data(),
    plan=plans,
    order=st.lists(terms(2), max_size=2),
    limit=st.sampled_from([1, 1, 2, 3, 100]),
    retracts=st.booleans(),
    function=st.sampled_from(RankFunction),
)
@settings(max_examples=examples(40), deadline=None)
def test_a_rank(
    key: str,
    changes: Changes,
    data: st.DataObject,
    plan: Plan,
    order: list[Order],
    limit: int,
    retracts: bool,
    function: RankFunction,
) -> None:
    key_types, keys = KEYS[key]
    found = data.draw(records([changes], keys, [VALUE]))
    subject = rank(key_types, order, limit, retracts, changes, function)
    check(subject, lambda: RankOracle(tuple(order), limit, retracts, function), found, plan)


def row(time: int, value: int, op: RowKind = RowKind.INSERT) -> Record:
    return Record(0, time, ((0, op, (1,), (value, None)),))


@pytest.mark.parametrize("event", list(Event))
def test_a_row_below_the_best_comes_up_when_one_goes(event: Event) -> None:
    found = [*(row(at, at) for at in range(5)), row(6, 1, RowKind.DELETE), row(7, 0, RowKind.DELETE)]
    order = [Order(0)]
    subject = rank([INT], order, 2, retracts=True, changes=Changes.RETRACT)
    run = check(subject, lambda: RankOracle(tuple(order), 2, retracts=True), found, Plan([1], [event]))
    assert [out.columns[1:3] for out in run.committed][-4:] == [(1, 0), (1, 2), (2, 2), (2, 3)]


@pytest.mark.parametrize("event", [Event.NOTHING, Event.REOPEN, Event.ROLLBACK, Event.TRIM])
@pytest.mark.parametrize("limit", [3, 100])
@pytest.mark.parametrize("function", list(RankFunction))
def test_many_rows_of_one_key(event: Event, limit: int, function: RankFunction) -> None:
    random = Random(2)
    live: list[int] = []
    found = []
    for turn in range(300):
        op = RowKind.DELETE if turn > 150 and random.random() < 0.6 else RowKind.INSERT
        value = live.pop(random.randrange(len(live))) if op < 0 else random.randrange(60)
        if op > 0:
            live.append(value)
        found.append(row(turn, value, op))
    order = [Order(0, descending=True)]
    subject = rank([INT], order, limit, True, Changes.RETRACT, function)
    check(subject, lambda: RankOracle(tuple(order), limit, True, function), found, Plan([40], [event]))
