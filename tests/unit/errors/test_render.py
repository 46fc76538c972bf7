"""How diagnostics are drawn, and given as data."""

from __future__ import annotations

import json
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.errors import Diagnostic, Label, ProgramError, RunError, Severity, Source, Span
from headrace.errors.codes import Code
from headrace.errors.render import render, to_json

CODE = Code("SQL0999", "a code of tests", "It exists in tests alone.")


def error(text: str, *spans: tuple[int, int], help_: str | None = None, **more: object) -> ProgramError:
    items = tuple(Diagnostic(CODE, "it is wrong", Span(*span), help_, **more) for span in spans)  # type: ignore[arg-type]
    return ProgramError(items, Source("file.sql", text))


def test_a_place_is_underlined_with_its_help() -> None:
    text = "INSERT INTO x\nSELECT amout FROM orders"
    assert render(error(text, (21, 26), help_="did you mean `amount`?")) == (
        "error[SQL0999]: it is wrong\n"
        "  --> file.sql:2:8\n"
        " 2 | SELECT amout FROM orders\n"
        "   |        ^^^^^ help: did you mean `amount`?"
    )


def test_several_diagnostics_stand_apart() -> None:
    drawn = render(error("a\nb", (0, 1), (2, 3)))
    assert drawn.split("\n\n") == [
        "error[SQL0999]: it is wrong\n  --> file.sql:1:1\n 1 | a\n   | ^",
        "error[SQL0999]: it is wrong\n  --> file.sql:2:1\n 2 | b\n   | ^",
    ]


def test_labels_stand_under_their_own_lines() -> None:
    text = "first\nsecond\nthird\nfourth"
    labels = (Label(Span(0, 5), "defined here"), Label(Span(14, 16), "and here"), Label(Span(19, 25), "last"))
    assert render(error(text, (13, 18), help_="rename it", labels=labels, notes=("a note",))) == (
        "error[SQL0999]: it is wrong\n"
        "  --> file.sql:3:1\n"
        " 1 | first\n"
        "   | ----- defined here\n"
        "  ⋮\n"
        " 3 | third\n"
        "   | ^^^^^ help: rename it\n"
        "   |  -- and here\n"
        " 4 | fourth\n"
        "   | ------ last\n"
        "   = note: a note"
    )


def test_a_span_over_lines_shows_where_it_begins_and_ends() -> None:
    text = "SELECT a,\n  b,\n  c\nFROM t"
    assert render(error(text, (7, 18), help_="less")) == (
        "error[SQL0999]: it is wrong\n"
        "  --> file.sql:1:8\n"
        " 1 | SELECT a,\n"
        "   |        ^^\n"
        "  ⋮\n"
        " 3 |   c\n"
        "   |   ^ help: less"
    )


@pytest.mark.parametrize(
    ("text", "span", "column"),
    [
        ("ab x", (3, 4), 3),
        ("\tx", (1, 2), 4),
        ("a\tx", (2, 3), 4),
        ("日本x", (2, 3), 4),
        ("e\u0301x", (2, 3), 1),
        ("\x1b[31mx", (5, 6), 5),
    ],
)
def test_the_caret_stands_under_the_character(text: str, span: tuple[int, int], column: int) -> None:
    _, _, shown, carets = render(error(text, span)).split("\n")
    prefix = " 1 | "
    before = shown[len(prefix) : shown.index("x")]
    width = sum(
        0 if unicodedata.combining(mark) else 2 if unicodedata.east_asian_width(mark) in "WF" else 1
        for mark in before
    )
    assert carets == "   | " + " " * column + "^"
    assert width == column


def test_control_characters_of_the_text_do_not_reach_the_terminal() -> None:
    drawn = render(error("a \x1b[2J \x00 b\u202e", (0, 1), help_="x\x07y"))
    assert not any(character != "\n" and not character.isprintable() for character in drawn)


def test_a_very_long_line_is_cut_around_the_place() -> None:
    text = "x" * 5000 + "HERE" + "y" * 5000
    lines = render(error(text, (5000, 5004))).split("\n")
    assert max(map(len, lines)) < 200
    column = lines[3].index("^")
    assert lines[2][column : column + 4] == "HERE"


def test_without_a_place_the_help_stands_below() -> None:
    item = Diagnostic(CODE, "no broker answers", help="start one", notes=("tried a:1",))
    assert (
        render(RunError((item,)))
        == "error[SQL0999]: no broker answers\n   = help: start one\n   = note: tried a:1"
    )


def test_the_end_of_the_text_is_a_place_too() -> None:
    assert render(error("SELECT a\n", (9, 9))).endswith(" 2 |\n   | ^")
    assert render(error("", (0, 0))).endswith(" 1 |\n   | ^")


def test_color_adds_nothing_but_color() -> None:
    failure = error("SELECT a", (7, 8), help_="do", severity=Severity.WARNING, notes=("n",))
    colored = render(failure, color=True)
    assert "\x1b[1;33mwarning[SQL0999]\x1b[0m" in colored
    assert re.sub("\x1b\\[[0-9;]*m", "", colored) == render(failure)


def test_data_counts_lines_and_columns_from_one() -> None:
    labels = (Label(Span(0, 1), "here"),)
    data = to_json(error("a\nbc", (3, 4), help_="h", labels=labels, notes=("n",)))
    assert json.loads(json.dumps(data)) == {
        "source": "file.sql",
        "diagnostics": [
            {
                "code": "SQL0999",
                "severity": "error",
                "message": "it is wrong",
                "help": "h",
                "notes": ["n"],
                "place": {"start": 3, "end": 4, "line": 2, "column": 2, "end_line": 2, "end_column": 3},
                "labels": [
                    {
                        "text": "here",
                        "place": {
                            "start": 0,
                            "end": 1,
                            "line": 1,
                            "column": 1,
                            "end_line": 1,
                            "end_column": 2,
                        },
                    }
                ],
            }
        ],
    }


@given(st.text(max_size=40), st.integers(-2, 45), st.integers(-2, 45))
def test_any_place_in_any_text_can_be_drawn(text: str, start: int, end: int) -> None:
    drawn = render(error(text, (start, end), help_="h"))
    assert "^" in drawn
    assert "help: h" in drawn
