"""The grammar of what a query reads: topics, sub-queries, patterns of rows, joins, LATERAL."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlglot import exp

from headrace.errors import Span
from headrace.errors.codes import sql as codes
from headrace.sql.nodes import ArrayLateral, Join, Select, Within
from headrace.sql.patterns import PatternGrammar
from headrace.sql.tokens import Kind
from headrace.sql.words import CLAUSES, RESERVED

PLAIN = re.compile(r"[^\W\d]\w*\Z")
JOIN_WORDS = (
    "JOIN",
    "INNER",
    "LEFT",
    "RIGHT",
    "FULL",
    "OUTER",
    "CROSS",
    "NATURAL",
    "ASOF",
    "POSITIONAL",
    "SEMI",
    "ANTI",
)


@dataclass(frozen=True, slots=True)
class Topic:
    """The name of a topic, with the quotes gone."""

    value: str
    span: Span
    quoted: bool


class SourceGrammar(PatternGrammar):
    """Reads FROM and what belongs to it."""

    def topic(self, what: str = "the name of a topic") -> Topic:
        """Read a topic's name: back-ticked, or bare with `-` and `.` where nothing separates its parts."""
        first = self.token
        if first.kind is Kind.QUOTED:
            self.identifier(what)
            return Topic(first.value, first.span, quoted=True)
        if first.kind is not Kind.WORD or first.upper in RESERVED:
            self.unexpected(what)
        self.advance()
        while self.token.start == self.previous.end and self._joins_name():
            self.advance()
        text = self.text[first.start : self.previous.end]
        return Topic(text, Span(first.start, self.previous.end), quoted=PLAIN.match(text) is None)

    def _joins_name(self) -> bool:
        token, following = self.token, self.peek()
        if token.kind in (Kind.WORD, Kind.NUMBER, Kind.DURATION, Kind.SUFFIXED):
            return True
        return (
            self.at_mark("-", ".")
            and following.start == token.end
            and following.kind
            in (
                Kind.WORD,
                Kind.NUMBER,
                Kind.DURATION,
                Kind.SUFFIXED,
            )
        )

    def source(self) -> exp.Expression:
        """Read one thing to read from, with its alias."""
        start = self.position
        if self.at_mark("("):
            opening = self.advance()
            node: exp.Expression = exp.Subquery(this=self.query())
            self.close(opening, CLAUSES)
        elif self.at_words("LATERAL") and self.peek().text == "(":
            return self._lateral_query()
        elif self.token.kind is Kind.WORD and self.peek().text == "(" and self.at_name():
            node = exp.Table(this=self.call())
        else:
            topic = self.topic(
                "the name of a topic after `FROM`" if self.previous.upper == "FROM" else "the name of a topic"
            )
            name = self.mark(exp.Identifier(this=topic.value, quoted=topic.quoted), start)
            node = exp.Table(this=name)
        self.mark(node, start)
        self._name(node, start)
        if self.at_word("MATCH_RECOGNIZE") and self.peek().text == "(":
            node = self.match_recognize(node, start)
            self._name(node, start)
        return node

    def _name(self, node: exp.Expression, start: int) -> None:
        alias = self._source_alias()
        if alias is not None:
            node.set("alias", alias)
            self.mark(node, start)

    def _source_alias(self) -> exp.TableAlias | None:
        start = self.position
        name = self.identifier("a name after `AS`") if self.take_word("AS") else self.implicit_name()
        if name is None:
            return None
        alias = exp.TableAlias(this=name)
        if self.at_mark("("):
            opening = self.advance()
            alias.append("columns", self.identifier("the name of a column"))
            while self.take_mark(","):
                alias.append("columns", self.identifier("the name of a column"))
            self.close(opening)
        return self.mark(alias, start)

    def joins(self, node: Select) -> None:
        """Read the joins, comma joins and LATERALs behind the first source."""
        while True:
            start = self.position
            if self.at_mark(","):
                self.advance()
                if self.at_word("LATERAL") and self.peek().text != "(":
                    node.append("laterals", self._lateral())
                else:
                    node.append("joins", self.mark(Join(this=self.source()), start))
            elif self.at_word("LATERAL"):
                node.append("laterals", self._lateral())
            elif self.at_word(*JOIN_WORDS):
                self._check_after_lateral(node)
                node.append("joins", self._join())
            else:
                return

    def _check_after_lateral(self, node: Select) -> None:
        if node.args.get("laterals"):
            self.report(
                codes.CLAUSE_ORDER, "JOIN stands after LATERAL", self.token.span, "write JOIN before LATERAL"
            )

    def _lateral(self) -> exp.Expression:
        start = self.position
        if self.peek().text == "(" and self.peek(2).upper == "SELECT":
            return self._lateral_query()
        self.advance()
        array = self.expression()
        self.expect_word("AS", after=" and a name for the element")
        return self.mark(ArrayLateral(this=array, alias=self.identifier()), start)

    def _lateral_query(self) -> exp.Expression:
        start = self.position
        self.advance()
        begin = self.position
        opening = self.advance()
        query = exp.Subquery(this=self.query())
        self.close(opening)
        node = exp.Lateral(this=self.mark(query, begin))
        alias = self._source_alias()
        if alias is not None:
            node.set("alias", alias)
        return self.mark(node, start)

    def _join(self) -> Join:
        start = self.position
        node = Join()
        method = self.take_word("NATURAL", "ASOF", "POSITIONAL")
        if method is not None:
            node.set("method", method.upper)
        side = self.take_word("LEFT", "RIGHT", "FULL")
        kind = self.take_word("INNER", "OUTER", "CROSS", "SEMI", "ANTI")
        if side is not None:
            node.set("side", side.upper)
        if kind is not None and kind.upper == "OUTER":
            node.set("side", side.upper if side is not None else "FULL")
        elif kind is not None:
            node.set("kind", kind.upper)
        elif side is None:
            node.set("kind", "INNER")
        self.expect_word("JOIN")
        if self.at_words("GLOBAL", "TABLE"):
            self.position += 2
            node.set("broadcast", True)
        node.set("this", self.source())
        self._join_conditions(node)
        return self.mark(node, start)

    def _join_conditions(self, node: Join) -> None:
        while True:
            if self.at_word("ON") and "on" not in node.args:
                self.advance()
                node.set("on", self.expression())
            elif self.at_word("USING") and "using" not in node.args:
                self.advance()
                opening = self.expect_mark("(")
                node.append("using", self.identifier("the name of a column"))
                while self.take_mark(","):
                    node.append("using", self.identifier("the name of a column"))
                self.close(opening)
            elif self.at_word("WITHIN") and "within" not in node.args:
                node.set("within", self._within())
            elif self.at_words("GRACE", "BY") and "grace" not in node.args:
                self.position += 2
                node.set("grace", self.duration())
            else:
                return

    def _within(self) -> Within:
        start = self.position
        self.advance()
        if self.at_end() or self.token.upper in CLAUSES:
            place = self.previous
            self.fail(
                codes.BAD_DURATION, "WITHIN has no duration", place.span, "write for example `WITHIN 10m`"
            )
        lengths = self.durations()
        if len(lengths) > 2:
            self.fail(
                codes.BAD_DURATION,
                "WITHIN takes one duration, or two: before and after",
                self.span_from(start),
            )
        node = Within(this=lengths[0])
        if len(lengths) == 2 and lengths[1] != lengths[0]:
            node.set("after", lengths[1])
        return self.mark(node, start)
