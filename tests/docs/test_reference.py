"""The generated reference is fresh and complete, and links lead somewhere."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

import pytest

from headrace.cli import reference
from headrace.errors import all_codes
from headrace.sql.command_grammar import COMMANDS
from headrace.sql.commands import Described, Dropped, Shown
from headrace.sql.words import CLAUSE_NAMES, CLAUSES, STATEMENTS
from tests.docs.pages import ROOT, all_pages

if TYPE_CHECKING:
    from pathlib import Path

pages = functools.cache(reference.pages)

LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


def test_the_generated_pages_are_what_make_docs_would_write() -> None:
    folder = ROOT / "docs" / "reference"
    found = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.md")}
    assert {name for name, text in found.items() if text.startswith(reference.NOTICE)} == pages().keys()
    assert not [name for name, text in pages().items() if found[name] != text]


def test_every_error_code_is_explained() -> None:
    page = pages()["errors.md"]
    for code in all_codes():
        assert f"## {code.id}: " in page
        assert len(code.explanation) > 30, code


def test_every_statement_and_clause_has_a_section() -> None:
    folder = ROOT / "docs" / "reference"
    statements, select = (
        (folder / name).read_text(encoding="utf-8") for name in ("statements.md", "statements-select.md")
    )
    syntax = "\n".join(re.findall(r"```text\n(.*?)```", statements, re.DOTALL))
    forms = {f"SHOW {what}" for what in Shown} | {f"DROP {what}" for what in Dropped}
    forms |= {
        *STATEMENTS,
        *COMMANDS,
        *Described,
        "CREATE TABLE",
        "SYNONYM",
        "VIEW",
        "STORE",
        "PROPERTIES",
    } - {"DESC"}
    assert {form for form in forms if form not in syntax} == set()
    heads = " ".join(re.findall("^## (.*)$", select, re.MULTILINE))
    clauses = {CLAUSE_NAMES.get(word, word) for word in CLAUSES} | {"WITHIN", "UNION ALL"}
    assert {clause for clause in clauses if clause not in heads} == set()


def test_error_codes_are_given_once() -> None:
    ids = [code.id for code in all_codes()]
    assert len(ids) == len(set(ids))


ANCHOR = re.compile(r"\]\(([^)#:]*)#([^)]*)\)")


@functools.cache
def anchors(page: Path) -> set[str]:
    """Give what links can lead to: headings as GitHub names them."""
    heads = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", all_pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_into_pages_lead_to_a_heading(page: Path) -> None:
    found = ANCHOR.findall(page.read_text(encoding="utf-8"))
    places = [((page.parent / target) if target else page, anchor) for target, anchor in found]
    assert not [(str(target), anchor) for target, anchor in places if anchor not in anchors(target)]


@pytest.mark.parametrize("page", all_pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    missing = [
        target
        for target in LINK.findall(page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert not missing
