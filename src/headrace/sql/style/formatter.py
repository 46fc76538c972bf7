"""From the text of a program to the same program in the one style."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace.sql.parser import parse_program
from headrace.sql.printer import print_program
from headrace.sql.style.keywords import keywords_of
from headrace.sql.style.layout import Lines
from headrace.sql.style.pieces import Piece, pieces_of
from headrace.sql.style.tree import nest
from headrace.sql.tokens import Kind, Token, tokenize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.sql.style.pieces import Comment


class MeaningChangedError(Exception):
    """The new text would not mean what the old one does: a fault of the formatter."""


def format_program(text: str, name: str = "SQL") -> str:
    """Give the text of a program in the one style.

    Blanks, line ends and the case of keywords change, and a `;` behind the last statement may be added; nothing else does.

    Raises:
        ProgramError: the text cannot be read.
        MeaningChangedError: the text is left as it is rather than changed in meaning.
    """
    program = parse_program(text, name)
    tokens, _ = tokenize(text)
    pieces = pieces_of(text, tokens, keywords_of(text, tokens))
    _move_comments(pieces)
    formatted = _statements(pieces)
    if print_program(parse_program(formatted, name)) != print_program(program):
        message = f"`{name}` would change its meaning"
        raise MeaningChangedError(message)
    return formatted


def _move_comments(pieces: Sequence[Piece]) -> None:
    """Put comments behind the comma or semicolon that ends what they are about, and those above it below."""
    for left, piece, right in zip(pieces, pieces[1:], [*pieces[2:], None], strict=False):
        if piece.text not in (",", ";") or piece.token.kind is not Kind.MARK:
            continue
        if right is not None and piece.before:
            # What stands behind it on its line follows them: comments stay in order.
            right.before[:0] = [*piece.before, *piece.after]
            piece.before, piece.after = [], []
        piece.after[:0], left.after = left.after, []


def _statements(pieces: Sequence[Piece]) -> str:
    lines: list[str] = []
    begin = 0
    previous = ""
    for number, piece in enumerate(pieces):
        if piece.text != ";" and piece.token.kind is not Kind.END:
            continue
        statement = pieces[begin:number]
        begin = number + 1
        if not statement:
            _leave_out(piece, lines)
            continue
        first = statement[0]
        comments, first.before = first.before, []
        blank = comments[0].blank if comments else first.blank
        if lines and (blank or not first.text == previous == "SET"):
            lines.append("")
        lines += _above(comments, blank=first.blank)
        lines += Lines().statement(nest(statement), _ended(statement, piece))
        previous = first.text
    rest = pieces[-1]
    if rest.before:
        lines += (
            ["", *_above(rest.before, blank=False)]
            if lines and rest.before[0].blank
            else _above(rest.before, blank=False)
        )
    return "\n".join(lines) + "\n"


def _ended(statement: Sequence[Piece], end: Piece) -> Piece:
    """Give the `;` behind a statement, made if the text ends without one."""
    if end.token.kind is not Kind.END:
        return end
    last = statement[-1]
    place = last.token.end
    made = Piece(Token(Kind.MARK, ";", place, place, ";"), ";", after=last.after)
    last.after = []
    return made


def _leave_out(semicolon: Piece, lines: list[str]) -> None:
    """Drop a `;` without a statement; its comments stay."""
    comments = [*semicolon.before, *semicolon.after] if semicolon.token.kind is not Kind.END else []
    lines += _above(comments, blank=False)


def _above(comments: Sequence[Comment], *, blank: bool) -> list[str]:
    """Give comments above a statement; single empty lines between them, and below the last, stay."""
    lines: list[str] = []
    for comment in comments:
        if lines and comment.blank:
            lines.append("")
        lines.append(comment.text)
    return [*lines, ""] if lines and blank else lines
