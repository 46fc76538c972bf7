"""The grammar of calls and of the forms that look like calls: CASE, CAST, EXTRACT, INTERVAL, EXISTS, OVER."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from sqlglot import exp

from headrace.errors import Span
from headrace.errors.codes import sql as codes
from headrace.sql.spans import span_of
from headrace.sql.tokens import Kind
from headrace.sql.typenames import TYPES, TypeGrammar
from headrace.sql.windows import WindowGrammar
from headrace.sql.words import CLAUSES, RESERVED

if TYPE_CHECKING:
    from collections.abc import Callable

_TYPED_LITERALS = ("DATE", "TIME", "TIMESTAMP", "TIMESTAMPTZ")
_CLOCKS: dict[str, type[exp.Expression]] = {
    "CURRENT_DATE": exp.CurrentDate,
    "CURRENT_TIME": exp.CurrentTime,
    "CURRENT_TIMESTAMP": exp.CurrentTimestamp,
}
_INTERVAL_UNITS = frozenset(
    "YEAR MONTH DAY HOUR MINUTE SECOND MILLISECOND MICROSECOND WEEK QUARTER DECADE CENTURY MILLENNIUM".split()  # noqa: SIM905 - a word a line is harder to read
)
QUERY_WORDS = ("SELECT", "WITH", "FROM")
"""The words that a query inside brackets begins with."""

_TAKE_LAMBDAS = frozenset(
    f"{prefix}{name}"
    for prefix in ("", "LIST_", "ARRAY_")
    for name in ("APPLY", "FILTER", "REDUCE", "TRANSFORM")
)
"""Functions whose arguments behind the first may be `x -> …`; elsewhere `->` takes a part of a JSON text."""

_AS_TIGHT_AS_IN = 60  # `expressions.RANGE`, which this module cannot import

_TRIMS = {"BOTH": "trim", "LEADING": "ltrim", "TRAILING": "rtrim"}
_QUANTIFIERS: dict[str, type[exp.Expression]] = {"ANY": exp.Any, "SOME": exp.Any, "ALL": exp.All}


class CallGrammar(TypeGrammar, WindowGrammar):
    """Reads calls and special forms."""

    @abstractmethod
    def expression(self, binding: int = 0) -> exp.Expression:
        """Read an expression."""

    @abstractmethod
    def query(self) -> exp.Expression:
        """Read a query."""

    def expression_list(self) -> list[exp.Expression]:
        """Read expressions with commas between."""
        items = [self.expression()]
        while self.take_mark(","):
            items.append(self.expression())
        return items

    def at_query(self) -> bool:
        """Tell whether a query comes next, maybe within further brackets."""
        ahead = 0
        while self.peek(ahead).kind is Kind.MARK and self.peek(ahead).text == "(":
            ahead += 1
            if ahead > 8:
                return False
        token, following = self.peek(ahead), self.peek(ahead + 1)
        if token.upper in ("SELECT", "FROM"):
            return True
        if token.upper == "VALUES":
            return following.text == "("
        return token.upper == "WITH" and following.kind in (Kind.WORD, Kind.QUOTED)

    def special_form(self) -> exp.Expression | None:
        """Read what begins with a word but is neither a name nor an ordinary call; None if the next word does not."""
        token, following = self.token, self.peek()
        word = token.upper
        start = self.position
        if word in ("NULL", "TRUE", "FALSE"):
            self.advance()
            return self.mark(exp.Null() if word == "NULL" else exp.Boolean(this=word == "TRUE"), start)
        if word == "CASE":
            return self._case()
        if word in _TYPED_LITERALS and following.kind is Kind.STRING:
            return self._typed_literal(start)
        if word == "INTERVAL" and (following.kind in (Kind.STRING, Kind.NUMBER) or following.text == "("):
            return self._interval()
        if word in _CLOCKS and following.text != ".":
            self.advance()
            if following.text == "(" and self.peek().text == ")":
                self.position += 2
            return self.mark(_CLOCKS[word](), start)
        named = following.kind is not Kind.MARK and following.upper not in RESERVED
        if word == "LAMBDA" and named and self.peek(2).text in (":", ","):
            return self._lambda()
        if following.text == "(" and following.kind is Kind.MARK:
            form = self._call_forms().get(word)
            return form() if form is not None else None
        return None

    def _call_forms(self) -> dict[str, Callable[[], exp.Expression | None]]:
        return {
            "CAST": self._cast,
            "TRY_CAST": self._cast,
            "EXTRACT": self._extract,
            "TIMESTAMPADD": self._with_unit,
            "TIMESTAMPSUB": self._with_unit,
            "TIMESTAMPDIFF": self._with_unit,
            "TRIM": self._trim,
            "POSITION": self._position,
            "SUBSTRING": self._substring,
            "EXISTS": self._exists,
            "ANY": self._quantifier,
            "SOME": self._quantifier,
            "ALL": self._quantifier,
        }

    # Calls

    def call(self) -> exp.Expression:
        """Read a call, from its name on, with FILTER, WITHIN GROUP and OVER."""
        start = self.position
        name = self.advance()
        arguments = self.call_arguments(lambdas=name.upper in _TAKE_LAMBDAS)
        if arguments and self.peek(2).upper == "OVER":
            # Behind the brackets, as the standard has it, it means the same.
            self._choice_of_nulls(arguments, start)
        node: exp.Expression = self.mark(exp.Anonymous(this=name.value, expressions=arguments), start)
        node.meta["name_start"], node.meta["name_end"] = name.start, name.end
        if self.at_words("WITHIN", "GROUP"):
            self.position += 2
            inner = self.expect_mark("(")
            order = self.order_by()
            self.close(inner)
            node = self.mark(exp.WithinGroup(this=node, expression=order), start)
        if self.at_word("FILTER") and self.peek().text == "(":
            self.advance()
            inner = self.advance()
            begin = self.position
            self.take_word("WHERE")
            where = self.mark(exp.Where(this=self.expression()), begin)
            self.close(inner)
            node = self.mark(exp.Filter(this=node, expression=where), start)
        if self.at_word("OVER") and (self.peek().text == "(" or self.peek().kind in (Kind.WORD, Kind.QUOTED)):
            node = self._over(node, start)
        return node

    def call_arguments(self, *, lambdas: bool = False) -> list[exp.Expression]:
        """Read the arguments of a call, with their brackets; with `lambdas`, `x -> …` may be one behind the first."""
        opening = self.advance()
        arguments = [] if self.at_mark(")") else self._arguments(lambdas=lambdas)
        self.close(opening)
        return arguments

    def _arguments(self, *, lambdas: bool) -> list[exp.Expression]:
        begin = self.position
        if self.take_word("DISTINCT"):
            items: list[exp.Expression] = [self.mark(exp.Distinct(expressions=self.expression_list()), begin)]
        else:
            items = [self._argument()]
            while self.take_mark(","):
                items.append((self._arrow_lambda() if lambdas else None) or self._argument())
        if self.at_words("ORDER", "BY"):
            order = self.order_by()
            order.set("this", items[-1])
            items[-1] = order
        self._choice_of_nulls(items, begin)
        return items

    def _choice_of_nulls(self, items: list[exp.Expression], begin: int) -> None:
        """Read IGNORE NULLS or RESPECT NULLS, if it comes next: it stands around the last of the arguments."""
        if self.at_words("IGNORE", "NULLS") or self.at_words("RESPECT", "NULLS"):
            node_type = exp.IgnoreNulls if self.at_word("IGNORE") else exp.RespectNulls
            self.position += 2
            items[-1] = self.mark(node_type(this=items[-1]), begin)

    def _argument(self) -> exp.Expression:
        start = self.position
        if self.at_query() and self.at_word("SELECT", "WITH", "FROM"):
            return self.query()
        if self.at_name() and self.peek().text in (":=", "=>") and self.peek().kind is Kind.MARK:
            name = self.identifier()
            node_type = exp.PropertyEQ if self.advance().text == ":=" else exp.Kwarg
            return self.mark(node_type(this=name, expression=self.expression()), start)
        return self.expression()

    def star(self) -> exp.Star:
        """Read `*` with EXCLUDE (or EXCEPT) and REPLACE."""
        start = self.position
        self.advance()
        node = exp.Star()
        if self.at_word("EXCEPT") and self.peek().text == "(" and not self._query_after_except():
            self.advance()
            excluded = True
        else:
            excluded = self.take_word("EXCLUDE") is not None
        if excluded:
            opening = self.take_mark("(")
            names = [self._starred()]
            while opening is not None and self.take_mark(","):
                names.append(self._starred())
            if opening is not None:
                self.close(opening)
            node.set("except_", names)
        if self.at_word("REPLACE") and self.peek().text == "(":
            self.advance()
            opening = self.advance()
            node.set("replace", [self._replacement()])
            while self.take_mark(","):
                node.append("replace", self._replacement())
            self.close(opening)
        return self.mark(node, start)

    def _query_after_except(self) -> bool:
        return self.peek(2).upper in QUERY_WORDS or self.peek(2).text == "("

    def _starred(self) -> exp.Expression:
        start = self.position
        return self.mark(exp.Column(this=self.identifier()), start)

    def _replacement(self) -> exp.Expression:
        start = self.position
        value = self.expression()
        self.expect_word("AS")
        return self.mark(exp.Alias(this=value, alias=self.identifier()), start)

    # Special forms

    def _case(self) -> exp.Expression:
        start = self.position
        self.advance()
        node = exp.Case()
        if not self.at_word("WHEN"):
            node.set("this", self.expression())
        while True:
            begin = self.position
            self.expect_word("WHEN", after=" in `CASE`")
            condition = self.expression()
            self.expect_word("THEN", after=" after the condition")
            node.append("ifs", self.mark(exp.If(this=condition, true=self.expression()), begin))
            if not self.at_word("WHEN"):
                break
        if self.take_word("ELSE"):
            node.set("default", self.expression())
        if not self.take_word("END"):
            self.check_misspelt(("WHEN", "ELSE", "END"))
            opening = self.tokens[start]
            if self.at_end() or self.token.upper in CLAUSES:
                self.fail(codes.UNCLOSED_BRACKET, "`CASE` has no `END`", opening.span, "add `END`")
            self.unexpected("`WHEN`, `ELSE` or `END`")
        return self.mark(node, start)

    def _cast(self) -> exp.Expression:
        start = self.position
        token = self.advance()
        opening = self.advance()
        value = self.expression()
        self.expect_word("AS", after=" and a type")
        target = self.data_type()
        self.close(opening)
        if token.upper == "CAST":
            return self.mark(exp.Cast(this=value, to=target), start)
        return self.mark(exp.TryCast(this=value, to=target, safe=True), start)

    def _typed_literal(self, start: int) -> exp.Expression:
        word = self.advance()
        target = self.mark(exp.DataType(this=TYPES[word.upper], nested=False), start)
        value = self.position
        literal = self.mark(exp.Literal.string(self.advance().value), value)
        return self.mark(exp.Cast(this=literal, to=target), start)

    def _interval(self) -> exp.Expression:
        start = self.position
        self.advance()
        begin = self.position
        token = self.token
        if token.kind in (Kind.STRING, Kind.NUMBER):
            self.advance()
            value: exp.Expression = self.mark(exp.Literal.string(token.value), begin)
        else:
            opening = self.advance()
            inner = self.expression()
            self.close(opening)
            value = self.mark(exp.Paren(this=inner), begin)
        unit = None
        if self.token.upper.removesuffix("S") in _INTERVAL_UNITS:
            unit = exp.Var(this=self.advance().upper.removesuffix("S"))
        elif token.kind is not Kind.STRING:
            self.unexpected("a unit such as `DAY`")
        return self.mark(exp.Interval(this=value, unit=unit), start)

    def _lambda(self) -> exp.Expression:
        start = self.position
        self.advance()
        names = [self.identifier()]
        while self.take_mark(","):
            names.append(self.identifier())
        self.expect_mark(":", " after the arguments of the lambda")
        return self.mark(exp.Lambda(this=self.expression(), expressions=names, colon=True), start)

    def _arrow_lambda(self) -> exp.Expression | None:
        """Read `x -> …` or `(x, i) -> …`; None if what comes next is neither."""
        start = ahead = self.position
        if self.at_mark("("):
            ahead += 2
            while self.tokens[ahead].text == "," and ahead + 1 < len(self.tokens):
                ahead += 2
            if self.tokens[ahead].text != ")":
                return None
        arrow = self.peek(ahead + 1 - start)
        if arrow.text != "->" or arrow.kind is not Kind.MARK:
            return None
        opening = self.advance() if self.at_mark("(") else None
        names = [self.identifier()]
        while opening is not None and self.take_mark(","):
            names.append(self.identifier())
        if opening is not None:
            self.close(opening)
        self.advance()
        return self.mark(exp.Lambda(this=self.expression(), expressions=names, colon=True), start)

    def _extract(self) -> exp.Expression | None:
        start = self.position
        if self.peek(3).upper != "FROM" or self.peek(2).kind not in (Kind.WORD, Kind.STRING):
            return None
        self.advance()
        opening = self.advance()
        part = exp.Var(this=self.advance().value.upper())
        self.advance()
        value = self.expression()
        self.close(opening)
        return self.mark(exp.Extract(this=part, expression=value), start)

    def _with_unit(self) -> exp.Expression | None:
        """Read `TIMESTAMPDIFF(SECOND, …)`, whose first argument is a word; any other call of that name is left to `call`."""
        unit = self.peek(2)
        if unit.kind is not Kind.WORD or unit.upper not in _INTERVAL_UNITS or self.peek(3).text != ",":
            return None
        start = self.position
        name = self.advance()
        opening = self.advance()
        place = self.position
        self.position += 2
        words = self.mark(exp.Literal.string(unit.upper), place)
        arguments = [words, *self.expression_list()]
        self.close(opening)
        node = self.mark(exp.Anonymous(this=name.value, expressions=arguments), start)
        node.meta["name_start"], node.meta["name_end"] = name.start, name.end
        return node

    def _trim(self) -> exp.Expression | None:
        """Read `TRIM(BOTH 'x' FROM text)`; an ordinary call of TRIM is left to `call`."""
        side = self.peek(2)
        if side.upper not in _TRIMS or self.peek(3).text in (")", ",", "."):
            return None
        start = self.position
        self.advance()
        opening = self.advance()
        self.advance()
        arguments = [] if self.at_word("FROM") else [self.expression()]
        self.expect_word("FROM", after=f" after `{side.upper}`")
        arguments.insert(0, self.expression())
        self.close(opening)
        if len(arguments) == 1:
            arguments.append(self.mark(exp.Literal.string(" "), start))
        return self.mark(exp.Anonymous(this=_TRIMS[side.upper], expressions=arguments), start)

    def _position(self) -> exp.Expression | None:
        """Read `POSITION(part IN text)`: counted from 1, 0 where there is none."""
        start = self.position
        self.advance()
        opening = self.advance()
        part = self.expression(_AS_TIGHT_AS_IN)
        if not self.take_word("IN"):
            self.position = start
            return None
        text = self.expression()
        self.close(opening)
        return self.mark(exp.Anonymous(this="strpos", expressions=[text, part]), start)

    def _substring(self) -> exp.Expression | None:
        """Read `SUBSTRING(text FROM first FOR length)`, where the first character is 1; a call with commas counts from 0."""
        start = self.position
        self.advance()
        opening = self.advance()
        if self.at_mark(")"):
            self.position = start
            return None
        text = self.expression()
        if not self.take_word("FROM"):
            self.position = start
            return None
        first = _moved(self.expression(), exp.Literal.number(-1))
        parts = [text, first]
        if self.take_word("FOR"):
            parts.append(_moved(first.copy(), self.expression()))
        self.close(opening)
        return self.mark(exp.Anonymous(this="SUBSTRING", expressions=parts), start)

    def _exists(self) -> exp.Expression | None:
        if self.peek(2).upper not in QUERY_WORDS:
            return None  # EXISTS(field): the function
        start = self.position
        self.advance()
        opening = self.advance()
        query = self.query()
        self.close(opening)
        return self.mark(exp.Exists(this=query), start)

    def _quantifier(self) -> exp.Expression | None:
        if self.peek(2).upper not in QUERY_WORDS:
            return None
        start = self.position
        word = self.advance()
        begin = self.position
        opening = self.advance()
        query = exp.Subquery(this=self.query())
        self.close(opening)
        return self.mark(_QUANTIFIERS[word.upper](this=self.mark(query, begin)), start)

    # Order and frames

    def order_by(self) -> exp.Order:
        """Read ORDER BY with its expressions."""
        start = self.position
        self.expect_word("ORDER")
        self.expect_word("BY", after=" after `ORDER`")
        node = exp.Order(expressions=[self._ordered()])
        while self.take_mark(","):
            node.append("expressions", self._ordered())
        return self.mark(node, start)

    def _ordered(self) -> exp.Expression:
        start = self.position
        value = self.expression()
        descending = self.take_word("ASC", "DESC")
        first = False
        if self.take_word("NULLS"):
            first = self.expect_word("FIRST", "LAST").upper == "FIRST"
        desc = descending is not None and descending.upper == "DESC"
        return self.mark(exp.Ordered(this=value, desc=desc, nulls_first=first), start)

    def _over(self, node: exp.Expression, start: int) -> exp.Expression:
        self.advance()
        if not self.at_mark("("):
            return self.mark(exp.Window(this=node, alias=self.identifier(), over="OVER"), start)
        window = self.window_definition()
        window.set("this", node)
        window.set("over", "OVER")
        return self.mark(window, start)

    def window_definition(self) -> exp.Window:
        """Read `(PARTITION BY … ORDER BY … frame)`."""
        start = self.position
        opening = self.expect_mark("(")
        node = exp.Window()
        if self.at_name() and not self._begins_window_part():
            node.set("alias", self.identifier())
        if self.at_words("PARTITION", "BY"):
            self.position += 2
            node.set("partition_by", self.expression_list())
        if self.at_words("ORDER", "BY"):
            node.set("order", self.order_by())
        if self.at_word("ROWS", "RANGE", "GROUPS"):
            node.set("spec", self._frame())
        self.close(opening)
        return self.mark(node, start)

    def _begins_window_part(self) -> bool:
        following = self.peek()
        if self.at_word("PARTITION", "ORDER"):
            return following.upper == "BY"
        return self.at_word("ROWS", "RANGE", "GROUPS") and following.text != ")"

    def _frame(self) -> exp.WindowSpec:
        start = self.position
        node = exp.WindowSpec(kind=self.advance().upper)
        if self.take_word("BETWEEN"):
            self._bound(node, "start")
            self.expect_word("AND")
            self._bound(node, "end")
        else:
            self._bound(node, "start")
        if self.take_word("EXCLUDE"):
            node.set("exclude", self._excluded())
        return self.mark(node, start)

    def _excluded(self) -> str:
        if self.take_words("CURRENT", "ROW"):
            return "CURRENT ROW"
        if self.take_words("NO", "OTHERS"):
            return "NO OTHERS"
        return self.expect_word("GROUP", "TIES", after=" after `EXCLUDE`").upper

    def _bound(self, node: exp.WindowSpec, key: str) -> None:
        if self.take_words("CURRENT", "ROW"):
            node.set(key, "CURRENT ROW")
            return
        if self.take_word("UNBOUNDED"):
            bound: exp.Expression | str = "UNBOUNDED"
        else:
            is_length = node.args["kind"] == "RANGE" and self._at_duration()
            bound = self.duration() if is_length else self.expression(20)
        node.set(key, bound)
        node.set(f"{key}_side", self.expect_word("PRECEDING", "FOLLOWING").upper)

    def _at_duration(self) -> bool:
        """Tell whether a number with a unit of time comes next, `10m` or `10 minutes`."""
        following = self.peek()
        is_bound = following.upper in ("PRECEDING", "FOLLOWING")
        is_number = self.token.kind is Kind.NUMBER and following.kind is Kind.WORD and not is_bound
        return self.token.kind is Kind.DURATION or is_number


def _moved(position: exp.Expression, by: exp.Expression) -> exp.Expression:
    """Give a position plus a number, computed where both are literals."""
    if position.is_int and by.is_int:
        return exp.Literal.number(position.to_py() + by.to_py())
    closed = [part if isinstance(part, exp.Literal) else exp.Paren(this=part) for part in (position, by)]
    return exp.Add(this=closed[0], expression=closed[1])


def name_span(node: exp.Anonymous) -> Span | None:
    """Give the place of a call's name alone, for a message about an unknown function; of all of it where it has none."""
    start, end = node.meta_get("name_start"), node.meta_get("name_end")
    return Span(start, end) if start is not None and end is not None else span_of(node)
