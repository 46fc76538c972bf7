"""A stream in the order of its event time, as the model gives it."""

from __future__ import annotations

from dataclasses import asdict

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.plan.operators import Changes, Order, RowKind
from tests.unit.formats.decoding import examples
from tests.unit.state.join_oracles import Row, SortOracle
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
    terms,
)

INT, TEXT = pa.int64(), pa.string()
KEYS: dict[str, tuple[list[pa.DataType], Maker]] = {
    "no key": ([], one_of_each()),
    "one key": ([TEXT], one_of_each(("a", "b", None))),
}
VALUE = one_of_each((None, None, -1, 0, 1, 2), (None, "", "a", "b", "\u00e9", "\uffff"))


def sort(
    key: list[pa.DataType], order: list[Order], grace: int, changes: Changes = Changes.APPEND
) -> Subject:
    spec = {"kernel": "sort", "inputs": [changes], "order": [asdict(term) for term in order], "grace": grace}
    return Subject(spec, key, [[INT, TEXT]], [*key, INT, TEXT])


@pytest.mark.parametrize("key", list(KEYS))
@given(
    data=st.data(),
    plan=plans,
    order=st.lists(terms(2), max_size=2),
    grace=st.sampled_from([0, 0, 3, 10, 100]),
)
@settings(max_examples=examples(40), deadline=None)
def test_a_sort(key: str, data: st.DataObject, plan: Plan, order: list[Order], grace: int) -> None:
    key_types, keys = KEYS[key]
    found = data.draw(records([Changes.APPEND], keys, [VALUE], advances=True))
    check(sort(key_types, order, grace), lambda: SortOracle(tuple(order), grace), found, plan)


def row(time: int, value: int) -> Record:
    return Record(0, time, ((0, RowKind.INSERT, (), (value, None)),))


@pytest.mark.parametrize("event", list(Event))
def test_more_rows_than_are_read_at_once(event: Event) -> None:
    late = [row(5000 - at, at % 7) for at in range(3000)]
    found = [row(5000, 0), *late, row(7500, 1), Record(0, 9001, ())]
    order = [Order(0, descending=True)]
    run = check(sort([], order, 4000), lambda: SortOracle(tuple(order), 4000), found, Plan([1000], [event]))
    assert len(run.committed) == 3001


def test_rows_that_have_come_out_are_kept_nowhere() -> None:
    run = Run(sort([], [Order(0)], 10))
    for time in range(0, 1000, 10):
        run.process([Row(0, 0, time, time, RowKind.INSERT, (), (at, "x")) for at in range(3)])
        run.commit()
    # The rows of the last two times, the stream time, and how many have come.
    assert len(run.stores[0].entries("s", None, 1000)[0]) == len(run.changelog[0]) == 8
    assert run.kernel.stats()["entries"] == 6


@pytest.mark.parametrize(
    ("subject", "message"),
    [
        (sort([], [Order(2)], 0), "no such column"),
        (sort([], [], -1), "negative"),
        (sort([], [], 0, Changes.RETRACT), "APPEND"),
    ],
)
def test_a_wrong_specification_is_refused(subject: Subject, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        subject.make()


def test_rows_that_wait_as_a_table() -> None:
    run = Run(sort([TEXT], [Order(0)], 100))
    run.process([Row(0, 0, at, time, RowKind.INSERT, ("k",), (at, None)) for at, time in enumerate((7, 3))])
    run.commit()
    found = run.kernel.decode(*run.stores[0].entries("s", None, 100))
    assert [column.to_pylist() for column in found.columns] == [["k", "k"], [1, 0], [None, None], [3, 7]]
