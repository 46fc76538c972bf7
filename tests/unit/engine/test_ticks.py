"""Operators by the clock move on when something may close, and only then."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.engine.tasks.ticks import Closings, Ticks, closings_of
from headrace.plan.operators import Aggregate, Emit, Feed, Over, Stretch, Table, Window, WindowKind
from headrace.plan.subtopologies import Subtopology

if TYPE_CHECKING:
    from headrace.engine.operators.graph import Graph
    from headrace.engine.tasks.assignment import Tasks

GROUP = Subtopology("g", ("s",), ("g",))
FEED = Feed("s", "", (), ())


@dataclass
class Node:
    operator: object
    latest: dict[int, int] | None = None


@dataclass
class Opened:
    stored: dict[int, int | None] = field(default_factory=lambda: {0: 5_000, 1: None})

    def opened(self, group: str) -> set[int]:
        return set(self.stored)

    def stream_time(self, group: str, partition: int, operator: str) -> int | None:
        return self.stored[partition]


def made(window: Window, *, clock: bool = True) -> tuple[Ticks, Node]:
    kernel = Aggregate(FEED, (), Emit.FINAL, window)
    node = Node(SimpleNamespace(kernel=kernel, clock=clock))
    graph = cast("Graph", SimpleNamespace(operators={"g": node}))
    return Ticks(graph, [GROUP], 0.2), node


def moves(ticks: Ticks, now: int, held: int | None = None) -> dict[int, int]:
    return {
        partition: time for _, times in ticks.due(now, lambda _: held) for partition, time in times.items()
    }


def test_windows_close_at_their_ends_and_then_nothing_moves_any_more() -> None:
    ticks, node = made(Window(WindowKind.TUMBLE, 1000, 0))
    tasks = Opened()
    assert ticks.learn(cast("Tasks", tasks)) == {"g": {0: 5_000}}
    assert ticks.learn(cast("Tasks", tasks)) == {}
    assert moves(ticks, 5_999) == {}
    assert moves(ticks, 6_050) == {0: 6_050}
    assert moves(ticks, 9_000) == {}
    node.latest = {0: 9_100, 1: 9_200}
    assert moves(ticks, 9_900) == {}
    assert moves(ticks, 10_001) == {0: 10_001, 1: 10_001}
    assert moves(ticks, 20_000) == {}


def test_no_record_that_waits_is_made_late() -> None:
    ticks, node = made(Window(WindowKind.TUMBLE, 1000, 0))
    ticks.learn(cast("Tasks", Opened()))
    node.latest = {0: 5_500}
    assert moves(ticks, 8_000, held=5_999) == {}
    assert moves(ticks, 8_000, held=6_000) == {0: 6_000}


def test_sessions_are_looked_at_now_and_then() -> None:
    ticks, node = made(Window(WindowKind.SESSION, 10_000, 0))
    ticks.learn(cast("Tasks", Opened()))
    node.latest = {1: 6_000}
    assert moves(ticks, 6_100) == {0: 6_100}
    assert moves(ticks, 6_500) == {1: 6_500}
    assert moves(ticks, 16_002) == {0: 16_002, 1: 16_002}
    assert moves(ticks, 30_000) == {}


def test_what_is_undone_and_what_goes_is_asked_for_anew() -> None:
    ticks, node = made(Window(WindowKind.TUMBLE, 1000, 0))
    tasks = Opened()
    ticks.learn(cast("Tasks", tasks))
    assert moves(ticks, 6_000) == {0: 6_000}
    node.latest = {0: 6_500}
    ticks.reset()
    assert moves(ticks, 7_000) == {}
    assert ticks.learn(cast("Tasks", tasks)) == {"g": {0: 5_000}}
    assert moves(ticks, 7_000) == {0: 7_000}
    del tasks.stored[0]
    ticks.left(cast("Tasks", tasks))
    tasks.stored[0] = 7_100
    assert ticks.learn(cast("Tasks", tasks)) == {"g": {0: 7_100}}


def test_what_goes_by_event_time_is_left_alone() -> None:
    ticks, node = made(Window(WindowKind.TUMBLE, 1000, 0), clock=False)
    assert not ticks.watches()
    assert node.latest is None
    assert closings_of(Table(FEED)) is None
    assert closings_of(Over(FEED, ())) is None


def test_rows_over_a_stretch_of_time_come_out_right_behind_their_grace() -> None:
    assert closings_of(Over(FEED, (), stretch=Stretch(60_000, 5))) == Closings(6)


@given(
    size=st.integers(1, 50), advance=st.integers(1, 50), grace=st.integers(0, 20),
    offset=st.integers(0, 30), last=st.integers(0, 200), steps=st.lists(st.integers(0, 40), max_size=12),
)  # fmt: skip
def test_no_end_of_a_window_is_passed_over(
    size: int, advance: int, grace: int, offset: int, last: int, steps: list[int]
) -> None:
    """Looked at whenever the clock has moved, each window of the last record is closed as soon as its end has passed."""
    advance = min(size, advance)
    closings = closings_of(
        Aggregate(FEED, (), Emit.FINAL, Window(WindowKind.HOP, size, grace, advance, offset))
    )
    assert closings is not None
    begin = range(-size // advance - 5, last // advance + 5)
    ends = [
        start + size + grace
        for start in (offset + number * advance for number in begin)
        if start <= last < start + size
    ]
    time = now = last
    for step in steps:
        now += step
        if closings.due(time, last, now, 200):
            time = now
        assert [end for end in ends if end <= now] == [end for end in ends if end <= time]


@pytest.mark.parametrize(("now", "due"), [(1, 0), (499, 0), (500, 1), (10_001, 1)])
def test_time_pauses_where_anything_may_close_at_any_time(now: int, due: int) -> None:
    assert Closings(10_000).due(0, 0, now, 200) == bool(due)
