"""The one style: golden cases, and what must hold of every program.

Write a case with its `=== sql` section alone and run the tests with HEADRACE_UPDATE_CASES=1 to have the answer filled in.
"""

from __future__ import annotations

import os
import random
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from headrace.errors import ProgramError
from headrace.sql import parse_program, print_program
from headrace.sql.style import format_program
from headrace.sql.tokens import tokenize
from tests.unit.sql.test_round_trip import STATEMENTS, listed

FOLDER = Path(__file__).parents[2] / "cases"
CASES = sorted((FOLDER / "fmt").glob("*.case"))
EXAMPLES = int(os.environ.get("HEADRACE_FUZZ_EXAMPLES", "4"))
UPDATE = os.environ.get("HEADRACE_UPDATE_CASES") == "1" and "CI" not in os.environ
# All of them are laid out by `make soak`; each run takes a few.
STEP = 1 if "HEADRACE_FUZZ_EXAMPLES" in os.environ else 10
PROGRAMS = sorted(FOLDER.rglob("*.case"))[::STEP]
GAPS = [" ", "\n", "\n\n\n", " -- @{}\n", "\n-- @{}\n", " /* @{} */ ", "\n/* @{}\n  */\n", " // @{}\n\n"]
COMMENT = re.compile(r"(?:--|//|/\*) @(\d+)")


def program_of(case: Path) -> str:
    return (
        case.read_text(encoding="utf-8").partition("=== sql\n")[2].partition("\n=== ")[0].rstrip("\n") + "\n"
    )


def tokens_of(text: str) -> list[str]:
    tokens = [token.upper or token.text for token in tokenize(text)[0]]
    return [token for token in tokens if token not in (";", "")]


def check(text: str) -> str:
    formatted = format_program(text)
    assert print_program(parse_program(formatted)) == print_program(parse_program(text))
    assert tokens_of(formatted) == tokens_of(text)
    assert format_program(formatted) == formatted
    return formatted


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(path: Path) -> None:
    sql = program_of(path)
    formatted = check(sql)
    if UPDATE:
        path.write_text(f"=== sql\n{sql}=== formatted\n{formatted}", encoding="utf-8")
    assert path.read_text(encoding="utf-8") == f"=== sql\n{sql}=== formatted\n{formatted}"


def with_comments(text: str, seed: int) -> tuple[str, int]:
    """Put comments and line ends where blanks are; give how many comments there are."""
    chance = random.Random(seed)
    parts, end, comments = [], 0, 0
    for token in tokenize(text)[0]:
        gap = text[end : token.start]
        if gap.isspace() and chance.random() < 0.3:
            filled = chance.choice(GAPS)
            gap = filled.format(comments)
            comments += "{}" in filled
        parts += [gap, token.text]
        end = token.end
    return "".join(parts), comments


def check_with_comments(text: str, seed: int) -> None:
    commented, count = with_comments(text, seed)
    formatted = check(commented)
    assert [int(number) for number in COMMENT.findall(formatted)] == list(range(count))


@pytest.mark.parametrize(
    ("text", "formatted"),
    [
        (
            "SELECT a FROM b\n-- @0\n; // @1\nSELECT c FROM d",
            "SELECT a\nFROM b;\n\n-- @0\n// @1\nSELECT c\nFROM d;\n",
        ),
        ("SELECT a -- @0\n-- @1\n, -- @2\nb FROM c", None),
        ("-- @0\n; -- @1\nSELECT a FROM b", None),
    ],
)
def test_comments_around_the_end_of_a_part_stay_in_order(text: str, formatted: str | None) -> None:
    found = check(text)
    assert COMMENT.findall(found) == sorted(COMMENT.findall(text))
    assert formatted in (None, found)


def test_programs_of_the_golden_cases_keep_their_meaning_and_their_comments() -> None:
    read = 0
    for path in PROGRAMS:
        text = program_of(path)
        try:
            parse_program(text)
        except ProgramError:
            continue
        read += 1
        check_with_comments(text, read)
    assert read > len(PROGRAMS) / 2


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(listed(STATEMENTS, ";\n"), st.integers(0, 1 << 32))
def test_whatever_can_be_read_keeps_its_meaning_and_its_comments(text: str, seed: int) -> None:
    check_with_comments(text, seed)
