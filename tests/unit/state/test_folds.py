"""User aggregates that are folded while rows are walked, beside all values of each group."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from headrace.functions.user.declare import declared
from headrace.plan.operators import RowKind
from headrace.udf import aggregate
from tests.unit.state.pairs_and_folds import Row, Run, Values, groups

if TYPE_CHECKING:
    from headrace.functions.user import UserFunction

CALLS = {"subtract": 0, "merge": 0}


@aggregate
class Spread:
    """The sum of numbers, and of their squares; counts the methods that are called."""

    def init(self) -> tuple[int, int]:
        return 0, 0

    def add(self, state: tuple[int, int], x: int) -> tuple[int, int]:
        return state[0] + x, state[1] + x * x

    def merge(self, state: tuple[int, int], later: tuple[int, int]) -> tuple[int, int]:
        CALLS["merge"] += 1
        return state[0] + later[0], state[1] + later[1]

    def result(self, state: tuple[int, int]) -> list[int]:
        return [*state]


@aggregate(name="spread_back")
class SpreadBack(Spread):
    """As the other one, and values can be taken back."""

    def subtract(self, state: tuple[int, int], x: int) -> tuple[int, int]:
        CALLS["subtract"] += 1
        return state[0] - x, state[1] - x * x


@aggregate(name="words")
class Words:
    """All texts, in order: what a session brings together comes in the order of its parts."""

    def init(self) -> list[str]:
        return []

    def add(self, state: list[str], text: str) -> list[str]:
        if len(state) > 20:
            raise ValueError
        return [*state, text]

    def merge(self, state: list[str], later: list[str]) -> list[str]:
        return state + later

    def result(self, state: list[str]) -> str:
        return "".join(state)

    def subtract(self, state: list[str], text: str) -> list[str]:
        place = state.index(text)
        return state[:place] + state[place + 1 :]


def function(of: type) -> UserFunction:
    found = declared(of)
    assert found is not None
    assert found.fold is not None
    return found


def run(of: type, over: str, *, folds: bool = True) -> Run:
    found = function(of)
    given = {found.name: found.fold} if folds else {}
    call = {"function": "FOLD", "parameter": found.name}
    return Run(over, call, [pa.binary()], pa.list_(pa.binary()), given)  # type: ignore[arg-type]


def items(of: type, values: list[Values]) -> list[bytes]:
    """Give what the feed makes of values."""
    column = pa.chunked_array([[value for (value,) in values]])
    return [item.as_py() for item in function(of).registrations[0].evaluate([column])]


def total(of: type, log: list[bytes] | None) -> object:
    column = pa.chunked_array([pa.array([log], pa.list_(pa.binary()))])
    return function(of).registrations[1].evaluate([column]).to_pylist()[0]


@pytest.mark.parametrize("over", ["stream", "table", "tumble", "hop", "slide", "session"])
@pytest.mark.parametrize("of", [Spread, SpreadBack])
def test_results_are_those_of_all_values(of: type, over: str) -> None:
    if over == "table" and of is Spread:
        return
    rng = random.Random(f"{of.__name__} {over}")
    machine, unfolded = run(of, over), run(of, over, folds=False)
    there: list[Row] = []
    plain: list[Row] = []
    for _ in range(6):
        part: list[Row] = []
        for _ in range(40):
            if over == "table" and there and rng.random() < 0.3:
                gone = there.pop(rng.randrange(len(there)))
                part.append(Row(gone.key, gone.time, gone.values, RowKind.DELETE))
            else:
                row = Row(rng.randint(0, 1), rng.randint(0, 60), (rng.randint(-99, 99),))
                part.append(row)
                there.append(row)
        plain += part
        packed = items(of, [row.values for row in part])
        changes = [Row(row.key, row.time, (item,), row.op) for row, item in zip(part, packed, strict=True)]
        for item in (machine, unfolded):
            item.take(changes)
            item.restart()
    assert set(machine.given) == set(unfolded.given)
    for group, log in machine.given.items():
        assert total(of, log) == total(of, unfolded.given[group]), group
    if over != "slide":
        wanted = {
            group: [sum(x for (x,) in values), sum(x * x for (x,) in values)]
            for group, values in groups(over, plain).items()
        }
        assert {group: total(of, log) for group, log in machine.given.items()} == wanted
    if over in ("stream", "table"):
        assert all(len(log) < 16 for log in machine.given.values())
    assert CALLS["merge"] > 0 or of is SpreadBack


def test_what_went_is_subtracted() -> None:
    before = CALLS["subtract"]
    test_results_are_those_of_all_values(SpreadBack, "table")
    assert CALLS["subtract"] > before


def test_what_cannot_be_folded_is_kept_and_may_still_go() -> None:
    machine = run(Words, "table")
    texts = [(letter,) for letter in "abcdefghijklmnopqrstuvwxyz"]
    came = [Row(0, 0, (item,)) for item in items(Words, texts)]
    machine.take(came)
    assert len(machine.given[0, 0, 0]) > 8
    with pytest.raises(Exception, match=r"`WORDS` raised ValueError at test_folds\.py"):
        total(Words, machine.given[0, 0, 0])
    machine.take([Row(0, 0, row.values, RowKind.DELETE) for row in came[20:]])
    assert total(Words, machine.given[0, 0, 0]) == "abcdefghijklmnopqrst"
