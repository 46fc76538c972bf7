"""What counts when a case is compared, and how a difference is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from headrace.testing import CaseFileError, Outcome, read_case, write_case
from headrace.testing.comparison import difference

if TYPE_CHECKING:
    from pathlib import Path

INPUT = "=== sql\nINSERT INTO out SELECT STREAM * FROM src\n=== topic src\n"
FOUND = (
    "format: STRING, JSON\n"
    '{"key": "a", "value": {"n":1,"t":"x  y"}, "timestamp": 1000}\n'
    '{"key": "b", "value": {"n":2.0,"t":null}, "timestamp": 2000, "headers": [["h", "v"]]}\n'
)


def compare(tmp_path: Path, expected: str, **found: str) -> str | None:
    path = tmp_path / "a.case"
    path.write_text(INPUT + expected, encoding="utf-8")
    sections = {name.replace("_", " "): text for name, text in found.items()}
    return difference(read_case(path), Outcome({"output out": FOUND, **sections}))


A, B = '{"key": "a", "value": {"n":1,"t":"x  y"}}\n', '{"key": "b", "value": {"n":2.0,"t":null}}\n'

LATER = A.replace("}}", '}, "timestamp": 1}')


@pytest.mark.parametrize(
    "expected",
    [
        f"=== output out\n{FOUND}",
        f"=== output out\n{A}{B}",
        f"=== output out as a set\n{B}\n{A}",
        '=== output out\n{"value": { "n" : 1, "t": "x  y" }}\n{"value": {"n": 2.0, "t": null}}\n',
        f"=== output out\nformat: STRING, JSON\n{A}{B}",
        '=== output out\n{"value": {"n": 1, "t": "x  y"}, "key": "a", "timestamp": 1000}\n'
        '{"value": {"n": 2.0, "t": null}, "key": "b", "timestamp": 2000}\n',
    ],
)
def test_what_is_not_mentioned_does_not_count(tmp_path: Path, expected: str) -> None:
    assert compare(tmp_path, expected, warnings="w\n", output_other="{}\n", dead_letters_bad="") is None


@pytest.mark.parametrize(
    ("expected", "shown"),
    [
        (f"=== output out\n{A}", "1 lines expected, 2 found; they part at line 2"),
        (f"=== output out\n{B}{A}", "they part at line 1"),
        ("=== output out\nformat: LONG, JSON\n", "- format: LONG, JSON"),
        (f"=== output out\n{A}{B.replace('2.0', '2')}", "- {"),
        (f"=== output out\n{A.replace('x  y', 'x y')}{B}", "? "),
        (f"=== output none\n{A}", "=== output none: expected, and not found"),
        (f"=== output out\n{LATER}{B}", '"timestamp": 1}'),
    ],
)
def test_a_difference_is_shown(tmp_path: Path, expected: str, shown: str) -> None:
    assert shown in (compare(tmp_path, expected) or "")


@pytest.mark.parametrize("title", ["failure", "diagnostics", "dead_letters_bad", "late_records_late"])
def test_what_fails_always_counts(tmp_path: Path, title: str) -> None:
    found = compare(tmp_path, f"=== output out\n{A}{B}", **{title: "something\n"})
    assert found == f"=== {title.replace('_', ' ')}: not expected\n+ something"


def test_only_what_is_near_a_change_is_shown(tmp_path: Path) -> None:
    lines = [f'{{"key": null, "value": {number}}}\n' for number in range(50)]
    path = tmp_path / "a.case"
    path.write_text(INPUT + "=== output out\n" + "".join(lines[:20] + lines[21:]), encoding="utf-8")
    shown = difference(read_case(path), Outcome({"output out": "".join(lines)}))
    assert shown is not None
    assert shown.splitlines()[0] == "=== output out: 49 lines expected, 50 found; they part at line 21"
    assert [line[:2] for line in shown.splitlines()[1:]] == ["  ", "  ", "+ ", "  ", "  ", "  "]


def test_a_program_in_its_own_file_and_sets_survive_an_update(tmp_path: Path) -> None:
    (tmp_path / "programs").mkdir()
    (tmp_path / "programs" / "p.sql").write_text("SELECT 1", encoding="utf-8")
    path = tmp_path / "a.case"
    text = f"=== sql from programs/p.sql\n=== topic src\n=== output out as a set\n{A}"
    path.write_text(text, encoding="utf-8")
    case = read_case(path)
    assert case.sql == "SELECT 1"
    write_case(path, case, {"output out": A})
    assert path.read_text(encoding="utf-8") == text
    path.write_text("=== sql from none.sql\n", encoding="utf-8")
    with pytest.raises(CaseFileError, match="cannot be read"):
        read_case(path)
