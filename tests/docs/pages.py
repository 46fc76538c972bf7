"""Reads the blocks of a documentation page that are to be run, and what they are to print.

A comment before a fenced block says what it is for:

    <!-- run -->              shell or SQL, run in the page's own folder; it must succeed
    <!-- run: exit 2 -->      the same, with the exit code it must have
    <!-- prints -->           what the last run printed
    <!-- prints: topic -->    the values in this topic now
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(
    r"(?:<!-- (?P<mark>[^>]*?) -->\n)?```(?P<language>[a-z]*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a page."""

    mark: str
    language: str
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    """Give the blocks of a page in order."""
    text = page.read_text(encoding="utf-8")
    # A mark may stand a blank line above its block.
    text = re.sub(r"(<!-- [^>]* -->)\n\n```", r"\1\n```", text)
    return [
        Block(found["mark"] or "", found["language"], found["text"], text.count("\n", 0, found.start()) + 1)
        for found in BLOCK.finditer(text)
    ]


def all_pages() -> list[Path]:
    """Give every page of the documentation."""
    own = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")]
    return own + sorted((ROOT / "docs").rglob("*.md"))
