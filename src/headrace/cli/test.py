"""`headrace test`."""

from __future__ import annotations

import time
from pathlib import Path

import click

from headrace.cli.failures import ExitCode, bad_call, drawn, fault_of, leave, reported
from headrace.cli.junit import Result, junit_xml
from headrace.cli.options import examples, functions_option
from headrace.cli.session import setting_defaults
from headrace.config.environment import read_environment
from headrace.testing import CaseFileError
from headrace.testing.suite import SUFFIX, Verdict, cases_in, judge_case, update_case


@click.command(
    "test",
    epilog=examples(
        "headrace test cases/",
        "headrace test cases/fast_vessels.case --update",
        "headrace test cases/ -k window --thorough --junit report.xml",
    ),
)
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("-k", "filter_", metavar="TEXT", default="", help="Only cases whose path holds this text.")
@click.option("--update", is_flag=True, help="Write what came out into the files, instead of comparing.")
@click.option("--thorough", is_flag=True, help="Run each case in several ways, which must all give the same.")
@click.option(
    "--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write a report in JUnit's XML."
)
@functions_option
@reported
def command(
    paths: tuple[Path, ...],
    filter_: str,
    update: bool,
    thorough: bool,
    junit: Path | None,
    functions: str | None,
) -> None:
    """Run the test cases in PATHS, files or folders; no broker is needed.

    A case is a text file: a program, or the name of its file, the records that go in, and what must come out. With --thorough
    each is run with batches of different sizes, with more partitions, and with a restart or a crash in the middle. The exit
    code is 1 if a case does not give what it expects or ends in an internal error, 2 if a file is no case.
    """
    files = [file for path in paths for file in cases_in(path, filter_)]
    if not files:
        message = f"no file `*{SUFFIX}` is in these folders" + (
            f" with `{filter_}` in its path" if filter_ else ""
        )
        raise bad_call(message)
    defaults = setting_defaults(functions, read_environment())
    results = []
    wrong = False
    for file in files:
        begun = time.perf_counter()
        error = False
        try:
            verdict = (
                update_case(file, defaults)
                if update
                else judge_case(file, thorough=thorough, defaults=defaults)
            )
        except CaseFileError as fault:
            verdict, error, wrong = Verdict(str(fault)), True, True
        except (KeyboardInterrupt, SystemExit, GeneratorExit):
            raise
        except BaseException as fault:
            # Ours, or a panic of the native module: the other cases still have their verdicts.
            verdict, error = Verdict(drawn(fault_of(fault))), True
        results.append(Result(file, time.perf_counter() - begun, verdict.problem, error))
        if verdict.problem is not None:
            click.echo(f"FAILED {file}\n{verdict.problem}")
        elif update:
            click.echo(f"{'updated' if verdict.updated else 'same'} {file}")
        else:
            click.echo(f"ok {file}")
    failed = sum(item.problem is not None for item in results)
    if not update:
        seconds = sum(item.seconds for item in results)
        click.echo(f"{len(results) - failed} passed, {failed} failed in {seconds:.1f} s")
    if junit is not None:
        junit.write_text(junit_xml(results), encoding="utf-8")
    if wrong:
        leave(ExitCode.WRONG)
    if failed:
        leave(ExitCode.FAILED)
