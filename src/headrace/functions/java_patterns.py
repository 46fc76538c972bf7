"""Date patterns: from Java's `DateTimeFormatter`, which the language uses, to DuckDB's `strftime` and `strptime`.

A pattern is translated once, when the plan is made. Instants are UTC, so letters for the zone print as constants.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_SAME: Final = {
    "yyyy": "%Y", "uuuu": "%Y", "y": "%Y", "u": "%Y", "yy": "%y", "uu": "%y",
    "MM": "%m", "MMM": "%b", "MMMM": "%B", "LL": "%m", "LLL": "%b", "LLLL": "%B",
    "dd": "%d", "DDD": "%j",
    "HH": "%H", "hh": "%I", "mm": "%M", "ss": "%S",
    "a": "%p",
    "E": "%a", "EE": "%a", "EEE": "%a", "EEEE": "%A", "eee": "%a", "eeee": "%A",
    "SSS": "%g", "SSSSSS": "%f",
}  # fmt: skip
"""Letters that mean the same when reading and when writing."""

_WRITE: Final = {
    **_SAME,
    "M": "%-m", "L": "%-m", "d": "%-d", "H": "%-H", "h": "%-I", "m": "%-M", "s": "%-S",
    "SSSSSSSSS": "%f000",
    "X": "Z", "XX": "Z", "XXX": "Z", "Z": "+0000", "ZZ": "+0000", "ZZZ": "+0000", "x": "+00", "xx": "+0000",
    "xxx": "+00:00", "z": "UTC", "zz": "UTC", "zzz": "UTC", "VV": "UTC", "G": "AD",
}  # fmt: skip

_READ: Final = {
    **_SAME,
    # strptime takes one digit or two for all of these.
    "M": "%m", "L": "%m", "d": "%d", "H": "%H", "h": "%I", "m": "%M", "s": "%S",
    "SSSSSSSSS": "%n",
    "Z": "%z", "ZZ": "%z", "ZZZ": "%z", "x": "%z", "xx": "%z", "xxx": "%z",
}  # fmt: skip

_ZONE_OR_Z: Final = frozenset({"X", "XX", "XXX"})
_MOST_ALTERNATIVES: Final = 32


class PatternError(Exception):
    """A pattern that cannot be translated: `message`, and the place in it as `start` and `end`."""

    def __init__(self, message: str, start: int, end: int) -> None:
        super().__init__(message)
        self.message = message
        self.start = start
        self.end = end


@dataclass(frozen=True, slots=True)
class _Token:
    """A run of one letter, a literal text, `[` or `]`."""

    kind: str
    text: str
    start: int
    end: int


def to_strftime(pattern: str) -> str:
    """Translate a pattern for writing. Optional sections are written: a timestamp has all fields.

    Raises:
        PatternError: a letter or construct that is not supported.
    """
    out = []
    depth = 0
    for token in _tokens(pattern):
        if token.kind == "letters":
            out.append(_translate(token, _WRITE))
        elif token.kind == "literal":
            out.append(token.text.replace("%", "%%"))
        else:
            depth = _nest(depth, token)
    _closed(depth, pattern)
    return "".join(out)


def to_strptime(pattern: str) -> tuple[str, ...]:
    """Translate a pattern for reading, to one or more alternatives, longest first.

    An optional section `[…]` doubles the alternatives, and so does `X`, which stands for `Z` as well as for an offset.

    Raises:
        PatternError: a letter or construct that is not supported, or too many optional sections.
    """
    stack: list[list[str]] = [[""]]
    for token in _tokens(pattern):
        if token.kind == "open":
            stack.append([""])
        elif token.kind == "close":
            if len(stack) == 1:
                message = "`]` without `[`"
                raise PatternError(message, token.start, token.end)
            inner = stack.pop()
            stack[-1] = [head + tail for head in stack[-1] for tail in (*inner, "")]
        elif token.text in _ZONE_OR_Z and token.kind == "letters":
            stack[-1] = [head + tail for head in stack[-1] for tail in ("%z", "Z")]
        elif token.kind == "letters":
            stack[-1] = [head + _translate(token, _READ) for head in stack[-1]]
        else:
            stack[-1] = [head + token.text.replace("%", "%%") for head in stack[-1]]
        if len(stack[-1]) > _MOST_ALTERNATIVES:
            message = "too many optional sections"
            raise PatternError(message, token.start, token.end)
    _closed(len(stack) - 1, pattern)
    return tuple(dict.fromkeys(stack[0]))


def _translate(token: _Token, table: dict[str, str]) -> str:
    found = table.get(token.text)
    if found is None:
        known = [text for text in table if text[0] == token.text[0]]
        if known:
            message = f"`{token.text}` is not supported in a date pattern; write " + " or ".join(
                f"`{text}`" for text in known
            )
        else:
            message = f"the letter `{token.text[0]}` is not supported in a date pattern"
        raise PatternError(message, token.start, token.end)
    return found


def _nest(depth: int, token: _Token) -> int:
    depth += 1 if token.kind == "open" else -1
    if depth < 0:
        message = "`]` without `[`"
        raise PatternError(message, token.start, token.end)
    return depth


def _closed(depth: int, pattern: str) -> None:
    if depth:
        message = "`[` without `]`"
        raise PatternError(message, pattern.rindex("["), len(pattern))


def _tokens(pattern: str) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        end = at + 1
        if char == "'":
            text, end = _quoted(pattern, at)
            found.append(_Token("literal", text, at, end))
        elif char in "[]":
            found.append(_Token("open" if char == "[" else "close", char, at, end))
        elif char in "{}#":
            message = f"`{char}` is reserved in a date pattern; put it in single quotes"
            raise PatternError(message, at, end)
        elif char.isascii() and char.isalpha():
            while end < len(pattern) and pattern[end] == char:
                end += 1
            found.append(_Token("letters", pattern[at:end], at, end))
        else:
            found.append(_Token("literal", char, at, end))
        at = end
    return found


def _quoted(pattern: str, start: int) -> tuple[str, int]:
    """Read a quoted text from `start`; two quotes are one, inside and outside."""
    if pattern.startswith("''", start):
        return "'", start + 2
    out = []
    at = start + 1
    while at < len(pattern):
        if pattern[at] != "'":
            out.append(pattern[at])
            at += 1
        elif pattern.startswith("''", at):
            out.append("'")
            at += 2
        else:
            return "".join(out), at + 1
    message = "a quote in the date pattern is not closed"
    raise PatternError(message, start, len(pattern))
