"""Cases as a suite of tests: finding them, and the verdict on one. For `headrace test` and the pytest plugin."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from headrace.testing.case_file import read_case, write_case
from headrace.testing.comparison import difference
from headrace.testing.run_case import plan_case, run_case
from headrace.testing.variants import PLAIN, variants_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SUFFIX: Final = ".case"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a case: `problem` is None if it gave what it expects; `updated`: the file was changed."""

    problem: str | None = None
    updated: bool = False


def cases_in(path: Path, filter_: str = "") -> list[Path]:
    """Give the cases of a folder, or the one file, whose paths hold a text."""
    found = sorted(path.rglob(f"*{SUFFIX}")) if path.is_dir() else [path]
    return [file for file in found if filter_ in file.as_posix()]


def judge_case(file: Path, *, thorough: bool = False, defaults: Mapping[str, str] | None = None) -> Verdict:
    """Run a case and compare.

    Args:
        file: of the case.
        thorough: in several ways, which must all give the same: batches of different sizes, more partitions, a restart or a
            crash in the middle.
        defaults: settings that hold unless the program says otherwise, by their SET keys.

    Raises:
        CaseFileError: the file cannot be read.
    """
    case = replace(read_case(file), defaults=defaults or {})
    if not case.expected:
        return Verdict(
            "the case expects nothing: write a section `=== output TOPIC`, or fill it in with --update"
        )
    planned = plan_case(case)
    # What is refused or fails stops at a place that depends on how it was run.
    ends_early = {"diagnostics", "failure"} & case.expected.keys()
    ways = variants_of(file.stem, stateful=planned.stateful) if thorough and not ends_early else (PLAIN,)
    for variant in ways:
        found = difference(case, run_case(case, variant, planned))
        if found is not None:
            return Verdict(found if variant is PLAIN else f"({variant.name})\n{found}")
    return Verdict()


def update_case(file: Path, defaults: Mapping[str, str] | None = None) -> Verdict:
    """Run a case and write what came out into its file, unless it says the same already.

    Args:
        file: of the case.
        defaults: as `judge_case` takes them.

    Raises:
        CaseFileError: the file cannot be read.
    """
    case = replace(read_case(file), defaults=defaults or {})
    outcome = run_case(case, PLAIN)
    if case.expected and difference(case, outcome) is None:
        return Verdict()
    before = file.read_text(encoding="utf-8")
    write_case(file, case, outcome.sections)
    return Verdict(updated=file.read_text(encoding="utf-8") != before)
