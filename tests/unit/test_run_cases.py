"""Golden cases of running programs, on the embedded log in memory.

Write a case with its `=== sql` and `=== topic` sections alone and run the tests with HEADRACE_UPDATE_CASES=1 to have the answer
filled in; then read the diff. HEADRACE_ALL_VARIANTS=1 runs each case in all ways, instead of a few that its name chooses.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from headrace.testing import (
    PLAIN,
    PRODUCT,
    Outcome,
    Planned,
    plan_case,
    read_case,
    run_case,
    variants_of,
    write_case,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.testing import Variant

FOLDER = Path(__file__).parents[1] / "cases" / "run"
CASES = sorted(FOLDER.rglob("*.case"))
UPDATE = os.environ.get("HEADRACE_UPDATE_CASES") == "1" and "CI" not in os.environ
ALL = os.environ.get("HEADRACE_ALL_VARIANTS") == "1"


def name_of(path: Path) -> str:
    return path.relative_to(FOLDER).with_suffix("").as_posix()


def variants(path: Path, planned: Planned) -> Sequence[Variant]:
    """What is refused, or stops with an offset in its message, is run in one way alone."""
    if {"failure", "diagnostics"} & planned.case.expected.keys():
        return (PLAIN,)
    if ALL and planned.stateful:
        return PRODUCT
    return variants_of(name_of(path), stateful=planned.stateful)


@pytest.mark.parametrize("path", CASES, ids=name_of)
def test_case(path: Path) -> None:
    case = read_case(path)
    if UPDATE:
        write_case(path, case, run_case(case).sections)
        return
    plans = {1: plan_case(case)}
    for variant in variants(path, plans[1]):
        if variant.partitions not in plans:
            plans[variant.partitions] = plan_case(case, variant.partitions)
        actual = run_case(case, variant, plans[variant.partitions])
        found, expected = actual.comparable(Outcome(case.expected))
        assert found == expected, variant.name


def test_there_are_cases() -> None:
    assert len(CASES) > 40
