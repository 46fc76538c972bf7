"""The grammar of MATCH_RECOGNIZE: which rows that follow one another make a match, and what a match gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlglot import exp

from headrace.errors.codes import sql as codes
from headrace.sql.calls import CallGrammar
from headrace.sql.nodes import (
    MatchRecognize,
    PatternChoice,
    PatternName,
    PatternRepeat,
    PatternSequence,
    SkipTo,
)
from headrace.sql.tokens import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

CLAUSES: Final = ("PARTITION", "ORDER", "MEASURES", "ONE", "AFTER", "PATTERN", "WITHIN", "DEFINE")
"""The words that begin a clause, in the order of the clauses."""

_OTHERS: Final = {
    "ALL": (
        "ALL ROWS PER MATCH is not supported",
        "write `ONE ROW PER MATCH`; measures say what of the rows is wanted",
    ),
    "SUBSET": ("SUBSET is not supported", "write a measure for each of its variables"),
}
_PER: Final = {"*": (0, None), "+": (1, None), "?": (0, 1)}
_MOST_DIGITS: Final = 6


class PatternGrammar(CallGrammar):
    """Reads MATCH_RECOGNIZE."""

    def match_recognize(self, source: exp.Expression, start: int) -> MatchRecognize:
        """Read MATCH_RECOGNIZE and its brackets, behind a source that began at the token of index `start`."""
        word = self.advance()
        opening = self.advance()
        node = MatchRecognize(this=source)
        readers = self._readers()
        last = -1
        while (word_here := self.token.upper) in readers:
            rank = CLAUSES.index(word_here)
            if rank <= last:
                before = CLAUSES[last]
                message = f"{word_here} stands {'twice' if rank == last else f'after {before}'}"
                help_ = "join the two to one" if rank == last else f"write {word_here} before {before}"
                self.report(codes.CLAUSE_ORDER, message, self.token.span, help_)
            last = max(last, rank)
            readers[word_here](node)
        if self.token.upper in _OTHERS:
            message, help_ = _OTHERS[self.token.upper]
            self.fail(codes.UNSUPPORTED_STATEMENT, message, self.token.span, help_)
        self.close(opening, CLAUSES)
        if "pattern" not in node.args:
            self.fail(
                codes.SYNTAX,
                "MATCH_RECOGNIZE has no PATTERN",
                word.span,
                "write for example `PATTERN (a b+) DEFINE b AS …`",
            )
        return self.mark(node, start)

    def _readers(self) -> dict[str, Callable[[MatchRecognize], None]]:
        return {
            "PARTITION": self._partition,
            "ORDER": lambda node: node.set("order", self.order_by()),
            "MEASURES": lambda node: node.set("measures", self._measures()),
            "ONE": self._one_row,
            "AFTER": lambda node: node.set("after", self._after()),
            "PATTERN": self._pattern,
            "WITHIN": lambda node: node.set("within", self._length()),
            "DEFINE": lambda node: node.set("define", self._define()),
        }

    def _partition(self, node: MatchRecognize) -> None:
        self.advance()
        self.expect_word("BY", after=" after `PARTITION`")
        node.set("partition_by", self.expression_list())

    def _one_row(self, node: MatchRecognize) -> None:
        for word in ("ONE", "ROW", "PER", "MATCH"):
            self.expect_word(word)
        node.set("one_row", True)

    def _measures(self) -> list[exp.Expression]:
        self.advance()
        items = [self._measure()]
        while self.take_mark(","):
            items.append(self._measure())
        return items

    def _measure(self) -> exp.Expression:
        start = self.position
        value = self.expression()
        self.expect_word("AS", after=" and a name for the measure")
        return self.mark(exp.Alias(this=value, alias=self.identifier("a name for the measure")), start)

    def _define(self) -> list[exp.Expression]:
        self.advance()
        items = [self._definition()]
        while self.take_mark(","):
            items.append(self._definition())
        return items

    def _definition(self) -> exp.Expression:
        start = self.position
        name = self.identifier("a variable of the pattern")
        self.expect_word("AS", after=" and a condition")
        return self.mark(exp.Alias(this=self.expression(), alias=name), start)

    def _after(self) -> SkipTo:
        start = self.position
        for word in ("AFTER", "MATCH", "SKIP"):
            self.expect_word(word)
        if self.take_word("PAST"):
            self.expect_word("LAST", after=" after `PAST`")
            self.expect_word("ROW", after=" after `LAST`")
            return self.mark(SkipTo(kind="PAST LAST ROW"), start)
        self.expect_word("TO", "PAST", after=" after `SKIP`")
        if self.take_words("NEXT", "ROW"):
            return self.mark(SkipTo(kind="TO NEXT ROW"), start)
        end = self.take_word("FIRST", "LAST") if self.peek().kind in (Kind.WORD, Kind.QUOTED) else None
        kind = "TO FIRST" if end is not None and end.upper == "FIRST" else "TO LAST"
        return self.mark(SkipTo(kind=kind, this=self.identifier("a variable of the pattern")), start)

    def _length(self) -> exp.Expression:
        self.advance()
        return self.expression() if self.at_word("INTERVAL") else self.duration()

    # The pattern

    def _pattern(self, node: MatchRecognize) -> None:
        self.advance()
        opening = self.expect_mark("(", " after `PATTERN`")
        node.set("pattern", self._choice())
        self.close(opening)

    def _choice(self) -> exp.Expression:
        start = self.position
        self.enter()
        parts = [self._sequence()]
        while self.take_mark("|"):
            parts.append(self._sequence())
        self.leave()
        return parts[0] if len(parts) == 1 else self.mark(PatternChoice(expressions=parts), start)

    def _sequence(self) -> exp.Expression:
        start = self.position
        parts = [self._repeated()]
        while self.at_name() or self.at_mark("("):
            parts.append(self._repeated())
        return parts[0] if len(parts) == 1 else self.mark(PatternSequence(expressions=parts), start)

    def _repeated(self) -> exp.Expression:
        start = self.position
        if self.at_mark("("):
            opening = self.advance()
            part = self._choice()
            self.close(opening)
        elif self.at_mark("{", "^", "$"):
            message = f"`{self.token.text}` is not supported in a pattern"
            self.fail(
                codes.UNSUPPORTED_STATEMENT,
                message,
                self.token.span,
                "name variables, in brackets where need be",
            )
        else:
            part = self.mark(PatternName(this=self.identifier("a variable of the pattern")), start)
            if part.name.upper() == "PERMUTE" and self.at_mark("("):
                message = "PERMUTE is not supported in a pattern"
                self.fail(
                    codes.UNSUPPORTED_STATEMENT,
                    message,
                    self.span_from(start),
                    "write the orders: `(a b | b a)`",
                )
        bounds = self._bounds()
        if bounds is None:
            return part
        reluctant = self.take_mark("?") is not None
        repeat = PatternRepeat(this=part, least=bounds[0], most=bounds[1], reluctant=reluctant)
        return self.mark(repeat, start)

    def _bounds(self) -> tuple[int, int | None] | None:
        mark = self.take_mark("*", "+", "?")
        if mark is not None:
            return _PER[mark.text]
        opening = self.take_mark("{")
        if opening is None:
            return None
        begin = self.position - 1
        least = self._count()
        most = least
        if self.take_mark(","):
            most = self._count()
        elif least is None:
            self.unexpected("how often, for example `{2,}`")
        self.close(opening)
        if most is not None and most < max(least or 0, 1):
            message = "the most of a repetition is at least 1, and not below its least"
            self.fail(codes.SYNTAX, message, self.span_from(begin))
        return least or 0, most

    def _count(self) -> int | None:
        token = self.token
        if token.kind is not Kind.NUMBER or not token.value.isdigit() or len(token.value) > _MOST_DIGITS:
            return None
        self.advance()
        return int(token.value)
