"""Aggregates over the rows before each row, as the model gives them."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from random import Random

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.plan.operators import Changes, Order, RowKind
from tests.unit.formats.decoding import examples
from tests.unit.state.join_oracles import OverOracle, Row, TimedOverOracle
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


def over(
    key: list[pa.DataType],
    changes: Changes,
    preceding: int | None,
    order: list[Order],
    stretch: tuple[int | None, int] | None = None,
) -> Subject:
    return Subject(
        {
            "kernel": "over",
            "inputs": [changes],
            "calls": CALLS,
            "order": [asdict(term) for term in order],
            "preceding": preceding,
            "arguments": 2,
            "stretch": None if stretch is None else {"length": stretch[0], "grace": stretch[1]},
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


@pytest.mark.parametrize("key", list(KEYS))
@given(
    data=st.data(),
    plan=plans,
    length=st.sampled_from([None, 0, 1, 5, 20, 100]),
    grace=st.sampled_from([0, 0, 3, 10, 100]),
)
@settings(max_examples=examples(60), deadline=None)
def test_a_stretch_of_time(key: str, data: st.DataObject, plan: Plan, length: int | None, grace: int) -> None:
    key_types, keys = KEYS[key]
    found = data.draw(records([Changes.APPEND], keys, [VALUE], advances=True))
    subject = over(key_types, Changes.APPEND, None, [], (length, grace))
    check(subject, lambda: TimedOverOracle(length, grace), found, plan)


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


@pytest.mark.parametrize("length", [10, None])
def test_rows_outside_of_the_stretch_are_kept_nowhere(length: int | None) -> None:
    run = Run(over([INT], Changes.APPEND, None, [], (length, 5)))
    for time in range(0, 1000, 5):
        run.process([Row(0, 0, time, time, RowKind.INSERT, (time,), (at, "x", at)) for at in range(2)])
        run.commit()
    # Two rows each of the times that have not passed; kept rows, and when to look at them, or the totals of each part.
    kept = run.stores[0].entries("s", None, 10_000)[0].to_pylist()
    counts = Counter(key[:1] for key in kept if key is not None)
    assert counts[b"q"] == 4
    assert counts[b"o"] == (4 + 2 * 2 if length else 4)
    assert counts[b"e"] == (4 if length else 0)
    assert counts[b"s"] == (0 if length else 198)
    assert len(kept) == len(run.changelog[0])


@pytest.mark.parametrize("event", [Event.NOTHING, Event.TRIM])
def test_a_long_stretch_of_one_part(event: Event) -> None:
    found = [row(3 * at + (7 if at % 5 == 0 else 0), at) for at in range(400)]
    subject = over([INT], Changes.APPEND, None, [], (900, 10))
    check(subject, lambda: TimedOverOracle(900, 10), found, Plan([90], [event]))


LARGEST = 2**63 - 1
TOO_LARGE = {
    # Times and values, and which of the rows are left out.
    "of its own stretch": ([(1, LARGEST), (2, 1), (3, -5), (60, 0)], [1]),
    "of a row that waits": ([(5, LARGEST), (4, 1), (60, 0)], [1]),
    "of another stretch": ([(1, LARGEST), (30, 1), (60, 0)], []),
}


@pytest.mark.parametrize("cut", [1, 10])
@pytest.mark.parametrize("case", list(TOO_LARGE))
@pytest.mark.parametrize("length", [20, None])
def test_a_row_with_which_a_sum_is_too_large_fails_when_it_comes(
    case: str, cut: int, length: int | None
) -> None:
    values, failing = TOO_LARGE[case]
    if length is None and case == "of another stretch":
        failing = [1]
    run = Run(over([INT], Changes.APPEND, None, [], (length, 3)))
    rows = [item for rows in rows_of([row(*value) for value in values]) for item in rows]
    failed, sums = [], []
    for start in range(0, len(rows), cut):
        done = run.kernel.process([run.subject.batch(0, rows[start : start + cut])])
        failed += [start + row for _, row, _ in done.failed]
        sums += done.rows.column("c1").to_pylist()
    assert failed == failing
    assert len(sums) == len(values) - 1 - len(failing)


@pytest.mark.parametrize(
    ("subject", "message"),
    [
        (over([INT], Changes.APPEND, None, [], (-1, 0)), "negative"),
        (over([INT], Changes.APPEND, None, [], (None, -1)), "negative"),
        (over([INT], Changes.RETRACT, None, [], (1, 0)), "stream"),
    ],
)
def test_a_wrong_stretch_is_refused(subject: Subject, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        subject.make()


@pytest.mark.parametrize(
    ("length", "rows"), [(20, [["k", "k"], [1, 2], ["x", "x"], [7, 30]]), (None, [["k"], [1], [1], ["x"]])]
)
def test_what_is_kept_as_a_table(length: int | None, rows: list[list[object]]) -> None:
    run = Run(over([TEXT], Changes.APPEND, None, [], (length, 3)))
    run.process([Row(0, 0, at, time, RowKind.INSERT, ("k",), (at, "x", 0)) for at, time in ((1, 7), (2, 30))])
    run.commit()
    found = run.kernel.decode(*run.stores[0].entries("s", None, 100))
    assert [column.to_pylist() for column in found.columns] == rows
