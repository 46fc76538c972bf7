"""`headrace test` and the pytest plugin, on cases that pass, fail and cannot be read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result

from headrace.cli.group import main
from headrace.testing import suite

if TYPE_CHECKING:
    from collections.abc import Mapping

pytest_plugins = ["pytester"]

GOOD = """=== sql from fast.sql
=== topic vessels
{"key": "a", "value": {"speed": 12}}
{"key": "b", "value": {"speed": 3}}
=== output fast
{"key": "a", "value": {"speed": 12}}
"""
PROGRAM = "SET autocreate = true;\nINSERT INTO fast SELECT STREAM * FROM vessels WHERE speed > 10;\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("fast.sql").write_text(PROGRAM)
    Path("good.case").write_text(GOOD)
    Path("bad.case").write_text(GOOD[: GOOD.rindex("{")] + '{"key": "a", "value": {"speed": 99}}\n')
    return tmp_path


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["test", *arguments])


def test_cases_pass_and_fail_and_are_reported(folder: Path) -> None:
    done = call(".", "--junit", "report.xml")
    assert done.exit_code == 1
    assert "ok good.case" in done.stdout
    assert (
        "FAILED bad.case\n=== output fast: 1 lines expected, 1 found; they part at line 1\n- " in done.stdout
    )
    assert "1 passed, 1 failed in " in done.stdout
    (results,) = ET.fromstring(Path("report.xml").read_text())
    assert (results.get("tests"), results.get("failures"), results.get("errors")) == ("2", "1", "0")
    assert [(case.get("name"), len(case)) for case in results] == [("bad", 1), ("good", 0)]


def test_cases_are_chosen_filled_in_and_run_in_several_ways(folder: Path) -> None:
    assert call(".", "-k", "good", "--thorough").exit_code == 0
    assert call(".", "-k", "none").exit_code == 2
    Path("new.case").write_text(GOOD[: GOOD.index("=== output")])
    assert "expects nothing" in call("new.case").stdout
    assert call(".", "--update").stdout.split() == [
        "updated",
        "bad.case",
        "same",
        "good.case",
        "updated",
        "new.case",
    ]
    assert Path("good.case").read_text() == GOOD
    assert call(".").exit_code == 0


def test_a_file_that_is_no_case_is_told_of(folder: Path) -> None:
    Path("a.case").write_text("nothing")
    done = call(".", "-k", "a.case")
    assert done.exit_code == 2
    assert "text before the first section" in done.stdout


def test_an_unknown_section_is_told_of_with_its_line(folder: Path) -> None:
    Path("a.case").write_text(GOOD + "=== bogus\n")
    done = call("a.case")
    assert done.exit_code == 2
    assert "a.case:7: there is no section `bogus`: write `sql`, `topic NAME`, `output NAME`" in done.stdout


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            GOOD.replace("sql from", "sql"),
            "a.case:1: there is no section `sql fast.sql`: write `sql`, or `sql from fast.sql`",
        ),
        (f"=== sql\nSELECT 1\n{GOOD}", "a.case:3: the section `sql` stands twice"),
        (f"{GOOD}=== topic vessels\n", "a.case:7: the section `topic vessels` stands twice"),
        (
            GOOD.replace('"a", ', '"a", "time": 5, ', 1),
            "a.case: topic `vessels`: a record has no `time`, but headers, key, ",
        ),
    ],
)
def test_what_a_case_would_pass_over_is_told_of(folder: Path, text: str, message: str) -> None:
    Path("a.case").write_text(text)
    done = call("a.case")
    assert done.exit_code == 2
    assert message in done.stdout


def test_a_fault_of_ours_fails_its_case_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def judge(file: Path, *, thorough: bool, defaults: Mapping[str, str]) -> suite.Verdict:
        if file.stem == "bad":
            raise BaseException("secret")
        return suite.judge_case(file, thorough=thorough, defaults=defaults)

    monkeypatch.setattr("headrace.cli.test.judge_case", judge)
    done = call(".", "--junit", "report.xml")
    assert done.exit_code == 1
    assert "FAILED bad.case\nerror[CLI0103]: internal error: BaseException" in done.stdout
    assert "ok good.case" in done.stdout
    assert "secret" not in done.output
    (results,) = ET.fromstring(Path("report.xml").read_text())
    assert (results.get("failures"), results.get("errors")) == ("0", "1")
    assert [[part.tag for part in case] for case in results] == [["error"], []]


def test_pytest_runs_cases_of_the_folders_that_are_configured(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nheadrace_cases =\n    sql\n")
    for name in ("sql", "other"):
        (pytester.path / name).mkdir()
        (pytester.path / name / "fast.sql").write_text(PROGRAM)
        (pytester.path / name / "good.case").write_text(GOOD)
        (pytester.path / name / "bad.case").write_text(GOOD.replace("12", "9", 1))
    # Found by its entry point.
    done = pytester.runpytest_inprocess()
    done.assert_outcomes(passed=1, failed=1)
    done.stdout.fnmatch_lines(["*sql/bad.case", "=== output fast: 1 lines expected, 0 found*"])
    named = pytester.runpytest_inprocess("other/good.case")
    named.assert_outcomes(passed=1)
