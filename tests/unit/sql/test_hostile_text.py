"""Whatever the text: a program or a ProgramError, soon."""

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace.errors import ProgramError
from headrace.errors.render import render, to_json
from headrace.sql import parse_program, print_program

DEEP = {
    "open parentheses": "SELECT " + "(" * 10_000,
    "nested parentheses": "SELECT " + "(" * 10_000 + "1" + ")" * 10_000,
    "statement of parentheses": "(" * 10_000,
    "nested calls": "SELECT " + "f(" * 10_000,
    "nested arrays": "SELECT " + "[" * 10_000,
    "nested records": "SELECT " + "{'a':" * 10_000,
    "nested cases": "SELECT " + "CASE WHEN " * 10_000,
    "nested queries": "SELECT * FROM " + "(SELECT * FROM " * 10_000,
    "nested scalar queries": "SELECT " + "(SELECT " * 10_000,
    "nested types": "SELECT CAST(a AS " + "struct(a " * 10_000,
    "array types": "SELECT CAST(a AS int" + "[]" * 10_000 + ") FROM t",
    "signs": "SELECT " + "- " * 10_000 + "1",
    "nots": "SELECT " + "NOT " * 10_000 + "1",
    "indexes": "SELECT a" + "[0]" * 10_000 + " FROM t",
    "dots": "SELECT a" + ".b" * 10_000 + " FROM t",
    "declared types": "CREATE TABLE t (a int" + "[]" * 10_000 + ") FORMAT (INT, JSON)",
    "casts": "SELECT 1" + "::int" * 10_000,
    "sums": "SELECT 1" + "+1" * 10_000,
    "ors": "SELECT 1" + " OR 1" * 10_000,
    "between": "SELECT 1" + " BETWEEN 1 AND 1" * 5_000,
    "unions": "SELECT 1" + " UNION SELECT 1" * 5_000,
    "lambdas": "SELECT f(" + "lambda x: " * 5_000,
}


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP.keys())
def test_depth_is_refused_with_a_place(text: str) -> None:
    with pytest.raises(ProgramError) as caught:
        parse_program(text)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code.id == "SQL0111"
    assert diagnostic.span is not None


@pytest.mark.parametrize(
    "text",
    [
        "SELECT " + "(" * 45 + "1" + ")" * 45,
        "SELECT " + "f(" * 90 + "1" + ")" * 90,
        "SELECT " + "(1 + " * 45 + "1" + ")" * 45,
        "SELECT 1" + " + 1" * 800,
        "SELECT 1" + " || 1 + 2" * 140,
        "SELECT a FROM t WHERE a = 1" + " OR a = 1" * 800,
        "SELECT a FROM t WHERE a IN (1" + ", 1" * 5_000 + ")",
        "SELECT " + "(SELECT " * 20 + "1" + ")" * 20,
        "SELECT 1" + " UNION ALL SELECT 1" * 100,
    ],
)
def test_what_people_generate_is_read_and_printed(text: str) -> None:
    printed = print_program(parse_program(text))
    assert print_program(parse_program(printed)) == printed


LENGTH = 150_000
BIG = {
    "one word": "a" * LENGTH,
    "one number": "SET a = " + "1" * LENGTH,
    "durations": "1m " * (LENGTH // 3),
    "quotes": "'" * (LENGTH + 1),
    "back-ticks": "`" * (LENGTH + 1),
    "comment ends": "/*" * (LENGTH // 2),
    "semicolons": ";" * LENGTH,
    "small errors": "x;" * (LENGTH // 2),
    "characters out of place": "\0" * LENGTH,
    "blanks": " " * LENGTH,
    "hyphens": "-" * LENGTH,
    "dotted name": "SELECT * FROM " + "a." * (LENGTH // 2),
}


@pytest.mark.parametrize("text", BIG.values(), ids=BIG.keys())
def test_a_long_text_takes_little_time(text: str) -> None:
    begin = time.process_time()
    outcome(text)
    assert time.process_time() - begin < 3


def outcome(text: str) -> str:
    try:
        program = parse_program(text)
    except ProgramError as error:
        return refused(text, error)
    printed = print_program(program)
    assert print_program(parse_program(printed)) == printed
    return printed


def refused(text: str, error: ProgramError) -> str:
    assert error.diagnostics
    assert error.source is not None
    for diagnostic in error.diagnostics:
        assert diagnostic.span is not None
        assert 0 <= diagnostic.span.start <= diagnostic.span.end <= len(text)
    to_json(error)
    return render(error)


def test_a_number_too_large_for_python_stays_text() -> None:
    digits = "9" * 5000
    assert outcome(f"SET a = {digits}") == f"SET a = '{digits}';\n"
    assert outcome("SET a = 1e999") == "SET a = '1e999';\n"


WORDS = [
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP",
    "BY",
    "HAVING",
    "ORDER",
    "LIMIT",
    "UNION",
    "ALL",
    "JOIN",
    "ON",
    "AND",
    "OR",
    "NOT",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "AS",
    "IN",
    "IS",
    "LIKE",
    "BETWEEN",
    "NULL",
    "WITH",
    "INSERT",
    "INTO",
    "SET",
    "CREATE",
    "TABLE",
    "STREAM",
    "STORE",
    "KEY",
    "VALUE",
    "FORMAT",
    "WINDOW",
    "TUMBLE",
    "HOP",
    "GRACE",
    "EVENTTIME",
    "LATERAL",
    "WITHIN",
    "EMIT",
    "FINAL",
    "a",
    "b",
    "`c`",
    "_key",
    "t.u",
    "1",
    "2.5",
    "5m",
    "1h",
    "'x'",
    '"y"',
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ";",
    ".",
    "*",
    "+",
    "-",
    "/",
    "%",
    "=",
    "<",
    ">",
    "<>",
    "||",
    "::",
    ":=",
    "->",
    ":",
    "?",
    "$",
    "--",
    "//",
    "/*",
    "*/",
    "'",
    "`",
    '"',
    "f(",
    "CAST(",
    "int",
]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(max_size=60))
def test_any_text(text: str) -> None:
    outcome(text)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(WORDS), max_size=30).map(" ".join))
def test_any_heap_of_tokens(text: str) -> None:
    outcome(text)
