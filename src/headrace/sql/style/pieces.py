"""Tokens with the comments that belong to them: no comment stands by itself, so none can get lost."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from headrace.sql.tokens import Token

_COMMENT: Final = re.compile(r"--[^\n]*|//[^\n]*|/\*[\s\S]*?\*/")


@dataclass(slots=True)
class Comment:
    """A comment as written; `blank`: an empty line stands before it."""

    text: str
    blank: bool = False

    @property
    def ends_line(self) -> bool:
        """Say whether nothing can follow on its line."""
        return not self.text.startswith("/*") or "\n" in self.text


@dataclass(slots=True)
class Piece:
    """A token as it is to be printed.

    Args:
        token: as it was read.
        text: with the case of keywords set.
        keyword: a word whose case means nothing.
        joined: no blank stood between the token before and this one.
        blank: an empty line stood before it, behind its comments.
        before: comments on lines of their own above it.
        after: comments behind it on its line.
    """

    token: Token
    text: str
    keyword: bool = False
    joined: bool = False
    blank: bool = False
    before: list[Comment] = field(default_factory=list)
    after: list[Comment] = field(default_factory=list)

    def is_word(self, *words: str) -> bool:
        """Say whether it is one of these keywords (upper case)."""
        return self.keyword and self.text in words

    @property
    def ends_line(self) -> bool:
        """Say whether a comment behind it ends the line."""
        return any(comment.ends_line for comment in self.after)


def pieces_of(text: str, tokens: list[Token], keywords: frozenset[int]) -> list[Piece]:
    """Give a piece for each token, the END included, which holds the comments at the end of the text.

    Args:
        text: the program.
        tokens: all of it.
        keywords: numbers of the tokens that are keywords.
    """
    pieces: list[Piece] = []
    end = 0
    for number, token in enumerate(tokens):
        written = token.text.upper() if number in keywords else token.text
        piece = Piece(token, written, number in keywords)
        gap_end = token.start if token.text else len(text)
        _read_gap(text[end:gap_end], pieces[-1] if pieces else None, piece)
        pieces.append(piece)
        end = token.end
    return pieces


def _read_gap(gap: str, previous: Piece | None, piece: Piece) -> None:
    """Give the comments between two tokens to the one before, if they stand on its line, or to the one behind."""
    piece.joined = not gap
    own_line = previous is None
    place = 0
    for match in _COMMENT.finditer(gap):
        blanks = gap[place : match.start()]
        own_line = own_line or "\n" in blanks
        comment = Comment(match.group().rstrip(), _empty_line(blanks))
        if own_line or previous is None:
            piece.before.append(comment)
        else:
            previous.after.append(comment)
            own_line = comment.ends_line
        place = match.end()
    piece.blank = _empty_line(gap[place:])


def _empty_line(blanks: str) -> bool:
    return blanks.count("\n") > 1
