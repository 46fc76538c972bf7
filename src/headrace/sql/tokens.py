"""Text to tokens. Every token knows its place; what cannot be a token becomes a diagnostic, and reading goes on.

Comments are `-- …`, `// …` and `/* … */`. Two slashes always begin a comment outside quotes: integer division has no
operator of its own here, since `/` on two integers divides as integers (DuckDB's function for it is `divide(a, b)`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

from headrace.errors import Diagnostic, Span
from headrace.errors.codes import sql as codes


class Kind(Enum):
    """What a token is."""

    WORD = auto()  # a keyword or a bare name
    QUOTED = auto()  # a back-ticked name
    STRING = auto()
    NUMBER = auto()
    DURATION = auto()  # 5m, 500ms
    SUFFIXED = auto()  # a number with letters that are no unit: 20MB; only a value of SET may be one
    MARK = auto()  # an operator or a punctuation mark
    END = auto()


@dataclass(slots=True)
class Token:
    """A token: its text as written, its value (quotes removed), and for a word its upper case, to compare with keywords."""

    kind: Kind
    text: str
    start: int
    end: int
    value: str
    upper: str = ""

    @property
    def span(self) -> Span:
        """Where the token stands."""
        return Span(self.start, self.end)


_MAX_FAULTS = 20

UNITS = ("ms", "s", "m", "h", "d", "w", "M", "y")

# Strings are written out without nested repetition, so that no text makes the search backtrack.
_TOKEN = re.compile(
    r"""
    (?P<space>\s+|--[^\n]*|//[^\n]*|/\*[\s\S]*?\*/)
  | (?P<word>[^\W\d]\w*)
  | (?P<number>(?:[0-9]+(?:_[0-9]+)*(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+(?!\w))?)(?P<suffix>[^\W\d]\w*)?
  | (?P<single>'[^']*(?:''[^']*)*')
  | (?P<double>"[^"]*(?:""[^"]*)*")
  | (?P<quoted>`[^`]*(?:``[^`]*)*`)
  | (?P<mark>->>|->|::|:=|=>|\|\||<=|>=|<>|!=|!~|==|\*\*|<<|>>|[()\[\]{},.;+\-*%<>=~^&|?:$]|/(?!\*))
    """,
    re.VERBOSE,
)
_QUOTES = {"single": "'", "double": '"', "quoted": "`"}
_DURATION_NUMBER = re.compile(r"[0-9]+\Z")


def tokenize(text: str) -> tuple[list[Token], list[Diagnostic]]:
    """Cut a text into tokens, the last of them END, and list what could not be read.

    An unclosed quote is taken to end with its line, so that the rest of the text is read as it was meant.
    """
    tokens: list[Token] = []
    faults: list[Diagnostic] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            if len(faults) >= _MAX_FAULTS:
                break  # this is no SQL
            position = _unreadable(text, position, tokens, faults)
            continue
        position = match.end()
        group = match.lastgroup
        if group != "space":
            token = _token(match, group)
            if token.kind in (Kind.STRING, Kind.QUOTED) and "\0" in token.text:
                faults.append(_bad_character(token.start + token.text.index("\0"), "\0"))
            tokens.append(token)
    end = len(text.rstrip())
    tokens.append(Token(Kind.END, "", end, end, ""))
    return tokens, faults


def _token(match: re.Match[str], group: str | None) -> Token:
    text, start, end = match.group(), match.start(), match.end()
    if group == "word":
        # Upper case of a few letters beyond ASCII is ASCII (the long s); such a word is no keyword.
        return Token(Kind.WORD, text, start, end, text, text.upper() if text.isascii() else "")
    if group == "mark":
        return Token(Kind.MARK, text, start, end, text)
    if group in ("number", "suffix"):
        number, suffix = match.group("number"), match.group("suffix")
        if suffix is None:
            return Token(Kind.NUMBER, text, start, end, number.replace("_", ""))
        if suffix in UNITS and _DURATION_NUMBER.match(number):
            return Token(Kind.DURATION, text, start, end, number)
        return Token(Kind.SUFFIXED, text, start, end, text)
    quote = _QUOTES[group or ""]
    kind = Kind.QUOTED if group == "quoted" else Kind.STRING
    return Token(kind, text, start, end, text[1:-1].replace(quote * 2, quote))


def _unreadable(text: str, position: int, tokens: list[Token], faults: list[Diagnostic]) -> int:
    """Report what begins at `position`, put in its place what was most likely meant, and give where to read on."""
    character = text[position]
    if character in "'\"`":
        end = _line_end(text, position)
        what = "name in back-ticks" if character == "`" else "string"
        faults.append(
            Diagnostic(
                codes.UNCLOSED_QUOTE,
                f"the {what} that begins here is not closed",
                Span(position, end),
                f"add the closing {character}" if character != "`" else "add the closing back-tick",
            )
        )
        kind = Kind.QUOTED if character == "`" else Kind.STRING
        tokens.append(Token(kind, text[position:end], position, end, text[position + 1 : end]))
        return end
    if text.startswith("/*", position):
        fault = Diagnostic(
            codes.UNCLOSED_QUOTE,
            "the comment that begins here is not closed",
            Span(position, position + 2),
            "add the closing `*/`",
        )
        faults.append(fault)
        return len(text)
    faults.append(_bad_character(position, character))
    return position + 1


def _line_end(text: str, position: int) -> int:
    # The end of the statement, if it stands in the line, was hardly meant to be quoted.
    line = text[position:].partition("\n")[0].partition(";")[0]
    return position + max(len(line.rstrip()), 1)


# What word processors and web pages make of quotes, the back-tick and the hyphen.
_TYPOGRAPHIC = {
    **dict.fromkeys("\u2018\u2019\u201c\u201d\u00ab\u00bb", "'"),
    "\u00b4": "`",
    **dict.fromkeys("\u2013\u2014\u2212", "-"),
}


def _bad_character(position: int, character: str) -> Diagnostic:
    name = character if character.isprintable() else f"U+{ord(character):04X}"
    plain = _TYPOGRAPHIC.get(character)
    help_ = (
        f"the plain character is {plain}"
        if plain
        else "remove it, or put the name that holds it between back-ticks"
    )
    if character == "\0":
        help_ = "remove it"
    return Diagnostic(codes.BAD_CHARACTER, f"`{name}` cannot stand here", Span(position, position + 1), help_)
