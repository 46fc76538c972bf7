"""Golden cases of the parser: a program, and its canonical text or the diagnostics drawn.

Write a case with its `=== sql` section alone and run the tests with HEADRACE_UPDATE_CASES=1 to have the answer filled in;
then read the diff.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from headrace.errors import ProgramError
from headrace.errors.render import render
from headrace.sql import parse_program, print_program

FOLDER = Path(__file__).parents[2] / "cases" / "parse"
CASES = sorted(FOLDER.rglob("*.case"))
UPDATE = os.environ.get("HEADRACE_UPDATE_CASES") == "1" and "CI" not in os.environ


def answer(program: str) -> tuple[str, str]:
    try:
        return "print", print_program(parse_program(program, "case.sql"))
    except ProgramError as error:
        return "errors", render(error) + "\n"


def read(path: Path) -> dict[str, str]:
    sections: dict[str, str] = {}
    name = ""
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.startswith("=== "):
            name = line[4:].strip()
            sections[name] = ""
        else:
            sections[name] += line
    return sections


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.relative_to(FOLDER).with_suffix("").as_posix())
def test_case(path: Path) -> None:
    sections = read(path)
    kind, text = answer(sections["sql"])
    if UPDATE:
        path.write_text(f"=== sql\n{sections['sql']}=== {kind}\n{text}", encoding="utf-8")
        return
    assert set(sections) == {"sql", kind}
    assert sections[kind] == text
    if kind == "print":
        assert answer(text) == (kind, text), "the canonical text does not read back as itself"


def test_there_are_cases() -> None:
    assert len(CASES) > 40
