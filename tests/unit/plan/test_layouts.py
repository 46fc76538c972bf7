"""Which state is kept in which way."""

from __future__ import annotations

import pytest

from headrace.plan.layouts import state_layout
from tests.unit.planner.topics import plan


@pytest.mark.parametrize(
    ("calls", "over_table"),
    [
        ("COUNT(*)", 2),
        ("SUM(CAST(amount AS long)), AVG(CAST(amount AS int)), MAX(amount)", 2),
        ("STDDEV(amount)", 3),
        ("SUM(amount)", 3),
        ("AVG(amount)", 3),
        ("SUM(DISTINCT CAST(amount AS double))", 3),
        ("VAR_POP(CAST(amount AS float))", 3),
        ("STDDEV(CAST(amount AS decimal(38, 2)))", 3),
    ],
)
def test_sums_of_doubles_and_decimals_over_tables_have_a_layout_of_their_own(
    calls: str, over_table: int
) -> None:
    for source, expected in (("STREAM", 2), ("TABLE", over_table)):
        sql = f"SELECT {source} {calls} FROM orders GROUP BY address.country"
        operators = plan(f"SET defaults.topic.autocreate=true; INSERT INTO out {sql}").operators
        assert state_layout(operators[-1].kernel) == expected
        assert all(state_layout(operator.kernel) == 1 for operator in operators[:-1])
