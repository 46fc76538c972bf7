"""Tells keywords from names: a keyword is a word whose case the meaning of the statement does not depend on.

So no list of keywords has to follow the grammar, and `offset` is a column where it is one and a clause where it is one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from headrace.errors import ProgramError
from headrace.sql.parser import parse_program
from headrace.sql.printer import print_program
from headrace.sql.tokens import Kind, Token, tokenize
from headrace.sql.words import RESERVED

if TYPE_CHECKING:
    from collections.abc import Iterable

_WORD: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def keywords_of(text: str, tokens: list[Token]) -> frozenset[int]:
    """Give the numbers of the tokens of a program that are keywords; the program must be one that can be read."""
    found: set[int] = set()
    begin = 0
    for number, token in enumerate(tokens):
        if token.text == ";" or token.kind is Kind.END:
            if number > begin:
                found |= _of_statement(text, tokens, range(begin, number))
            begin = number + 1
    return frozenset(found)


def _of_statement(text: str, tokens: list[Token], numbers: range) -> set[int]:
    words = [
        number
        for number in numbers
        # Behind a dot every word is a name.
        if tokens[number].kind is Kind.WORD and tokens[number].upper and tokens[number - 1].text != "."
    ]
    statement = _Statement(text, tokens, numbers)
    canonical, changed = statement.meaning(()), statement.meaning(words)
    if changed is None or len(changed) != len(canonical or []):
        return {number for number in words if tokens[number].upper in RESERVED}
    names: set[str] = set()
    fixed: set[str] = set()
    for one, other in zip(canonical or [], changed, strict=True):
        if one != other:
            names.update(_WORD.findall(one))
        else:
            fixed.add(one.upper())
    found = {number for number in words if tokens[number].text not in names}
    # Spelt like a name of the statement and like one of its keywords: only a trial tells.
    doubtful = [number for number in words if number not in found and tokens[number].upper in fixed]
    return found | {number for number in doubtful if statement.meaning([number]) == canonical}


class _Statement:
    """One statement, to be read with the case of some of its words changed."""

    def __init__(self, text: str, tokens: list[Token], numbers: range) -> None:
        self._tokens = tokens
        self._begin = tokens[numbers[0]].start
        self._text = text[self._begin : tokens[numbers[-1]].end]

    def meaning(self, changed: Iterable[int]) -> list[str] | None:
        """Give the tokens of the canonical text; None if it is no statement any more."""
        parts, place = [], 0
        for number in changed:
            token = self._tokens[number]
            parts.append(self._text[place : token.start - self._begin])
            parts.append(token.text.lower() if token.text.isupper() else token.text.upper())
            place = token.end - self._begin
        parts.append(self._text[place:])
        try:
            printed = print_program(parse_program("".join(parts)))
        except ProgramError:
            return None
        return [token.text for token in tokenize(printed)[0]]
