"""`parse_query` takes one query, with settings before it."""

from __future__ import annotations

import pytest

from headrace.errors import ProgramError
from headrace.sql import parse_query
from headrace.sql.nodes import Query, Set


def test_a_query_may_have_settings_and_names_before_it() -> None:
    program = parse_query("SET max.size = '1m'; WITH a AS (SELECT x FROM t) SELECT x FROM a;")
    setting, query = program.statements
    assert isinstance(setting, Set)
    assert isinstance(query, Query)
    assert [named.name for named in query.names] == ["a"]


@pytest.mark.parametrize(
    ("text", "message", "marked"),
    [
        ("INSERT INTO a SELECT x FROM t", "a query is expected", "INSERT INTO a SELECT x FROM t"),
        ("SELECT 1; SELECT 2", "only one query can run at a time", "SELECT 2"),
        ("SET a = 1", "a query is expected", "SET a = 1"),
    ],
)
def test_anything_else_is_refused(text: str, message: str, marked: str) -> None:
    with pytest.raises(ProgramError) as caught:
        parse_query(text, "-e")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.message == message
    assert diagnostic.span is not None
    assert text[diagnostic.span.start : diagnostic.span.end] == marked
    assert caught.value.source is not None
    assert caught.value.source.name == "-e"


@pytest.mark.parametrize(
    "text",
    [
        "SELECT TRANSFORM([1, 2], x -> x + 1)",
        "SELECT TRANSFORM([[1], [2]], x -> FILTER(x, y -> y > SIZEOF(x)))",
        "SELECT REDUCE([1, 2], (a, x) -> a + x), (SELECT max(n) FROM t)",
        "SELECT [x.a.b FOR x IN [{'a': {'b': 1}}] IF x.a.b > 0]",
        f"SELECT {' + '.join(['1'] * 800)}",
    ],
)
def test_names_of_lambdas_need_no_topic(text: str) -> None:
    (query,) = parse_query(text).statements
    assert isinstance(query, Query)


@pytest.mark.parametrize(
    "text", ["SELECT TRANSFORM([1], x -> y)", "SELECT TRANSFORM([1], x -> x), x", "SELECT count(*)"]
)
def test_columns_need_a_topic(text: str) -> None:
    with pytest.raises(ProgramError) as caught:
        parse_query(text)
    assert [item.message for item in caught.value.diagnostics] == ["the query has no FROM"]
