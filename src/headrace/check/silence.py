"""Comments that silence findings: `-- headrace: ignore=LINT0104` on the line, above it, or above the whole program."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from headrace.errors import Diagnostic, Severity, Span
from headrace.errors.codes.lint import USELESS_SILENCE
from headrace.sql.tokens import tokenize

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from headrace.errors import Source

_COMMENT: Final = re.compile(r"--[^\n]*|//[^\n]*|/\*[\s\S]*?\*/")
_IGNORE: Final = re.compile(r"headrace:\s*ignore\s*=\s*([A-Z]+\d+(?:\s*,\s*[A-Z]+\d+)*)")


@dataclass(slots=True)
class _Silence:
    """A code of a comment, and the lines for which it holds."""

    code: str
    span: Span
    lines: range
    used: bool = field(default=False)


def apply_silences(
    source: Source, found: Iterable[Diagnostic], unjudged: Collection[str] = ()
) -> list[Diagnostic]:
    """Give what is not silenced, and the comments that silence nothing.

    Args:
        source: the text.
        found: all findings.
        unjudged: codes that were not looked for, or not everywhere: comments about them may be right.
    """
    silences = _silences(source.text)
    kept = []
    for item in found:
        line = source.text.count("\n", 0, item.span.start) if item.span is not None else 0
        matching = [
            silence for silence in silences if silence.code == str(item.code) and line in silence.lines
        ]
        for silence in matching:
            silence.used = True
        if not matching:
            kept.append(item)
    return kept + [
        Diagnostic(
            USELESS_SILENCE,
            f"nothing is found here with the code {silence.code}",
            silence.span,
            "remove it",
            (),
            Severity.WARNING,
        )
        for silence in silences
        if not silence.used and silence.code not in unjudged
    ]


def _silences(text: str) -> list[_Silence]:
    tokens, _ = tokenize(text)
    found = []
    end = 0
    for token in tokens:
        gap_end = token.start if token.text else len(text)
        for comment in _COMMENT.finditer(text, end, gap_end):
            for match in _IGNORE.finditer(comment.group()):
                lines = _lines(text, comment.start(), first=end == 0, behind=token.start)
                for code in re.finditer(r"[A-Z]+\d+", match[1]):
                    begin = comment.start() + match.start(1) + code.start()
                    found.append(_Silence(code[0], Span(begin, begin + len(code[0])), lines))
        end = token.end
    return found


def _lines(text: str, place: int, *, first: bool, behind: int) -> range:
    """Give the lines that a comment is about: all if it stands above the first statement, its own, or the next with text."""
    if first:
        return range(text.count("\n") + 1)
    number = text.count("\n", 0, place)
    own_line = not text[text.rfind("\n", 0, place) + 1 : place].strip()
    if not own_line:
        return range(number, number + 1)
    following = text.count("\n", 0, behind)
    return range(following, following + 1)
