"""JsonPath in DuckDB's words."""

from __future__ import annotations

import pytest

from headrace.errors import ProgramError
from headrace.functions.json_path import JsonPathError, translate
from tests.unit.functions.duckdb_calls import evaluate, rendered

JSON = (
    """{"a": {"b": [1, {"c": "x"}, null], "odd name": true, "it's": 4, "q\\"q": 5}, "z": "text", "é": 6, """
    """"list": [[1, 2], [3]], "n": null}"""
)


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@pytest.mark.parametrize(
    ("path", "result"),
    [
        ("$.z", "text"),
        ("z", "text"),
        ("$.a.b[0]", "1"),
        ("$.a.b[-1]", None),
        ("$.a.b[1].c", "x"),
        ("$['a']['odd name']", "true"),
        ('$["a"]["odd name"]', "true"),
        ("$.a['it\\'s']", "4"),
        ("""$.a['q"q']""", "5"),
        ("$.é", "6"),
        ("$.list[1][0]", "3"),
        ("$.list[*][0]", "1"),
        ("$..c", "x"),
        ("$.n", None),
        ("$.none.deeper", None),
        ("$.a.b[1]", '{"c":"x"}'),
        ("$.list[0]", "[1,2]"),
    ],
)
def test_the_first_value_at_a_path(path: str, result: str | None) -> None:
    assert evaluate(f"JSON_EXTRACT_FIRST({quoted(JSON)}, {quoted(path)})")[1] == result


@pytest.mark.parametrize(
    ("path", "result"),
    [
        ("$.list[*][*]", "[1, 2, 3]"),
        ("$.a.b[*].c", "[x]"),
        ("$.z", "[text]"),
        ("$.none", "[]"),
        ("$.none[*]", "[]"),
    ],
)
def test_all_values_at_a_path(path: str, result: str) -> None:
    assert evaluate(f"JSON_EXTRACT_ALL({quoted(JSON)}, {quoted(path)})") == ("VARCHAR[]", result)


@pytest.mark.parametrize("call", ["JSON_EXTRACT_FIRST('{', '$.a')", "JSON_EXTRACT_ALL('no', '$.a')"])
def test_a_text_that_is_no_json_fails(call: str) -> None:
    with pytest.raises(Exception, match="Malformed JSON"):
        evaluate(call)


@pytest.mark.parametrize(
    ("path", "part", "message"),
    [
        ("$.a[?(@.b > 1)]", "[?(@.b > 1)]", "filters are not supported in a JSON path"),
        ("$.a[0:2]", "[0:2]", "slices are not supported in a JSON path"),
        ("$.a b", " b", "the JSON path cannot be read from here"),
        ("$.", ".", "the JSON path cannot be read from here"),
        ("$.a[x]", "[x]", "the JSON path cannot be read from here"),
    ],
)
def test_what_is_not_supported_is_pointed_at(path: str, part: str, message: str) -> None:
    with pytest.raises(JsonPathError) as caught:
        translate(path)
    assert caught.value.message == message
    assert path[caught.value.start : caught.value.end] == part


def test_the_caret_stands_inside_the_literal() -> None:
    call = "JSON_EXTRACT_FIRST(j, '$.a[0:2]')"
    with pytest.raises(ProgramError) as caught:
        rendered(call)
    [fault] = caught.value.diagnostics
    assert fault.code.id == "SQL0404"
    assert fault.span is not None
    assert f"SELECT {call}"[fault.span.start : fault.span.end] == "[0:2]"
