"""Idle tasks move on with the clock, from the time-out on, and only while the log can be heard."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

from headrace.engine.tasks.idle import IdleClock
from headrace.plan.operators import Aggregate, Emit, Feed, Window, WindowKind
from headrace.plan.subtopologies import Subtopology

if TYPE_CHECKING:
    from headrace.engine.operators.graph import Graph
    from headrace.engine.tasks.assignment import Tasks

GROUP = Subtopology("g", ("s",), ("g",))


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Node:
    operator: object
    latest: dict[int, int] | None = None


@dataclass
class Opened:
    numbers: set[int] = field(default_factory=lambda: {0, 1})

    def opened(self, group: str) -> set[int]:
        return self.numbers


def made(clock: Clock, timeout: float = 60.0) -> tuple[IdleClock, Node]:
    kernel = Aggregate(Feed("s", "", (), ()), (), Emit.FINAL, Window(WindowKind.TUMBLE, 1000, 0))
    node = Node(SimpleNamespace(kernel=kernel, clock=False))
    graph = cast("Graph", SimpleNamespace(operators={"g": node}))
    return IdleClock(graph, [GROUP], timeout, clock), node


def test_time_moves_on_by_what_is_beyond_the_time_out() -> None:
    clock, tasks = Clock(), cast("Tasks", Opened())
    idle, node = made(clock)
    assert node.latest == {}
    node.latest = {0: 5_000}
    assert idle.due(tasks) == {}
    clock.now += 59
    assert idle.due(tasks) == {}
    clock.now += 16
    assert idle.due(tasks) == {GROUP: {0: 20_000}}
    clock.now += 15
    node.latest = {0: 6_000, 1: 7_000}
    assert idle.due(tasks) == {}


def test_what_could_not_be_heard_does_not_count() -> None:
    clock, tasks = Clock(), cast("Tasks", Opened())
    idle, node = made(clock)
    node.latest = {0: 5_000}
    idle.due(tasks)
    clock.now += 600
    idle.reset()
    assert idle.due(tasks) == {}
    clock.now += 61
    assert idle.due(tasks) == {GROUP: {0: 6_000}}


def test_without_a_time_out_nothing_is_watched() -> None:
    idle, node = made(Clock(), timeout=0.0)
    assert node.latest is None
    assert idle.due(cast("Tasks", Opened())) == {}
