"""Joins and tables give what their models give, however the input is cut and whatever happens in between."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from random import Random

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.plan.operators import Changes, JoinKind, RowKind
from tests.unit.formats.decoding import examples
from tests.unit.state.join_oracles import (
    CountedTableOracle,
    LookupJoinOracle,
    StreamJoinOracle,
    TableJoinOracle,
    TableOracle,
    Values,
    outer_sides,
)
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
)

INT, TEXT = pa.int64(), pa.string()
SMALL = (None, None, -1, 0, 1, 2)
ONE_KEY = one_of_each((1, 1, 1, 2, 2, 2, 3, None))
TWO_KEYS = one_of_each((None, 1, 2), (None, "a", "", "ab"))
NARROW = one_of_each(SMALL)
WIDE = one_of_each(
    SMALL,
    (None, "", "x", "a longer text than eight bytes, so that it takes several blocks of them"),
    (None, (), (1,), (1, None)),
    (None, Decimal("1.50"), Decimal("-2.00")),
)
WIDE_TYPES: list[pa.DataType] = [INT, TEXT, pa.list_(INT), pa.decimal128(12, 2)]
NARROW_TYPES: list[pa.DataType] = [INT]
KEYS: dict[str, tuple[list[pa.DataType], Maker]] = {
    "one key": ([INT], ONE_KEY),
    "two keys": ([INT, TEXT], TWO_KEYS),
}
CALM = Plan([100], [Event.NOTHING])

keys = pytest.mark.parametrize(("key_types", "key"), KEYS.values(), ids=list(KEYS))
kinds = pytest.mark.parametrize("kind", list(JoinKind))
some = settings(max_examples=examples(15), deadline=None)


def table(key_types: list[pa.DataType], *, counted: bool = False) -> Subject:
    return Subject(
        {"kernel": "table", "inputs": ["retract" if counted else "upsert"], "counted": counted},
        key_types,
        [WIDE_TYPES],
        [*key_types, *WIDE_TYPES],
    )


@keys
@given(data=st.data(), plan=plans)
@some
def test_a_table(key_types: list[pa.DataType], key: Maker, data: st.DataObject, plan: Plan) -> None:
    found = data.draw(records([Changes.UPSERT], key, [WIDE]))
    check(table(key_types), TableOracle, found, plan)


@keys
@given(data=st.data(), plan=plans)
@some
def test_a_counted_table(key_types: list[pa.DataType], key: Maker, data: st.DataObject, plan: Plan) -> None:
    found = data.draw(records([Changes.RETRACT], key, [WIDE]))
    check(table(key_types, counted=True), CountedTableOracle, found, plan)


@keys
@pytest.mark.parametrize("kind", [JoinKind.INNER, JoinKind.LEFT])
@given(data=st.data(), plan=plans)
@some
def test_a_lookup_join(
    key_types: list[pa.DataType],
    key: Maker,
    kind: JoinKind,
    data: st.DataObject,
    plan: Plan,
) -> None:
    subject = Subject(
        {"kernel": "lookup_join", "inputs": ["append", "upsert"], "kind": kind},
        key_types,
        [NARROW_TYPES, WIDE_TYPES],
        [*key_types, *NARROW_TYPES, *WIDE_TYPES],
    )
    found = data.draw(records([Changes.APPEND, Changes.UPSERT], key, [NARROW, WIDE]))
    check(subject, lambda: LookupJoinOracle(kind, len(WIDE_TYPES)), found, plan)


def stream_join(
    kind: JoinKind,
    before: int,
    after: int,
    grace: int,
    key_types: list[pa.DataType],
    window: dict[str, int] | None = None,
) -> Subject:
    return Subject(
        {
            "window": window,
            "kernel": "stream_join",
            "inputs": ["append", "append"],
            "kind": kind,
            "before": before,
            "after": after,
            "grace": grace,
        },
        key_types,
        [NARROW_TYPES, WIDE_TYPES],
        [*key_types, *NARROW_TYPES, *WIDE_TYPES],
    )


@kinds
@given(data=st.data(), plan=plans, size=st.sampled_from([1, 7, 20]), grace=st.sampled_from([0, 0, 3, 10]))
@some
def test_a_join_in_windows(kind: JoinKind, data: st.DataObject, plan: Plan, size: int, grace: int) -> None:
    key = one_of_each((None, None, 0, 1, 2))
    found = [
        replace(
            record,
            rows=tuple(
                (side, op, (*key, record.time - record.time % size), value)
                for side, op, key, value in record.rows
            ),
        )
        for record in data.draw(records([Changes.APPEND, Changes.APPEND], key, [NARROW, WIDE], advances=True))
    ]
    check(
        stream_join(kind, 0, 0, grace, [INT, INT], {"key": 1, "until": size, "size": size}),
        lambda: StreamJoinOracle(kind, 0, 0, grace, (1, len(WIDE_TYPES)), size),
        found,
        plan,
    )


@keys
@kinds
@given(
    data=st.data(),
    plan=plans,
    bounds=st.tuples(
        st.sampled_from([0, 1, 5, 20]), st.sampled_from([0, 1, 5, 20]), st.sampled_from([0, 0, 3, 10])
    ),
)
@settings(max_examples=examples(25), deadline=None)
def test_a_stream_join(
    key_types: list[pa.DataType],
    key: Maker,
    kind: JoinKind,
    data: st.DataObject,
    plan: Plan,
    bounds: tuple[int, int, int],
) -> None:
    found = data.draw(records([Changes.APPEND, Changes.APPEND], key, [NARROW, WIDE], advances=True))
    check(
        stream_join(kind, *bounds, key_types),
        lambda: StreamJoinOracle(kind, *bounds, (1, len(WIDE_TYPES))),
        found,
        plan,
    )


@kinds
@pytest.mark.parametrize(("before", "after"), [(-1, 0), (5, -6), (-3, -3)])
def test_rows_that_can_never_meet_come_out_at_once(kind: JoinKind, before: int, after: int) -> None:
    found = [
        Record(0, time, ((side, RowKind.INSERT, (1,), (7,) if side == 0 else (None, "x", None, None)),))
        for side, time in ((0, 50), (1, 50), (1, 3), (0, 2))
    ]
    run = Run(stream_join(kind, before, after, 0, [INT]))
    for rows in rows_of(found):
        run.process(rows)
    run.commit()
    left, right = (1, 7, None, None, None, None), (1, None, None, "x", None, None)
    outer = {side for side in (0, 1) if side in outer_sides(kind)}
    expected = [(side, time) for side, time in ((0, 50), (1, 50), (1, 3), (0, 2)) if side in outer]
    assert [(out.columns, out.time) for out in run.committed] == [
        ((left, right)[side], time) for side, time in expected
    ]
    assert run.late == []


def table_join(kind: JoinKind, left: Changes, right: Changes, key_types: list[pa.DataType]) -> Subject:
    return Subject(
        {"kernel": "table_join", "inputs": [left, right], "kind": kind},
        key_types,
        [NARROW_TYPES, WIDE_TYPES],
        [*key_types, *NARROW_TYPES, *WIDE_TYPES],
    )


@keys
@kinds
@pytest.mark.parametrize("left", list(Changes))
@pytest.mark.parametrize("right", [Changes.UPSERT, Changes.RETRACT])
@given(data=st.data(), plan=plans)
@settings(max_examples=examples(8), deadline=None)
def test_a_table_join(
    key_types: list[pa.DataType],
    key: Maker,
    kind: JoinKind,
    left: Changes,
    right: Changes,
    data: st.DataObject,
    plan: Plan,
) -> None:
    subject = table_join(kind, left, right, key_types)
    found = data.draw(records([left, right], key, [NARROW, WIDE]))
    upsert = (left is Changes.UPSERT, right is Changes.UPSERT)
    check(subject, lambda: TableJoinOracle(kind, upsert, (1, len(WIDE_TYPES))), found, plan)


def append(time: int, *rows: tuple[int, int | None, int]) -> Record:
    """A record with rows of (input, key, value); the right side has the wide columns."""
    return Record(
        0,
        time,
        tuple(
            (side, RowKind.INSERT, (key,), (value, None, None, None) if side else (value,))
            for side, key, value in rows
        ),
    )


@pytest.mark.parametrize(
    ("name", "found"),
    {
        "both ends of the window match": [append(10, (0, 1, 7)), append(5, (1, 1, 1)), append(15, (1, 1, 2))],
        "just outside": [append(10, (0, 1, 7)), append(4, (1, 1, 1)), append(16, (1, 1, 2))],
        "closed for one side, open for the other": [
            append(10, (0, 1, 7)),
            append(16, (0, 2, 8)),
            append(15, (1, 1, 1)),
        ],
        "a self-join": [append(3, (0, 1, 7), (1, 1, 7)), append(4, (0, 1, 8), (1, 1, 8))],
        "many closings at once": [append(time, (0, 1, time), (1, 2, time)) for time in (3, 1, 2)]
        + [append(99, (0, 3, 0))],
    }.items(),
)
@kinds
@pytest.mark.parametrize("event", list(Event))
def test_stream_joins_at_the_edges(name: str, found: list[Record], kind: JoinKind, event: Event) -> None:
    model = lambda: StreamJoinOracle(kind, 5, 5, 0, (1, len(WIDE_TYPES)))  # noqa: E731
    check(stream_join(kind, 5, 5, 0, [INT]), model, found, Plan([1], [event]))


@pytest.mark.parametrize("event", [Event.NOTHING, Event.REOPEN, Event.ROLLBACK, Event.TRIM])
def test_many_rows_of_one_key(event: Event) -> None:
    random = Random(1)
    live: list[Values] = []
    found = []
    for turn in range(400):
        op = RowKind.DELETE if live and turn > 150 and random.random() < 0.6 else RowKind.INSERT
        value = live.pop(random.randrange(len(live))) if op < 0 else (random.randrange(120),)
        if op > 0:
            live.append(value)
        found.append(Record(0, turn, ((0, op, (1,), value),)))
    partner = (5, "x", None, None)
    found.insert(150, Record(0, 150, ((1, RowKind.INSERT, (1,), partner),)))
    found.insert(300, Record(0, 300, ((1, RowKind.DELETE, (1,), partner),)))
    check(
        table_join(JoinKind.FULL, Changes.RETRACT, Changes.RETRACT, [INT]),
        lambda: TableJoinOracle(JoinKind.FULL, (False, False), (1, len(WIDE_TYPES))),
        found,
        Plan([40], [event]),
    )
