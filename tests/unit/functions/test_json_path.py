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


CANNOT_READ = (
    "the filter of the JSON path cannot be read from here: write `[?(@.field < 10 && @.other == 'text')]`"
)
SLICES = "a slice of a JSON path is `[from:to]` or `[from:to:step]`, with a step above 0"

ROWS = (
    """{"a": [{"p": 5, "n": "x"}, {"p": 12, "n": "y", "s": true}, {"p": "5", "n": null}, {"p": 7.5}, {"q": [1, 2, 3]}], """
    """"l": [[1, 2, 3], [4, 5], 7], "b": {"p": 1}, "big": [9007199254740993, 9007199254740992, null, "it's"]}"""
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


@pytest.mark.parametrize(
    ("path", "result"),
    [
        ("$.a[0:2].p", "[5, 12]"),
        ("$.l[*][-2:]", "[2, 3, 4, 5]"),
        ("$.l[1:][0]", "[4]"),
        ("$.l[::2]", "['[1,2,3]', 7]"),
        ("$.l[ 0 : -1 ]", "['[1,2,3]', '[4,5]']"),
        ("$.l[5:]", "[]"),
        ("$.l[-9:1][*]", "[1, 2, 3]"),
        ("$.l[:2][1:]", "[2, 3, 5]"),
        ("$.l[-1:0]", "[]"),
        ("$.none[0:1]", "[]"),
        ("$.b[0:1]", "[]"),
        ("$..q[1:3]", "[2, 3]"),
        ("$.big[1:3]", "[9007199254740992, NULL]"),
    ],
)
def test_slices(path: str, result: str) -> None:
    assert evaluate(f"JSON_EXTRACT_ALL({quoted(ROWS)}, {quoted(path)})") == ("VARCHAR[]", result)


@pytest.mark.parametrize(
    ("path", "result"),
    [
        ("$.a[?(@.p > 5)].p", "[12, 7.5]"),
        ("$.a[?(@.p >= 7.5)].p", "[12, 7.5]"),
        ("$.a[?(7 < @.p)].p", "[12, 7.5]"),
        ("$.a[?(@.p == 5)].n", "[x]"),
        ("$.a[?(@.p != 5)].p", "[12, 5, 7.5]"),
        ("$.a[?@.s].p", "[12]"),
        ("$.a[?(!@.s && @.p)].p", "[5, 5, 7.5]"),
        ("$.a[?(@.n == null)].p", "[5]"),
        ("$.a[?(@.s == true)].n", "[y]"),
        ("$.a[?(@.s == false)].n", "[]"),
        ("$.a[?(@.n == 'x' || @['n'] >= \"y\")].p", "[5, 12]"),
        ("$.a[?(@.q[1] == 2)].q[1:]", "[2, 3]"),
        ("$.a[?(@.q[-1] == 3)].q[0]", "[1]"),
        ("$.big[?(@ == 9007199254740993)]", "[9007199254740993]"),
        ("$.big[?(@ == 'it\\'s')]", "['it\\'s']"),
        ("$.l[*][?(@ > 2)]", "[3, 4, 5]"),
        ("$.b[?(@.p == 1)]", "[]"),
        ("$..q[?(@ != 2)]", "[1, 3]"),
    ],
)
def test_filters(path: str, result: str) -> None:
    assert evaluate(f"JSON_EXTRACT_ALL({quoted(ROWS)}, {quoted(path)})") == ("VARCHAR[]", result)


@pytest.mark.parametrize("path", ["$[0:1]", "$[?(@.a == 1)].b", "$.a[*][0:1].c", "$.a[1:][?(@ > 1)]"])
def test_null_is_null_behind_slices_and_filters(path: str) -> None:
    for text in ("CAST(NULL AS STRING)", "SUBSTRING('x', CAST(NULL AS INT))"):
        assert evaluate(f"JSON_EXTRACT_ALL({text}, '{path}')")[1] is None
        assert evaluate(f"JSON_EXTRACT_FIRST({text}, '{path}')")[1] is None


def test_a_text_that_is_no_json_fails_behind_a_slice_too() -> None:
    with pytest.raises(Exception, match="Malformed JSON"):
        evaluate("JSON_EXTRACT_ALL('no', '$[0:1]')")


@pytest.mark.parametrize("call", ["JSON_EXTRACT_FIRST('{', '$.a')", "JSON_EXTRACT_ALL('no', '$.a')"])
def test_a_text_that_is_no_json_fails(call: str) -> None:
    with pytest.raises(Exception, match="Malformed JSON"):
        evaluate(call)


@pytest.mark.parametrize(
    ("path", "part", "message"),
    [
        ("$.a[?(@.b > @.c)]", "@.b > @.c)]", "a filter of a JSON path compares a field with a constant"),
        ("$.a[?(@.b =~ /x/)]", " =~ /x/)]", CANNOT_READ),
        ("$.a[?(@.b", "", CANNOT_READ),
        ("$.a[?(@.length() > 1)]", "() > 1)]", CANNOT_READ),
        ("$.a[?(1)]", "1)]", CANNOT_READ),
        ("$.a[0:2:0]", "[0:2:0]", SLICES),
        ("$.a[2:x]", "[2:x]", SLICES),
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
    call = "JSON_EXTRACT_FIRST(j, '$.a[0:2:0]')"
    with pytest.raises(ProgramError) as caught:
        rendered(call)
    [fault] = caught.value.diagnostics
    assert fault.code.id == "SQL0404"
    assert fault.span is not None
    assert f"SELECT {call}"[fault.span.start : fault.span.end] == "[0:2:0]"
