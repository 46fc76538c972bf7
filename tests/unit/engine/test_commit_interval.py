"""The time between commits, by a clock of the test's own."""

from __future__ import annotations

import pytest

from headrace.engine.commit_interval import CommitInterval


class Clock:
    """A clock that stands still unless it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("takes", "left"),
    [
        (0.0, 8.0),
        (3.0, 5.0),  # from beginning to beginning
        (4.0, 4.0),
        (5.0, 4.0),  # half of the interval is for records
        (60.0, 4.0),
    ],
)
def test_a_commit_takes_of_the_interval_but_half_of_it(takes: float, left: float) -> None:
    clock = Clock()
    interval = CommitInterval(8.0, clock)
    clock.now += 20
    assert interval.left() == 0
    begun = interval.now()
    clock.now += takes
    assert interval.committed(begun) == takes
    assert interval.left() == left
    clock.now += 1
    assert interval.left() == left - 1


def test_what_comes_after_a_pause_is_due_at_once() -> None:
    clock = Clock()
    interval = CommitInterval(8.0, clock)
    interval.committed(interval.now())
    clock.now += 9
    assert interval.left() == 0
