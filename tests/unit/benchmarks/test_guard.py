"""A hot path that takes more instructions than it did is found."""

from __future__ import annotations

import json

from benchmarks.micro.guard import COUNTS, regressions


def test_more_instructions_are_a_regression() -> None:
    before = {"a": 1_000, "b": 1_000, "c": 1_000}
    assert regressions(before, {"a": 1_099, "b": 500, "c": 1_000}) == []
    found = regressions(before, {"a": 1_101, "b": 1_000, "d": 1})
    assert found == ["d: no count is written down", "a: 1,101 instructions, 1.10 times what it was"]


def test_the_counts_are_of_the_paths() -> None:
    counts = json.loads(COUNTS.read_text())["counts"]
    assert len(counts) == 9
    assert all(count > 100_000 for count in counts.values())
