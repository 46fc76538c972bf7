"""Patterns over rows, as the model matches them."""

from __future__ import annotations

from random import Random
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.plan.operators import Changes, RowKind
from tests.unit.formats.decoding import examples
from tests.unit.state.join_oracles import Row
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
)
from tests.unit.state.match_oracle import MatchOracle

INT, FLOAT, TEXT = pa.int64(), pa.float64(), pa.string()
KEYS: dict[str, tuple[list[pa.DataType], Maker]] = {
    "no key": ([], one_of_each()),
    "one key": ([INT], one_of_each((1, 1, 2, None))),
    "two keys": ([TEXT, INT], one_of_each(("a", None), (1, None))),
}
VALUES: list[pa.DataType] = [INT, FLOAT, TEXT]
VALUE = one_of_each((None, -1, 0, 1, 2, 3), (None, -1.5, 0.0, 0.5, 2.0), (None, "", "a", "b"))
VARIABLES = 3

Json = Any


class Patterns:
    """Makes a pattern with its conditions and measures."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.references: list[Json] = []

    def spec(self) -> dict[str, Json]:
        random = self.random
        pattern = self.pattern(2)
        while least(pattern) == 0:
            pattern = self.pattern(2)
        return {
            "kernel": "match",
            "inputs": [Changes.APPEND],
            "pattern": pattern,
            "conditions": [
                random.choice([None, self.condition(2), self.condition(2)]) for _ in range(VARIABLES)
            ],
            "references": self.references,
            "measures": [
                {
                    "take": take,
                    "variable": self.variable(),
                    "column": column,
                    "offset": random.choice([0, 0, 1]),
                }
                for take, column in [("first", 0), ("last", 1), ("all", 2), ("count", None), ("all", 0)]
            ],
            "skip": random.choice(
                ["past_last", "to_next", {"to_first": random.randrange(3)}, {"to_last": random.randrange(3)}]
            ),
            "within": random.choice([None, 1, 5, 20]),
        }

    def variable(self) -> int | None:
        options: list[int | None] = [None, *range(VARIABLES)]
        return self.random.choice(options)

    def pattern(self, depth: int) -> Json:
        kind = self.random.choice(["variable", "variable", "sequence", "sequence", "choice", "repeat"])
        if not depth or kind == "variable":
            return {"variable": self.random.randrange(VARIABLES)}
        if kind == "repeat":
            bounds = self.random.choice([(0, None), (1, None), (0, 1), (2, None), (1, 3), (2, 2), (0, 2)])
            part = self.pattern(depth - 1)
            while least(part) == 0:
                part = self.pattern(depth - 1)
            return {
                "repeat": {
                    "of": part,
                    "least": bounds[0],
                    "most": bounds[1],
                    "reluctant": self.random.choice([False, False, True]),
                }
            }
        return {
            kind: [
                self.pattern(depth - self.random.randrange(2)) for _ in range(self.random.choice([2, 2, 3]))
            ]
        }

    def condition(self, depth: int) -> Json:
        random = self.random
        kind = random.choice(["compare", "compare", "compare", "and", "or", "not", "is_null"])
        if not depth or kind == "compare":
            by = random.choice(["eq", "ne", "lt", "le", "gt", "ge"])
            make = random.choice([self.whole, self.floating, self.text])
            return {"compare": [by, make(1), make(1)]}
        if kind == "is_null":
            return {kind: random.choice([self.whole, self.floating, self.text])(0)}
        if kind == "not":
            return {kind: self.condition(depth - 1)}
        return {kind: [self.condition(depth - 1) for _ in range(2)]}

    def whole(self, depth: int) -> Json:
        if depth and self.random.randrange(4) == 0:
            by = self.random.choice(["add", "subtract", "multiply", "divide", "remainder"])
            return {"arithmetic": [by, self.whole(0), self.whole(0)]}
        options = [
            {"column": 0},
            {"column": 0},
            {"previous": [0, self.random.choice([1, 2])]},
            {"constant": {"int": self.random.randrange(-1, 4)}},
            {"constant": "null"},
            {"negate": {"column": 0}},
        ]
        options += [
            self.reference("first last sum least greatest", 0),
            self.reference("count", self.random.choice([None, 0, 2])),
        ]
        return self.random.choice(options)

    def floating(self, depth: int) -> Json:
        if depth and self.random.randrange(4) == 0:
            by = self.random.choice(["add", "subtract", "multiply", "divide", "remainder"])
            return {"arithmetic": [by, self.floating(0), self.floating(0)]}
        options = [
            {"column": 1},
            {"float": [{"column": 0}, 0]},
            {"constant": {"float": 0.5}},
            {"previous": [1, 1]},
        ]
        options += [self.reference("first last sum average least greatest", 1)]
        return self.random.choice(options)

    def text(self, _: int) -> Json:
        options = [{"column": 2}, {"constant": {"text": "a"}}, {"previous": [2, 1]}]
        return self.random.choice([*options, self.reference("first last least greatest", 2)])

    def reference(self, functions: str, column: int | None) -> Json:
        self.references.append(
            {
                "function": self.random.choice(functions.split()),
                "variable": self.variable(),
                "column": column,
                "offset": self.random.choice([0, 0, 1, 2]),
            }
        )
        return {"reference": len(self.references) - 1}


def least(pattern: Json) -> int:
    """Give how many rows a pattern takes at least."""
    (kind, inner), *_ = pattern.items()
    if kind == "variable":
        return 1
    if kind == "repeat":
        return int(inner["least"]) * least(inner["of"])
    counts = [least(part) for part in inner]
    return min(counts) if kind == "choice" else sum(counts)


def subject_of(spec: dict[str, Json], key: list[pa.DataType]) -> Subject:
    columns: list[pa.DataType] = [
        INT
        if measure["take"] == "count"
        else pa.list_(VALUES[measure["column"]])
        if measure["take"] == "all"
        else VALUES[measure["column"]]
        for measure in spec["measures"]
    ]
    return Subject(spec, key, [VALUES], [*key, *columns])


@pytest.mark.parametrize("key", list(KEYS))
@given(data=st.data(), plan=plans, number=st.integers(0, 0xFFFF_FFFF))
@settings(max_examples=examples(120), deadline=None)
def test_a_pattern(key: str, data: st.DataObject, plan: Plan, number: int) -> None:
    types, keys = KEYS[key]
    spec = Patterns(Random(number)).spec()
    found = data.draw(records([Changes.APPEND], keys, [VALUE], advances=True))
    check(subject_of(spec, types), lambda: MatchOracle(spec), found, plan)


def row(time: int, value: int | None, key: int = 1) -> Record:
    return Record(0, time, ((0, RowKind.INSERT, (key,), (value, None, None)),))


RISING = {
    "kernel": "match",
    "inputs": [Changes.APPEND],
    "pattern": {
        "sequence": [
            {"variable": 0},
            {"repeat": {"of": {"variable": 1}, "least": 1, "most": None, "reluctant": False}},
        ]
    },
    "conditions": [None, {"compare": ["gt", {"column": 0}, {"reference": 0}]}],
    "references": [{"function": "last", "variable": None, "column": 0, "offset": 1}],
    "measures": [{"take": "all", "variable": None, "column": 0, "offset": 0}],
    "skip": "past_last",
    "within": None,
}


@pytest.mark.parametrize("event", list(Event))
def test_a_long_match_is_found_whatever_happens_on_the_way(event: Event) -> None:
    found = [row(at, at % 150) for at in range(400)]
    run = check(subject_of(RISING, [INT]), lambda: MatchOracle(RISING), found, Plan([40], [event]))
    assert [len(out.columns[1]) for out in run.committed] == [150, 150]


@pytest.mark.parametrize("event", [Event.NOTHING, Event.REOPEN, Event.REBUILD, Event.ROLLBACK])
def test_the_time_of_a_match_ends_with_rows_of_other_keys(event: Event) -> None:
    spec = {**RISING, "within": 10}
    found = [row(0, 1), row(1, 2), row(5, 1, key=2), row(9, 3), row(10, 7, key=3), row(40, 0, key=3)]
    run = check(subject_of(spec, [INT]), lambda: MatchOracle(spec), found, Plan([1], [event]))
    assert [(out.seq, out.time, out.columns) for out in run.committed] == [(40, 9, (1, (1, 2, 3)))]


def test_of_too_many_ways_to_match_those_that_are_preferred_stay() -> None:
    either = {"choice": [{"variable": 0}, {"variable": 1}]}
    spec = {
        **RISING,
        "pattern": {
            "sequence": [
                {"repeat": {"of": either, "least": 1, "most": None, "reluctant": True}},
                {"variable": 2},
            ]
        },
        # Each way to take the rows has another sum; that of the first one is asked for.
        "conditions": [None, None, {"compare": ["eq", {"reference": 0}, {"constant": {"int": 2**14 - 1}}]}],
        "references": [{"function": "sum", "variable": 0, "column": 0, "offset": 0}],
    }
    run = Run(subject_of(spec, [INT]))
    values = [*(2**at for at in range(14)), 0]
    run.process(
        [Row(0, 0, at, at, RowKind.INSERT, (1,), (value, None, None)) for at, value in enumerate(values)]
    )
    assert [out.columns for out in run.pending] == [(1, tuple(values))]


def test_state_is_shown_as_the_rows_that_a_match_may_need() -> None:
    run = Run(subject_of(RISING, [INT]))
    run.process(
        [Row(0, 0, at, at, RowKind.INSERT, (1,), (value, None, "x")) for at, value in enumerate([5, 3, 4, 6])]
    )
    run.commit()
    found = run.kernel.decode(*run.stores[0].entries("s", None, 1000))
    assert found.schema.names == ["c0", "v0", "v1", "v2", "time"]
    assert found.to_pylist()[-1] == {"c0": 1, "v0": 6, "v1": None, "v2": "x", "time": 3}
    assert found.num_rows == 3
