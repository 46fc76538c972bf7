"""A program of the suites that is refused and did run before is found; this needs no data of the suites."""

from __future__ import annotations

import pytest

from tests.suites import flink_programs, nexmark_programs
from tests.suites.program import Program, Refused, Verdict
from tests.suites.refusals import REFUSED
from tests.suites.run_suites import NotPlanned, judged


def not_planned(program: Program) -> None:
    message = f"error[SQL0303]: {program.name}"
    raise NotPlanned(message)


def test_the_list_is_that_of_the_declared_refusals() -> None:
    found = {
        f"{suite} {item.name}"
        for suite, programs in (("nexmark", nexmark_programs.PROGRAMS), ("flink", flink_programs.PROGRAMS))
        for item in programs
        if isinstance(item, Refused)
    }
    assert found == REFUSED


@pytest.mark.parametrize(
    ("name", "program", "outcome"),
    [
        ("nexmark q1", Program("q1", ""), "pass"),
        ("nexmark q1", Refused("q1", "why"), "wrong"),
        ("flink sort-asc", Refused("sort-asc", "why"), "refused"),
        ("flink sort-asc", Program("sort-asc", ""), "wrong"),
        ("nexmark q1", None, "wrong"),
    ],
)
def test_programs_are_refused_as_the_list_says(
    name: str, program: Program | Refused | None, outcome: str
) -> None:
    assert judged(name, program, lambda _: None).outcome == outcome


def test_a_program_that_the_planner_does_not_take_any_more_is_wrong() -> None:
    found = judged("nexmark q1", Program("q1", ""), not_planned)
    assert found == Verdict("nexmark q1", "wrong", "refused, and not on the list: error[SQL0303]: q1")
    assert judged("flink sort-asc", Program("sort-asc", ""), not_planned).outcome == "refused"
