"""Whether a blank stands between two tokens of a line."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from headrace.sql.tokens import Kind
from headrace.sql.words import CLAUSES, RESERVED

if TYPE_CHECKING:
    from headrace.sql.style.pieces import Piece

_APART: Final = (
    (RESERVED - {"NULL", "TRUE", "FALSE", "END"})
    | frozenset(CLAUSES)
    | frozenset("BY OVER FILTER USING WITHIN VALUES STORE EXISTS ANY ALL EXCLUDE REPLACE RENAME".split())  # noqa: SIM905
    | frozenset("FORMAT PROPERTIES TABLE SCHEMAS RETURNING".split())  # noqa: SIM905 - a word a line is harder to read
    | frozenset(["MATCH_RECOGNIZE", "PATTERN", "MEASURES"])
)
"""Keywords with a blank before a bracket; behind all others, and behind names, it stands as in a call."""

_TIGHT: Final = frozenset([".", "::"])
_CLOSING: Final = frozenset([")", "]", "}"])
_OPENING: Final = frozenset(["(", "[", "{"])
_SIGNS: Final = frozenset(["-", "+", "~"])
_EXPRESSION: Final = frozenset(
    [
        "SELECT",
        "WHERE",
        "HAVING",
        "QUALIFY",
        "BY",
        "ON",
        "VALUES",
        "LIMIT",
        "OFFSET",
        "WHEN",
        "LATERAL",
        "MEASURES",
        "DEFINE",
    ]
)
_TOPIC: Final = frozenset("FROM JOIN INTO SET CREATE WITH PROPERTIES".split())  # noqa: SIM905
_SOURCES: Final = frozenset(["FROM", "JOIN"])
_REPEATS: Final = frozenset(["*", "+", "?"])
_BEHIND_SOURCES: Final = frozenset(
    "SELECT EVENTTIME WHERE WINDOW GROUP HAVING QUALIFY ORDER LIMIT OFFSET EMIT UNION".split()  # noqa: SIM905
)


@dataclass(slots=True)
class Flow:
    """The state of a line from token to token.

    Args:
        left: the token written last.
        sign: it is a sign before an operand, not an operator between two.
        topic: names of topics and settings may stand here, in which hyphens belong to the name.
        sources: this is a FROM clause, where a comma leads to the next topic.
        around: `topic` and `sources` of the brackets around.
        target: the token written last names a target: its columns stand apart from it.
        pattern: how many brackets of a pattern of rows are open, its repetitions among them.
    """

    left: Piece | None = None
    sign: bool = False
    topic: bool = True
    target: bool = False
    sources: bool = False
    around: tuple[tuple[bool, bool], ...] = ()
    pattern: int = 0

    def copy(self) -> Flow:
        """Give one that goes on by itself, to measure what may come."""
        return replace(self)

    def step(self, piece: Piece) -> bool:
        """Go on to the next token; say whether a blank stands before it."""
        left = self.left
        blank = left is not None and self._blank(left, piece)
        self.sign = _is_sign(left, piece)
        begins = left is not None and (left.is_word("INTO") or (self.topic and left.is_word("TABLE")))
        self.target = begins or (self.target and _goes_on(piece))
        if self.pattern or (piece.text == "(" and left is not None and left.is_word("PATTERN")):
            self.pattern += (piece.text in _OPENING) - (piece.text in _CLOSING)
        if piece.text in _OPENING:
            self.around = (*self.around, (self.topic, self.sources))
            self.sources = False
        elif piece.text in _CLOSING:
            (self.topic, self.sources), self.around = self.around[-1], self.around[:-1]
        elif piece.text == ",":
            self.topic = self.topic or self.sources
        elif piece.keyword:
            self._enter(piece.text)
        self.left = piece
        return blank

    def _enter(self, word: str) -> None:
        if word in _EXPRESSION:
            self.topic = False
        elif word in _TOPIC:
            self.topic = True
        if word in _SOURCES:
            self.sources = True
        elif word in _BEHIND_SOURCES:
            self.sources = False

    def _blank(self, left: Piece, right: Piece) -> bool:
        one, other = left.text, right.text
        if self.pattern:
            # A variable and how often: `a b{2,4} (c | d)+?`.
            return one not in ("(", "{", ",") and other not in (*_CLOSING, ",", "{", *_REPEATS)
        if one in _TIGHT or other in _TIGHT or one in _OPENING or one == "$":
            return False
        if other in _CLOSING or other in (",", ";", ":"):
            return False
        if self.topic and right.joined and ("-" in (one, other) or not (_is_mark(left) or _is_mark(right))):
            return False
        if other == "[" or (other == "(" and not self.target):
            return one not in _CLOSING if _is_mark(left) else left.keyword and one in _APART
        # Two hyphens would begin a comment.
        return not self.sign or other[0] == one


def _goes_on(piece: Piece) -> bool:
    if piece.is_word("NOT", "EXISTS"):
        # CREATE TABLE IF NOT EXISTS name
        return True
    return not piece.keyword and not (_is_mark(piece) and piece.text not in (".", "-"))


def _is_sign(before: Piece | None, piece: Piece) -> bool:
    """Say whether a hyphen, a plus or a tilde stands before an operand alone."""
    if not _is_mark(piece) or piece.text not in _SIGNS:
        return False
    if piece.text == "~" or before is None:
        return True
    if _is_mark(before):
        return before.text not in (*_CLOSING, "*", "?")
    return before.keyword and before.text in _APART


def _is_mark(piece: Piece) -> bool:
    return piece.token.kind is Kind.MARK
