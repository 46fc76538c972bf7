"""The list of commands, and what their help says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from headrace.cli.group import COMMANDS, main

CONTEXT = click.Context(main, info_name="headrace", **main.context_settings)


def every_command() -> list[tuple[str, click.Command]]:
    found = []
    for name in main.list_commands(CONTEXT):
        command = main.get_command(CONTEXT, name)
        assert command is not None
        found.append((name, command))
        if isinstance(command, click.Group):
            found += [(f"{name} {child}", command.commands[child]) for child in command.commands]
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_what_the_command_says_of_itself(name: str) -> None:
    command = main.get_command(CONTEXT, name)
    assert command is not None
    assert command.name == name


@pytest.mark.parametrize(("name", "command"), every_command(), ids=[name for name, _ in every_command()])
def test_the_help_of_every_command_has_an_example(name: str, command: click.Command) -> None:
    shown = CliRunner().invoke(main, [*name.split(), "--help"])
    assert shown.exit_code == 0
    assert "Example" in shown.output
    assert f"headrace {name.split()[0]}" in shown.output.split("Example", 1)[1]


def test_an_unknown_command_is_a_wrong_call() -> None:
    assert CliRunner().invoke(main, ["fly"]).exit_code == 2


def test_help_loads_neither_arrow_nor_duckdb() -> None:
    script = (
        "import sys; from click.testing import CliRunner; from headrace.cli.group import main; "
        "CliRunner().invoke(main, ['--help']); "
        "print([name for name in ('pyarrow', 'duckdb', 'confluent_kafka', 'sqlglot', 'rich') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_run_loads_only_what_every_program_on_kafka_needs() -> None:
    """Each of these takes milliseconds of the start of a process: what is local in `src` to spare them stays so."""
    seldom = (
        "headrace.log.embedded",
        "headrace.formats.registry.embedded",
        "headrace.formats.registry.confluent",
        "headrace.planner.snapshot",
        "headrace.engine.snapshot",
        "headrace.engine.statements",
        "headrace.telemetry.http",
        "headrace.testing",
        "http.server",
        "pandas",
        "prometheus_client",
        "pyarrow.dataset",
        "pyarrow.fs",
        "rich",
        "sqlite3",
    )
    script = (
        "import sys; from headrace.cli import WithoutPandas; sys.meta_path.insert(0, WithoutPandas()); "
        f"import headrace.cli.run, headrace.log.kafka; print([name for name in {seldom} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_loading_makes_no_work_for_the_collector() -> None:
    script = (
        "import atexit, gc, sys; from headrace import cli; sys.argv = ['headrace', 'version']; gc.collect(); "
        "before = gc.get_stats()[2]['collections']\n"
        "atexit.register(lambda: print(gc.isenabled(), gc.get_stats()[2]['collections'] - before))\n"
        "cli.main()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "True 0"


@pytest.mark.parametrize(("arguments", "status"), [(["version"], 0), (["no-such-command"], 2)])
def test_a_process_ends_with_the_status_of_its_command(arguments: list[str], status: int) -> None:
    script = f"import sys; from headrace import cli; sys.argv = ['headrace', *{arguments}]; cli.main()"
    assert (
        subprocess.run([sys.executable, "-c", script], capture_output=True, check=False).returncode == status
    )


def test_a_result_that_could_not_be_printed_is_a_failure() -> None:
    script = "import sys; from headrace import cli; sys.argv = ['headrace', 'version']; cli.main()"
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(
            [sys.executable, "-c", script], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode != 0
    assert done.stderr


def test_a_thread_of_somebody_else_is_waited_for() -> None:
    script = (
        "import sys, threading, time; from headrace import cli; sys.argv = ['headrace', 'version']\n"
        "threading.Thread(target=lambda: (time.sleep(1), print('done', flush=True))).start()\n"
        "cli.main()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "done"
