"""A place in a list of tokens: looking, taking, complaining. The base of the grammar classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn, TypeVar

from sqlglot import exp

from headrace.errors import Diagnostic, Label, Span
from headrace.errors.codes import Code
from headrace.errors.codes import sql as codes
from headrace.sql.spans import set_span
from headrace.sql.tokens import Kind, Token
from headrace.sql.words import CLAUSES, NOT_AN_ALIAS, RESERVED, STATEMENTS, meant

if TYPE_CHECKING:
    from collections.abc import Sequence

Node = TypeVar("Node", bound=exp.Expression)

MAX_NESTING = 100
"""How deep brackets, calls and queries may be nested: far beyond what people write, well within Python's stack."""

_CLOSING = {"(": ")", "[": "]", "{": "}"}
_OPENING = {closing: opening for opening, closing in _CLOSING.items()}


class Fault(Exception):
    """The statement cannot be read on; carries why. Control flow inside the parser, never leaves it."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


class Cursor:
    """Walks over tokens. Errors that the text can be read past are collected in `found`; others are raised as `Fault`."""

    def __init__(self, text: str, tokens: list[Token]) -> None:
        self.text = text
        self.tokens = tokens
        self.position = 0
        self.found: list[Diagnostic] = []
        self.implicit_alias = -1  # index of the last name that was taken for an alias without AS
        self._nesting = 0

    # Looking

    @property
    def token(self) -> Token:
        """The next token."""
        return self.tokens[self.position]

    @property
    def previous(self) -> Token:
        """The token taken last."""
        return self.tokens[max(self.position - 1, 0)]

    def peek(self, ahead: int = 1) -> Token:
        """The token `ahead` of the next one; END beyond the end."""
        return self.tokens[min(self.position + ahead, len(self.tokens) - 1)]

    def at_mark(self, *marks: str) -> bool:
        """Tell whether the next token is one of the marks."""
        token = self.token
        return token.kind is Kind.MARK and token.text in marks

    def at_word(self, *words: str) -> bool:
        """Tell whether the next token is one of the words (upper case)."""
        return self.token.upper in words if self.token.upper else False

    def at_words(self, *words: str) -> bool:
        """Tell whether the next tokens are these words, in this order."""
        return all(self.peek(index).upper == word for index, word in enumerate(words))

    def at_end(self) -> bool:
        """Tell whether the statement ends here."""
        return self.token.kind is Kind.END or self.at_mark(";")

    # Taking

    def advance(self) -> Token:
        """Take the next token."""
        token = self.tokens[self.position]
        if token.kind is not Kind.END:
            self.position += 1
        return token

    def take_mark(self, *marks: str) -> Token | None:
        """Take the next token if it is one of the marks."""
        return self.advance() if self.at_mark(*marks) else None

    def take_word(self, *words: str) -> Token | None:
        """Take the next token if it is one of the words."""
        return self.advance() if self.at_word(*words) else None

    def take_words(self, *words: str) -> bool:
        """Take the next tokens if they are these words, in this order; else none."""
        if not self.at_words(*words):
            return False
        self.position += len(words)
        return True

    def expect_mark(self, mark: str, after: str = "") -> Token:
        """Take a mark, or fail."""
        return self.take_mark(mark) or self.unexpected(f"`{mark}`{after}")

    def expect_word(self, *words: str, after: str = "") -> Token:
        """Take one of the words, or fail, with a guess at a misspelt one."""
        expected = " or ".join(f"`{word}`" for word in words)
        return self.take_word(*words) or self.unexpected(f"{expected}{after}", words)

    def close(self, opening: Token, candidates: Sequence[str] = ()) -> Token:
        """Take the bracket that closes `opening`, or fail."""
        closing = _CLOSING[opening.text]
        token = self.take_mark(closing)
        if token is not None:
            return token
        self.check_misspelt(candidates)
        here = self.token
        ended = (
            self.at_end() or here.upper in RESERVED or here.upper in CLAUSES or self.at_mark(")", "]", "}")
        )
        if not ended:
            self.unexpected(f"`{closing}` or `,`", candidates)
        place = self.previous
        self.fail(
            codes.UNCLOSED_BRACKET,
            f"`{opening.text}` is not closed",
            opening.span,
            f"add `{closing}`",
            labels=(Label(Span(place.end, place.end), f"`{closing}` expected here"),),
        )

    def identifier(self, what: str = "a name", *, any_word: bool = False) -> exp.Identifier:
        """Take a name, bare or back-ticked. `any_word` lets reserved words pass, where nothing else can stand."""
        token = self.token
        if token.kind is Kind.QUOTED:
            if not token.value:
                self.fail(codes.SYNTAX, "a name between back-ticks is empty", token.span, "write the name")
        elif token.kind is not Kind.WORD or (token.upper in RESERVED and not any_word):
            self.unexpected(what)
        self.advance()
        node = exp.Identifier(this=token.value, quoted=token.kind is Kind.QUOTED)
        set_span(node, token.span)
        return node

    def dotted(self, what: str = "a name") -> list[exp.Identifier]:
        """Take a dotted name; after a dot every word is a name."""
        path = [self.identifier(what)]
        while self.take_mark("."):
            path.append(self.identifier("a name after `.`", any_word=True))
        return path

    def at_name(self) -> bool:
        """Tell whether the next token can be a name."""
        token = self.token
        return token.kind is Kind.QUOTED or (token.kind is Kind.WORD and token.upper not in RESERVED)

    def implicit_name(self) -> exp.Identifier | None:
        """Take an alias that stands without AS, if there is one."""
        token = self.token
        if token.kind is Kind.QUOTED or (token.kind is Kind.WORD and token.upper not in NOT_AN_ALIAS):
            self.implicit_alias = self.position
            return self.identifier()
        return None

    # Places

    def span_from(self, start: int) -> Span:
        """Give the span from the token of index `start` to the token taken last."""
        first = self.tokens[start].start
        return Span(first, max(self.previous.end, first))

    def mark(self, node: Node, start: int) -> Node:
        """Note in a node that it reaches from the token of index `start` to the token taken last."""
        set_span(node, self.span_from(start))
        return node

    # Depth

    def enter(self, weight: int = 1) -> None:
        """Go one level deeper, or fail where no statement should be that deep. `leave` with the same weight."""
        self._nesting += weight
        if self._nesting > MAX_NESTING:
            self.fail(
                codes.TOO_COMPLEX,
                f"the statement is nested deeper than {MAX_NESTING} levels",
                self.token.span,
                "name inner parts by `WITH name AS (…)`",
            )

    def leave(self, weight: int = 1) -> None:
        """Come back from a level."""
        self._nesting -= weight

    def surface(self) -> None:
        """Forget all levels: after a fault, at the next statement."""
        self._nesting = 0

    # Complaining

    def fail(
        self,
        code: Code,
        message: str,
        span: Span,
        help_: str | None = None,
        *,
        labels: tuple[Label, ...] = (),
        notes: tuple[str, ...] = (),
    ) -> NoReturn:
        """Give up on the statement."""
        raise Fault(Diagnostic(code, message, span, help_, notes, labels=labels))

    def report(self, code: Code, message: str, span: Span, help_: str | None = None) -> None:
        """Note an error and read on."""
        self.found.append(Diagnostic(code, message, span, help_))

    def describe(self, token: Token) -> str:
        """Name a token in a message."""
        if token.kind is Kind.END:
            return "the end of the text"
        text = token.text if len(token.text) <= 40 else token.text[:37] + "…"
        return f"`{text.splitlines()[0]}`" if text.strip() else f"`{text!r}`"

    def check_misspelt(self, candidates: Sequence[str]) -> None:
        """Fail if the next word, or the name just taken as an alias without AS, is a slip of a keyword that could stand there."""
        indexes = [self.position]
        if self.implicit_alias == self.position - 1:
            indexes.insert(0, self.implicit_alias)
        for index in indexes:
            token = self.tokens[index]
            if token.kind is not Kind.WORD:
                continue
            keyword = meant(token.text, candidates)
            if keyword is not None:
                self.fail(
                    codes.MISSPELT_KEYWORD,
                    f"`{token.text}` is not a keyword",
                    token.span,
                    f"did you mean `{keyword}`?",
                )

    def unexpected(self, expected: str, candidates: Sequence[str] = ()) -> NoReturn:
        """Fail at the next token, which is not what the grammar wants."""
        self.check_misspelt(candidates)
        token = self.token
        help_ = None
        if token.kind is Kind.WORD and token.upper in RESERVED and "name" in expected:
            help_ = f"a reserved word is a name only between back-ticks: `{token.text}`"
        elif self.at_mark(")", "]", "}"):
            help_ = f"if no `{_OPENING[token.text]}` belongs to it, remove it"
        elif token.kind is Kind.STRING and "name" in expected:
            help_ = "names stand between back-ticks; quotes make a string"
        elif token.kind is Kind.SUFFIXED:
            self.fail(
                codes.BAD_DURATION,
                f"`{token.text}` is neither a number nor a duration",
                token.span,
                "the units are ms, s, m, h, d, w, M and y",
            )
        at = token.span if token.kind is not Kind.END else Span(token.end, token.end)
        self.fail(codes.SYNTAX, f"expected {expected}, found {self.describe(token)}", at, help_)

    def statement_begins(self) -> bool:
        """Tell whether the next tokens can only be the beginning of another statement."""
        following = self.peek()
        if self.at_word("INSERT"):
            return following.upper == "INTO"
        if self.at_word("SET"):
            return following.kind in (Kind.WORD, Kind.QUOTED)
        if self.at_word("CREATE"):
            return following.kind is Kind.WORD
        return self.at_word("SELECT", "WITH") and self.token.upper in STATEMENTS
