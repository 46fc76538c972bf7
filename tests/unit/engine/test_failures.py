"""What kind of failure an expression had, in words without the values of records."""

from __future__ import annotations

import duckdb
import pytest

from headrace.engine.failures import failure_of


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT error('seven')", "a function does not accept a value"),
        (
            "SELECT list_reduce(list_filter([7], lambda x: x > 9), lambda a, x: a + x)",
            "a function does not accept a value",
        ),
        ("SELECT (SELECT unnest([1, 2]))", "a query inside an expression gives more than one row"),
        (
            "SELECT CAST('seven' AS INTEGER)",
            "a value cannot be converted to the type that the query asks for",
        ),
        (
            "SELECT CAST(2147483647 AS INTEGER) + CAST(1 AS INTEGER)",
            "a number is out of the range of its type",
        ),
    ],
)
def test_a_failure_is_named_without_its_values(query: str, said: str) -> None:
    with duckdb.connect() as connection, pytest.raises(duckdb.Error) as caught:
        connection.execute(query).fetchall()
    assert failure_of(caught.value) == said
