"""The example with user functions gives what its case says."""

from __future__ import annotations

from pathlib import Path

from headrace.testing import read_case, run_case

CASE = Path(__file__).parents[3] / "examples" / "functions" / "vessel_classes.case"


def test_the_example_gives_what_its_case_says() -> None:
    case = read_case(CASE)
    assert run_case(case).sections == case.expected
