"""The generated reference is fresh and complete, and links lead somewhere."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

import pytest

from headrace.cli import reference
from headrace.errors import all_codes
from tests.docs.pages import ROOT, all_pages

if TYPE_CHECKING:
    from pathlib import Path

pages = functools.cache(reference.pages)

LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


def test_the_generated_pages_are_what_make_docs_would_write() -> None:
    folder = ROOT / "docs" / "reference"
    found = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.md")}
    assert found.keys() == pages().keys()
    assert not [name for name, text in pages().items() if found[name] != text]


def test_every_error_code_is_explained() -> None:
    page = pages()["errors.md"]
    for code in all_codes():
        assert f"## {code.id}: " in page
        assert len(code.explanation) > 30, code


def test_error_codes_are_given_once() -> None:
    ids = [code.id for code in all_codes()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("page", all_pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    missing = [
        target
        for target in LINK.findall(page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert not missing
