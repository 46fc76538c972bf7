"""Every example of every declaration, on a real DuckDB."""

from __future__ import annotations

import pytest

from headrace.functions import Example, Function, Kind, all_functions
from tests.unit.functions.duckdb_calls import evaluate

SCALARS = [function for function in all_functions() if function.kind is not Kind.AGGREGATE]
EXAMPLES = [
    pytest.param(function, example, id=example.call) for function in SCALARS for example in function.examples
]


@pytest.mark.parametrize(("function", "example"), EXAMPLES)
def test_the_example_gives_its_result(function: Function, example: Example) -> None:
    assert evaluate(example.call) == evaluate(example.result, plain=True)


@pytest.mark.parametrize("function", SCALARS, ids=lambda function: function.name)
def test_a_function_has_two_examples_that_call_it(function: Function) -> None:
    names = (function.name, *function.aliases)
    assert len(function.examples) >= 2
    assert all(any(f"{name}(" in example.call for name in names) for example in function.examples)
