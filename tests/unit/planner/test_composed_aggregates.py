"""What is refused of the aggregates that are made of others: it is told of in their own names."""

from __future__ import annotations

import pytest

from headrace.errors import ProgramError
from headrace.planner import plan_program
from headrace.sql import parse_program
from tests.unit.planner.topics import known


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("MODE(address)", "`MODE` compares values"),
        ("MODE(DISTINCT id)", "DISTINCT does not go with `MODE`"),
        ("MEDIAN(customer)", "`MEDIAN` takes a number"),
        ("ARG_MAX(id)", "`ARG_MAX` takes 2 arguments, not 1"),
        ("ARG_MIN(DISTINCT id, quantity)", "DISTINCT does not go with `ARG_MIN`"),
        ("MAX(address)", "`MAX` compares values"),
        ("MODE(SUM(id))", "an aggregate stands inside another"),
    ],
)
def test_what_is_wrong_is_told_of(call: str, message: str) -> None:
    program = f"SET autocreate = true; INSERT INTO o SELECT STREAM {call} AS x FROM orders GROUP BY customer"
    with pytest.raises(ProgramError) as caught:
        plan_program(parse_program(program), known())
    (fault, *_) = caught.value.diagnostics
    assert message in fault.message
    assert fault.span is not None
