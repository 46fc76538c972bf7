"""`headrace test`."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headrace.cli.failures import ExitCode, bad_call, leave, reported
from headrace.cli.options import examples
from headrace.testing import (
    PLAIN,
    CaseFileError,
    Outcome,
    plan_case,
    read_case,
    run_case,
    variants_of,
    write_case,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.testing import Case

SUFFIX = ".case"


@click.command(
    "test", epilog=examples("headrace test cases/", "headrace test cases/fast_vessels.case --update")
)
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--update", is_flag=True, help="Write what came out into the files, instead of comparing.")
@reported
def command(paths: tuple[Path, ...], update: bool) -> None:
    """Run the test cases in PATHS, files or folders; no broker is needed.

    A case is a text file: a program, the records that go in, and what must come out. Each is run several times: with
    batches of different sizes, with more partitions, with a restart or a crash in the middle; all must give the same.
    """
    files = [file for path in paths for file in _cases(path)]
    if not files:
        message = f"no file `*{SUFFIX}` is in these folders"
        raise bad_call(message)
    failed = 0
    for file in files:
        try:
            case = read_case(file)
        except CaseFileError as error:
            raise bad_call(str(error)) from error
        if update:
            changed = _update(file, case)
            click.echo(f"{'updated' if changed else 'same'} {file}")
        elif problem := _problem(file.stem, case):
            failed += 1
            click.echo(f"FAILED {file}{problem}")
        else:
            click.echo(f"ok {file}")
    if not update:
        click.echo(f"{len(files) - failed} passed, {failed} failed")
    if failed:
        leave(ExitCode.FAILED)


def _cases(path: Path) -> Sequence[Path]:
    return sorted(path.rglob(f"*{SUFFIX}")) if path.is_dir() else [path]


def _update(file: Path, case: Case) -> bool:
    before = file.read_text(encoding="utf-8")
    write_case(file, case, run_case(case, PLAIN).sections)
    return file.read_text(encoding="utf-8") != before


def _problem(name: str, case: Case) -> str | None:
    """Run a case in every way; give the first difference, or None."""
    expected = Outcome(case.expected)
    # What is refused or fails stops at a place that depends on how it was run.
    ends_early = {"diagnostics", "failure"} & case.expected.keys()
    planned = plan_case(case)
    for variant in (PLAIN,) if ends_early else variants_of(name, stateful=planned.stateful):
        wanted, found = expected.comparable(run_case(case, variant, planned))
        if wanted != found:
            way = "" if variant is PLAIN else f" ({variant.name})"
            return f"{way}\n{_difference(wanted, found)}"
    return None


def _difference(wanted: dict[str, str], found: dict[str, str]) -> str:
    return "\n".join(difflib.unified_diff(_lines(wanted), _lines(found), "expected", "found", lineterm=""))


def _lines(sections: dict[str, str]) -> list[str]:
    return [line for title in sorted(sections) for line in (f"=== {title}", *sections[title].splitlines())]
