"""What the documentation shows is run, and must print what the documentation says."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from headrace.cli.reference import NOTICE
from headrace.sql import parse_program
from tests.docs.pages import ROOT, Block, all_pages, blocks

if TYPE_CHECKING:
    from pathlib import Path

RUNNING = [page for page in all_pages() if any(block.mark.startswith("run") for block in blocks(page))]
SQL = [
    pytest.param(block, id=f"{page.relative_to(ROOT)}:{block.line}")
    for page in all_pages()
    for block in blocks(page)
    # The generated reference shows expressions; the tests of the functions run them.
    if block.language == "sql" and not page.read_text(encoding="utf-8").startswith(NOTICE)
]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", RUNNING, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_examples_of_a_page_print_what_it_says(page: Path, tmp_path: Path, commands: Path) -> None:
    printed = ""
    for block in blocks(page):
        action, _, detail = block.mark.partition(": ")
        where = f"{page.relative_to(ROOT)}:{block.line}"
        if action == "run":
            expected = int(detail.removeprefix("exit ")) if detail else 0
            done = _run(block, tmp_path, commands)
            assert done.returncode == expected, f"{where}\n{done.stdout}{done.stderr}"
            printed = done.stdout
        elif action == "prints":
            shown = (
                _run_shell(f"headrace consume {detail} --until-end", tmp_path, commands).stdout
                if detail
                else printed
            )
            assert shown.split("\n") == block.text.split("\n"), where


@pytest.mark.parametrize("block", SQL)
def test_sql_in_the_documentation_is_understood(block: Block) -> None:
    assert parse_program(block.text).statements


def _run(block: Block, folder: Path, commands: Path) -> subprocess.CompletedProcess[str]:
    if block.language == "sql":
        (folder / f"block-{block.line}.sql").write_text(block.text, encoding="utf-8")
        return _run_shell(f"headrace run block-{block.line}.sql --until-end", folder, commands)
    return _run_shell(block.text, folder, commands)


def _run_shell(script: str, folder: Path, commands: Path) -> subprocess.CompletedProcess[str]:
    ours = {"PATH": f"{commands}{os.pathsep}{os.environ['PATH']}", "HOME": str(folder)}
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=ours,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
