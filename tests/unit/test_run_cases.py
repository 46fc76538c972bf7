"""Golden cases of running programs, on the embedded log in memory.

Write a case with its `=== sql` and `=== topic` sections alone and run the tests with HEADRACE_UPDATE_CASES=1 to have the answer
filled in; then read the diff.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from headrace.testing import PLAIN, VARIANTS, Outcome, Variant, read_case, run_case, write_case

FOLDER = Path(__file__).parents[1] / "cases" / "run"
CASES = sorted(FOLDER.rglob("*.case"))
UPDATE = os.environ.get("HEADRACE_UPDATE_CASES") == "1" and "CI" not in os.environ


def name_of(item: Path | Variant) -> str:
    if isinstance(item, Variant):
        return item.name
    return item.relative_to(FOLDER).with_suffix("").as_posix()


def runs() -> list[tuple[Path, Variant]]:
    """Each case in each variant; what is refused, or stops with an offset in its message, in one alone."""
    once = ("=== failure\n", "=== diagnostics\n")
    return [
        (path, variant)
        for path in CASES
        for variant in (VARIANTS[:1] if any(mark in path.read_text() for mark in once) else VARIANTS)
    ]


@pytest.mark.parametrize(("path", "variant"), runs(), ids=name_of)
def test_case(path: Path, variant: Variant) -> None:
    case = read_case(path)
    if UPDATE:
        if variant is PLAIN:
            write_case(path, case, run_case(case, variant).sections)
        return
    actual = run_case(case, variant)
    found, expected = actual.comparable(Outcome(case.expected))
    assert found == expected


def test_there_are_cases() -> None:
    assert len(CASES) > 40
