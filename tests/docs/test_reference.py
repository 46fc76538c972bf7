"""The generated reference is fresh and complete, and links lead somewhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from headrace.cli.reference import pages
from headrace.errors import all_codes
from tests.docs.pages import ROOT, all_pages

if TYPE_CHECKING:
    from pathlib import Path

LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("name", sorted(pages()))
def test_a_generated_page_is_what_make_docs_would_write(name: str) -> None:
    assert (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8") == pages()[name]


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
