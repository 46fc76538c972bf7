"""Golden cases of the planner: a program, and the plan as text or the diagnostics drawn. The topics stand in `topics.py`.

Write a case with its `=== sql` section alone and run the tests with HEADRACE_UPDATE_CASES=1 to have the answer filled in;
then read the diff. `tests/cases/plan` holds plans, `tests/cases/errors` holds refusals.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from headrace.errors import ProgramError
from headrace.errors.render import render
from headrace.plan.explain import explain
from headrace.plan.serde import from_json, to_json
from headrace.planner import plan_program
from headrace.sql import parse_program
from tests.unit.planner.topics import known

CASES = Path(__file__).parents[2] / "cases"
PLANS = sorted((CASES / "plan").rglob("*.case"))
ERRORS = sorted((CASES / "errors").rglob("*.case"))
UPDATE = os.environ.get("HEADRACE_UPDATE_CASES") == "1" and "CI" not in os.environ


def name_of(path: Path) -> str:
    return path.relative_to(CASES).with_suffix("").as_posix()


def answer(program: str) -> tuple[str, str]:
    try:
        topology = plan_program(parse_program(program, "case.sql"), known())
    except ProgramError as error:
        return "errors", render(error) + "\n"
    again = from_json(to_json(topology))
    assert (again.sources, again.operators) == (topology.sources, topology.operators)
    assert (again.sinks, again.pipelines) == (topology.sinks, topology.pipelines)
    return "plan", explain(topology) + "\n"


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


@pytest.mark.parametrize("path", [*PLANS, *ERRORS], ids=name_of)
def test_case(path: Path) -> None:
    sections = read(path)
    kind, text = answer(sections["sql"])
    assert kind == ("errors" if "errors" in path.parts else "plan"), text
    if UPDATE:
        path.write_text(f"=== sql\n{sections['sql']}=== {kind}\n{text}", encoding="utf-8")
        return
    assert sections == {"sql": sections["sql"], kind: text}


def test_there_are_cases() -> None:
    assert len(PLANS) > 15
    assert len(ERRORS) > 30
