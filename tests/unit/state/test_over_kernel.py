"""Aggregates over the rows before each row, as the model gives them."""

from __future__ import annotations

from dataclasses import asdict
from random import Random

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.plan.operators import Changes, Order, RowKind
from tests.unit.formats.decoding import examples
from tests.unit.state.join_oracles import OverOracle
from tests.unit.state.join_runs import (
    Event,
    Maker,
    Plan,
    Record,
    Run,
    Subject,
    check,
    one_of_each,
    plans,
    records,
    rows_of,
    terms,
)

INT, TEXT = pa.int64(), pa.string()
KEYS: dict[str, tuple[list[pa.DataType], Maker]] = {
    "no key": ([], one_of_each()),
    "two keys": ([TEXT, INT], one_of_each(("a", None), (1, None))),
}
VALUE = one_of_each((None, -2, -1, 0, 1, 2), (None, "", "a", "b"), (None, 1, 2, 3))
CALLS = [
    {"function": "SUM", "arguments": [0]},
    {"function": "COUNT", "arguments": []},
    {"function": "LAST", "arguments": [1]},
]


def over(key: list[pa.DataType], changes: Changes, preceding: int | None, order: list[Order]) -> Subject:
    return Subject(
        {
            "kernel": "over",
            "inputs": [changes],
            "calls": CALLS,
            "order": [asdict(term) for term in order],
            "preceding": preceding,
            "arguments": 2,
        },
        key,
        [[INT, TEXT, INT]],
        [*key, INT, INT, TEXT, INT, TEXT, INT],
    )


@pytest.mark.parametrize("key", list(KEYS))
@given(data=st.data(), plan=plans, preceding=st.sampled_from([None, 0, 1, 2, 5, 100]))
@settings(max_examples=examples(40), deadline=None)
def test_facts(key: str, data: st.DataObject, plan: Plan, preceding: int | None) -> None:
    key_types, keys = KEYS[key]
    found = data.draw(records([Changes.APPEND], keys, [VALUE]))
    subject = over(key_types, Changes.APPEND, preceding, [])
    check(subject, lambda: OverOracle(preceding, None), found, plan)


@pytest.mark.parametrize("key", list(KEYS))
@given(
    data=st.data(),
    plan=plans,
    preceding=st.sampled_from([0, 1, 2, 5, 100]),
    order=st.lists(terms(3), max_size=2),
)
@settings(max_examples=examples(60), deadline=None)
def test_changes(key: str, data: st.DataObject, plan: Plan, preceding: int, order: list[Order]) -> None:
    key_types, keys = KEYS[key]
    found = data.draw(records([Changes.RETRACT], keys, [VALUE]))
    subject = over(key_types, Changes.RETRACT, preceding, order)
    check(subject, lambda: OverOracle(preceding, tuple(order)), found, plan)


def row(time: int, value: int | None, op: RowKind = RowKind.INSERT) -> Record:
    return Record(0, time, ((0, op, (1,), (value, None, None)),))


@pytest.mark.parametrize("event", [Event.NOTHING, Event.REOPEN, Event.TRIM])
def test_many_rows_of_one_key(event: Event) -> None:
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
    subject = over([INT], Changes.RETRACT, 10, order)
    check(subject, lambda: OverOracle(10, tuple(order)), found, Plan([40], [event]))


@pytest.mark.parametrize("preceding", [1, None])
def test_a_row_whose_sum_is_too_large_fails_alone(preceding: int | None) -> None:
    largest = 2**63 - 1
    found = [row(1, largest), row(2, 1), row(3, 2)]
    run = Run(over([INT], Changes.APPEND, preceding, []))
    done = run.kernel.process([run.subject.batch(0, [item for rows in rows_of(found) for item in rows])])
    # Among all rows it was not taken in; among the last ones it is.
    assert [row for _, row, _ in done.failed] == ([1, 2] if preceding is None else [1])
    sums = done.rows.column("c1").to_pylist()
    assert sums == ([largest] if preceding is None else [largest, 3])


def test_the_state_is_no_larger_than_the_rows_that_count() -> None:
    run = check(
        over([INT], Changes.APPEND, 3, []),
        lambda: OverOracle(3, None),
        [row(at, at) for at in range(40)],
        Plan([7], [Event.COMMIT]),
    )
    assert [len(entries) for entries in run.changelog] == [3, 0]
