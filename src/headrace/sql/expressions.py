"""The grammar of expressions: precedence climbing over the tokens, giving sqlglot's nodes.

Calls are `exp.Anonymous` with the name as written, whatever the function: what a name means is for `headrace.functions` to
say. An index (`exp.Bracket`) holds what the text says: 0 is the first element. Lower it with `+ 1` for DuckDB.
"""

from __future__ import annotations

from abc import abstractmethod

from sqlglot import exp

from headrace.errors.codes import sql as codes
from headrace.sql.calls import CallGrammar
from headrace.sql.nodes import Duration
from headrace.sql.paths import column_of
from headrace.sql.spans import set_span, span_of
from headrace.sql.tokens import Kind, Token
from headrace.sql.words import RESERVED

OR, AND, NOT, IS, COMPARE, RANGE, OTHER, SUM, PRODUCT, POWER, ZONE, UNARY, POSTFIX = range(10, 140, 10)

_BINARY: dict[str, tuple[int, type[exp.Expression]]] = {
    "=": (COMPARE, exp.EQ),
    "==": (COMPARE, exp.EQ),
    "!=": (COMPARE, exp.NEQ),
    "<>": (COMPARE, exp.NEQ),
    "<": (COMPARE, exp.LT),
    "<=": (COMPARE, exp.LTE),
    ">": (COMPARE, exp.GT),
    ">=": (COMPARE, exp.GTE),
    "||": (OTHER, exp.DPipe),
    "&": (OTHER, exp.BitwiseAnd),
    "|": (OTHER, exp.BitwiseOr),
    "<<": (OTHER, exp.BitwiseLeftShift),
    ">>": (OTHER, exp.BitwiseRightShift),
    "->": (OTHER, exp.JSONExtract),
    "->>": (OTHER, exp.JSONExtractScalar),
    "+": (SUM, exp.Add),
    "-": (SUM, exp.Sub),
    "*": (PRODUCT, exp.Mul),
    "/": (PRODUCT, exp.Div),
    "%": (PRODUCT, exp.Mod),
    "^": (POWER, exp.Pow),
    "**": (POWER, exp.Pow),
}
_REGEX_MARKS = ("~", "!~")
_BINARY_WORDS: dict[str, tuple[int, type[exp.Expression]]] = {"OR": (OR, exp.Or), "AND": (AND, exp.And)}
_RANGE_WORDS = ("BETWEEN", "IN", "LIKE", "ILIKE", "GLOB", "SIMILAR")
_MATCHES: dict[str, type[exp.Expression]] = {
    "LIKE": exp.Like,
    "ILIKE": exp.ILike,
    "GLOB": exp.Glob,
    "SIMILAR": exp.SimilarTo,
}


class ExpressionGrammar(CallGrammar):
    """Reads expressions."""

    @abstractmethod
    def query(self) -> exp.Expression:
        """Read a query: from SELECT, WITH, VALUES or an opening bracket on."""

    def expression(self, binding: int = 0) -> exp.Expression:
        """Read an expression whose operators bind tighter than `binding`."""
        start = self.position
        self.enter()
        left = self._prefix(binding)
        while (operator := self._infix(binding)) is not None:
            left = self._operate(operator, left, start)
        self.leave()
        return left

    def _infix(self, binding: int) -> Token | None:
        """Give the next token if it is an operator that binds tighter than `binding`."""
        token = self.token
        if token.kind is Kind.MARK:
            if token.text in ("[", "::", "."):
                strength = POSTFIX
            elif token.text in _REGEX_MARKS:
                strength = RANGE
            else:
                strength = _BINARY.get(token.text, (0, None))[0]
        elif token.kind is Kind.WORD:
            word, following = token.upper, self.peek().upper
            if word in _BINARY_WORDS:
                strength = _BINARY_WORDS[word][0]
            elif word == "IS":
                strength = IS
            elif word in _RANGE_WORDS or (word == "NOT" and following in _RANGE_WORDS):
                strength = RANGE
            elif (word == "AT" and following == "TIME") or word == "COLLATE":
                strength = ZONE
            else:
                return None
        else:
            return None
        return token if strength > binding else None

    def _operate(self, operator: Token, left: exp.Expression, start: int) -> exp.Expression:
        """Read what follows an operator and join it with the left operand."""
        word = operator.upper
        if operator.kind is Kind.MARK:
            if operator.text in ("[", "::", "."):
                return self._postfix(operator, left, start)
            if operator.text in _REGEX_MARKS:
                return self._regex(operator, left, start)
            strength, node_type = _BINARY[operator.text]
            self.advance()
            return self._binary(node_type, left, self.expression(strength), start)
        if word in _BINARY_WORDS:
            strength, node_type = _BINARY_WORDS[word]
            self.advance()
            return self._binary(node_type, left, self.expression(strength), start)
        if word == "IS":
            return self._is(left, start)
        if word == "AT":
            self.advance()
            self.advance()
            self.expect_word("ZONE")
            return self.mark(exp.AtTimeZone(this=left, zone=self.expression(ZONE)), start)
        if word == "COLLATE":
            self.advance()
            collation = exp.Var(this=self.identifier("a collation").this)
            return self.mark(exp.Collate(this=left, expression=collation), start)
        return self._range(left, start)

    def _binary(
        self, node_type: type[exp.Expression], left: exp.Expression, right: exp.Expression, start: int
    ) -> exp.Expression:
        return self.mark(node_type(this=left, expression=right), start)

    def _regex(self, operator: Token, left: exp.Expression, start: int) -> exp.Expression:
        """Read the pattern of `~`, which the whole text must match, or of `!~`."""
        self.advance()
        arguments = [left, self.expression(RANGE)]
        node = self.mark(exp.Anonymous(this="regexp_full_match", expressions=arguments), start)
        return self.mark(exp.Not(this=node), start) if operator.text == "!~" else node

    # Prefixes

    def _prefix(self, binding: int) -> exp.Expression:
        start = self.position
        token = self.token
        if token.kind is Kind.MARK and token.text in ("-", "+", "~"):
            self.advance()
            operand = self.expression(UNARY - 1)
            if token.text == "+":
                return operand
            return self.mark((exp.Neg if token.text == "-" else exp.BitwiseNot)(this=operand), start)
        if token.upper == "NOT":
            if binding >= NOT:
                self.fail(
                    codes.SYNTAX, "NOT cannot stand behind this operator", token.span, "write `(NOT …)`"
                )
            self.advance()
            return self.mark(exp.Not(this=self.expression(NOT - 1)), start)
        return self._primary()

    def _primary(self) -> exp.Expression:
        start = self.position
        token = self.token
        if token.kind is Kind.NUMBER:
            self.advance()
            return self.mark(exp.Literal.number(token.value), start)
        if token.kind is Kind.STRING:
            self.advance()
            return self.mark(exp.Literal.string(token.value), start)
        if token.kind is Kind.DURATION:
            return self.duration()
        if token.kind is Kind.MARK:
            return self._bracketed(token, start)
        if token.kind is Kind.WORD:
            special = self.special_form()
            if special is not None:
                return special
        if not self.at_name():
            self.unexpected("an expression or a column name" if token.upper in RESERVED else "an expression")
        if self.peek().kind is Kind.MARK and self.peek().text == "(":
            return self.call()
        return self.column()

    def column(self) -> exp.Expression:
        """Read a dotted name, or a star behind one."""
        start = self.position
        path = [self.identifier()]
        while self.at_mark("."):
            if self.peek().text == "*" and self.peek().kind is Kind.MARK:
                self.advance()
                return self._qualified_star(path, start)
            self.advance()
            path.append(self.identifier("a name after `.`", any_word=True))
        if self.at_mark("("):
            name = path.pop()
            return self._method(self._path_node(path), name, start)
        return self._path_node(path)

    def _method(self, receiver: exp.Expression, name: exp.Identifier, start: int) -> exp.Expression:
        """Read the rest of `x.f(…)`, which is `f(x, …)`."""
        arguments = [receiver, *self.call_arguments()]
        node = self.mark(exp.Anonymous(this=name.name, expressions=arguments), start)
        place = span_of(name)
        if place is not None:
            node.meta["name_start"], node.meta["name_end"] = place.start, place.end
        return node

    @staticmethod
    def _path_node(path: list[exp.Identifier]) -> exp.Expression:
        node = column_of(path)
        inner: exp.Expr = node
        while isinstance(inner, exp.Dot):
            first, last = span_of(path[0]), span_of(inner.expression)
            if first is not None:
                set_span(inner, first.cover(last))
            inner = inner.this
        first, last = span_of(path[0]), span_of(path[min(len(path), 4) - 1])
        if first is not None:
            set_span(inner, first.cover(last))
        return node

    def _qualified_star(self, path: list[exp.Identifier], start: int) -> exp.Expression:
        star = self.star()
        if len(path) > 3:
            self.fail(codes.SYNTAX, "`*` stands behind at most three names", self.span_from(start))
        keys = ("table", "db", "catalog")
        return self.mark(exp.Column(this=star, **dict(zip(keys, reversed(path), strict=False))), start)

    def _bracketed(self, token: Token, start: int) -> exp.Expression:
        if token.text == "(":
            return self._parenthesis(start)
        if token.text == "[":
            self.advance()
            items = [] if self.at_mark("]") else self.expression_list()
            if len(items) == 1 and self.at_word("FOR"):
                return self._comprehension(token, items[0], start)
            self.close(token)
            return self.mark(exp.Array(expressions=items), start)
        if token.text == "{":
            return self._record(token, start)
        if token.text == "*":
            return self.star()
        if token.text == "?":
            self.advance()
            return self.mark(exp.Placeholder(), start)
        if (
            token.text == "$"
            and self.peek().kind in (Kind.WORD, Kind.NUMBER)
            and self.peek().start == token.end
        ):
            self.advance()
            return self.mark(exp.Placeholder(this=self.advance().text), start)
        self.unexpected("an expression")

    def _parenthesis(self, start: int) -> exp.Expression:
        opening = self.advance()
        if self.at_query():
            node: exp.Expression = exp.Subquery(this=self.query())
        else:
            items = self.expression_list()
            node = exp.Paren(this=items[0]) if len(items) == 1 else exp.Tuple(expressions=items)
        self.close(opening)
        return self.mark(node, start)

    def _comprehension(self, opening: Token, value: exp.Expression, start: int) -> exp.Expression:
        """Read the rest of `[value FOR name IN array IF condition]`, which is a call of list_transform."""
        self.advance()
        name = self.identifier("a name for the element")
        self.expect_word("IN", after=" and an array")
        array = self.expression()
        if self.take_word("IF"):
            condition = exp.Lambda(this=self.expression(), expressions=[name.copy()], colon=True)
            array = exp.Anonymous(this="list_filter", expressions=[array, self.mark(condition, start)])
        self.close(opening)
        body = self.mark(exp.Lambda(this=value, expressions=[name], colon=True), start)
        return self.mark(exp.Anonymous(this="list_transform", expressions=[array, body]), start)

    def _record(self, opening: Token, start: int) -> exp.Expression:
        self.advance()
        fields: list[exp.Expression] = []
        while True:
            begin = self.position
            token = self.token
            if token.kind is Kind.STRING:
                self.advance()
                name = self.mark(exp.Identifier(this=token.value, quoted=True), begin)
            else:
                name = self.identifier("a field name", any_word=True)
                name.set("quoted", True)
            self.expect_mark(":", " after the field name")
            fields.append(self.mark(exp.PropertyEQ(this=name, expression=self.expression()), begin))
            if not self.take_mark(","):
                break
        self.close(opening)
        return self.mark(exp.Struct(expressions=fields), start)

    # What stands behind an operand

    def _postfix(self, operator: Token, left: exp.Expression, start: int) -> exp.Expression:
        self.advance()
        if operator.text == "::":
            return self.mark(exp.Cast(this=left, to=self.data_type()), start)
        if operator.text == "[":
            index = self._index()
            self.close(operator)
            return self.mark(exp.Bracket(this=left, expressions=[index]), start)
        if isinstance(left, exp.Literal | Duration):
            self.fail(codes.SYNTAX, "a constant has no fields", operator.span)
        name = self.identifier("a field name", any_word=True)
        if self.at_mark("("):
            return self._method(left, name, start)
        return self.mark(exp.Dot(this=left, expression=name), start)

    def _index(self) -> exp.Expression:
        """Read what stands between `[` and `]`: an index, or `from:to` with either left out."""
        start = self.position
        first = None if self.at_mark(":") else self.expression()
        if first is not None and not self.at_mark(":"):
            return first
        self.expect_mark(":")
        last = None if self.at_mark("]") else self.expression()
        return self.mark(exp.Slice(this=first, expression=last), start)

    def _is(self, left: exp.Expression, start: int) -> exp.Expression:
        self.advance()
        negated = self.take_word("NOT") is not None
        begin = self.position
        token = self.expect_word("NULL", "TRUE", "FALSE", "DISTINCT", after=" after `IS`")
        if token.upper == "DISTINCT":
            self.expect_word("FROM")
            node_type = exp.NullSafeEQ if negated else exp.NullSafeNEQ
            return self.mark(node_type(this=left, expression=self.expression(IS)), start)
        value = exp.Null() if token.upper == "NULL" else exp.Boolean(this=token.upper == "TRUE")
        node = self.mark(exp.Is(this=left, expression=self.mark(value, begin)), start)
        return self.mark(exp.Not(this=node), start) if negated else node

    def _range(self, left: exp.Expression, start: int) -> exp.Expression:
        negated = self.take_word("NOT") is not None
        token = self.advance()
        node: exp.Expression
        if token.upper == "BETWEEN":
            low = self.expression(RANGE)
            self.expect_word("AND", after=" between the two bounds")
            node = exp.Between(this=left, low=low, high=self.expression(RANGE))
        elif token.upper == "IN":
            node = self._in(left)
        else:
            if token.upper == "SIMILAR":
                self.expect_word("TO")
            node = _MATCHES[token.upper](this=left, expression=self.expression(RANGE))
            if self.take_word("ESCAPE"):
                self.mark(node, start)
                node = exp.Escape(this=node, expression=self.expression(RANGE))
        self.mark(node, start)
        return self.mark(exp.Not(this=node), start) if negated else node

    def _in(self, left: exp.Expression) -> exp.Expression:
        if not self.at_mark("("):
            return exp.In(this=left, field=self.expression(RANGE))
        begin = self.position
        opening = self.advance()
        if self.at_query():
            query = exp.Subquery(this=self.query())
            self.close(opening)
            return exp.In(this=left, query=self.mark(query, begin))
        items = self.expression_list()
        self.close(opening)
        return exp.In(this=left, expressions=items)
