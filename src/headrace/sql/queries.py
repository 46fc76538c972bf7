"""The grammar of queries: SELECT with the streaming clauses, set operations, WITH, VALUES."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from headrace.errors.codes import sql as codes
from headrace.sql.expressions import ExpressionGrammar
from headrace.sql.nodes import Mode, Named, Select, Target
from headrace.sql.sources import JOIN_WORDS, PLAIN, SourceGrammar
from headrace.sql.spans import set_span
from headrace.sql.tokens import Kind
from headrace.sql.windows import WINDOWS
from headrace.sql.words import CLAUSE_NAMES, CLAUSES, STATEMENTS, meant

if TYPE_CHECKING:
    from collections.abc import Callable

    from headrace.errors import Span

_ENDS = (*CLAUSES, "UNION", "INTERSECT", "EXCEPT")
_SET_OPERATIONS: dict[str, tuple[int, type[exp.SetOperation]]] = {
    "UNION": (1, exp.Union),
    "EXCEPT": (1, exp.Except),
    "INTERSECT": (2, exp.Intersect),
}
_FACETS = ("_key", "_value")
_QUERY_WEIGHT = 3  # a query costs about three times the stack of a bracket


class QueryGrammar(SourceGrammar, ExpressionGrammar):
    """Reads queries."""

    def query(self) -> exp.Expression:
        """Read a query with its own WITH, set operations and ordering."""
        start = self.position
        self.enter(_QUERY_WEIGHT)
        names = self.with_names() if self.at_word("WITH") else ()
        node = self._set_operation(0)
        if names:
            entries = [
                exp.CTE(
                    this=named.query,
                    alias=exp.TableAlias(
                        this=_identifier(named.name, named.name_span), columns=list(named.columns)
                    ),
                )
                for named in names
            ]
            node.set("with_", exp.With(expressions=entries, recursive=names[0].recursive))
            self.mark(node, start)
        self.leave(_QUERY_WEIGHT)
        return node

    def with_names(self) -> tuple[Named, ...]:
        """Read WITH and its names; what follows the last is left."""
        self.advance()
        recursive = self.at_word("RECURSIVE") and self.peek().upper != "AS"
        if recursive:
            self.advance()
        names = [self.named(recursive=recursive)]
        while self.take_mark(","):
            names.append(self.named(recursive=recursive))
        return tuple(names)

    def named(self, *, recursive: bool = False) -> Named:
        """Read `name AS (query)`, or `name(column, …) AS (query)`."""
        start = self.position
        name = self.topic("a name for the query")
        columns: list[exp.Identifier] = []
        if self.at_mark("("):
            opening = self.advance()
            columns.append(self.identifier("the name of a column"))
            while self.take_mark(","):
                columns.append(self.identifier("the name of a column"))
            self.close(opening)
        self.expect_word("AS", after=" after the name")
        opening = self.expect_mark("(", " before the query")
        query = self.query()
        self.close(opening, _ENDS)
        return Named(name.value, query, self.span_from(start), name.span, tuple(columns), recursive)

    # Set operations

    def _set_operation(self, binding: int) -> exp.Expression:
        start = self.position
        left = self._operand()
        while True:
            found = _SET_OPERATIONS.get(self.token.upper)
            if found is None or found[0] <= binding:
                break
            strength, node_type = found
            self.advance()
            distinct = self.take_word("ALL", "DISTINCT")
            by_name = self.take_words("BY", "NAME")
            right = self._set_operation(strength)
            left = node_type(
                this=left,
                expression=right,
                distinct=distinct is None or distinct.upper == "DISTINCT",
                by_name=by_name,
            )
            # ORDER BY and LIMIT behind the last operand belong to the whole.
            for key in ("order", "limit", "offset"):
                clause = right.args.get(key)
                if clause is not None:
                    right.set(key, None)
                    left.set(key, clause)
            self.mark(left, start)
        if not isinstance(left, exp.Select):
            self._modifiers(left)
            if self.previous.end > self.tokens[start].end:
                self.mark(left, start)
        return left

    def _modifiers(self, node: exp.Expression) -> None:
        """Read ORDER BY, LIMIT and OFFSET behind a query that is no SELECT."""
        if self.at_words("ORDER", "BY"):
            node.set("order", self.order_by())
        while self.at_word("LIMIT", "OFFSET"):
            key = self.token.upper.lower()
            node.set(key, self._limit() if key == "limit" else self._offset())

    def _operand(self) -> exp.Expression:
        start = self.position
        if self.at_word("SELECT"):
            return self.select()
        if self.at_word("FROM"):
            return self._select_behind_from()
        if self.at_word("VALUES"):
            return self.values()
        if self.at_mark("("):
            opening = self.advance()
            node = exp.Subquery(this=self.query())
            self.close(opening, _ENDS)
            return self.mark(node, start)
        self.unexpected("a query", ("SELECT", "VALUES"))

    def values(self) -> exp.Values:
        """Read VALUES with its rows."""
        start = self.position
        self.advance()
        rows: list[exp.Expression] = []
        while True:
            begin = self.position
            opening = self.expect_mark("(", " before the values of a row")
            items = self.expression_list()
            self.close(opening)
            rows.append(self.mark(exp.Tuple(expressions=items), begin))
            if not self.take_mark(","):
                break
        return self.mark(exp.Values(expressions=rows), start)

    # SELECT

    def select(self) -> Select:
        """Read SELECT with all its clauses."""
        start = self.position
        node = Select()
        self.advance()
        self._head(node)
        node.set("expressions", self._items())
        self._rest_of_select(node, {})
        return self.mark(node, start)

    def _select_behind_from(self) -> Select:
        """Read `FROM source SELECT …`; without SELECT all columns are meant."""
        start = self.position
        node = Select()
        seen = {"FROM": self.token.span}
        self._from(node, start)
        if self.take_word("SELECT"):
            self._head(node)
            node.set("expressions", self._items())
        else:
            node.set("expressions", [self.mark(exp.Star(), start)])
        self._rest_of_select(node, seen)
        return self.mark(node, start)

    def _rest_of_select(self, node: Select, seen: dict[str, Span]) -> None:
        last = -1
        readers = self._clauses()
        while (word := self.token.upper) in readers and self._begins_clause(word):
            rank = CLAUSES.index(word)
            self._check_order(word, rank, last, seen)
            # EMIT may also stand before ORDER BY and LIMIT.
            last = max(last, CLAUSES.index("QUALIFY") if word == "EMIT" else rank)
            seen[word] = self.token.span
            begin = self.position
            readers[word](node, begin)
        self._check_end_of_select()

    def _head(self, node: Select) -> None:
        if self.at_word("STREAM", "TABLE") and not self._mode_is_a_name():
            node.set("mode", str(Mode(self.advance().upper)))
        begin = self.position
        if self.take_word("DISTINCT"):
            distinct = exp.Distinct()
            if self.take_word("ON"):
                opening = self.expect_mark("(")
                distinct.set("on", exp.Tuple(expressions=self.expression_list()))
                self.close(opening)
            node.set("distinct", self.mark(distinct, begin))
        elif self.at_word("ALL") and self.peek().text != "(":
            self.advance()

    def _mode_is_a_name(self) -> bool:
        """Tell whether STREAM or TABLE is the name of a column here."""
        following = self.peek()
        if following.kind is Kind.MARK:
            return following.text not in ("*", "(", "[", "{", "-", "+", "~", "?", "$")
        return following.kind is Kind.END or following.upper in (
            "FROM",
            "AS",
            "IS",
            "IN",
            "LIKE",
            "AND",
            "OR",
            "BETWEEN",
        )

    def _items(self) -> list[exp.Expression]:
        items = [self._item()]
        while self.take_mark(","):
            if self.at_word("FROM"):
                self.fail(
                    codes.SYNTAX,
                    "the list of columns ends with a comma",
                    self.previous.span,
                    "remove the comma before FROM",
                )
            items.append(self._item())
        return items

    def _item(self) -> exp.Expression:
        start = self.position
        if self.at_word("FROM") or self.at_end():
            self.unexpected("a column or `*` after `SELECT`")
        value = self.expression()
        if self.take_word("AS"):
            return self._target(value, start)
        alias = self.implicit_name()
        if alias is not None:
            return self.mark(exp.Alias(this=value, alias=alias), start)
        return value

    def _target(self, value: exp.Expression, start: int) -> exp.Expression:
        path = self.dotted("a name after `AS`")
        if len(path) > 1 or path[0].name in _FACETS:
            return self.mark(Target(this=value, expressions=path), start)
        return self.mark(exp.Alias(this=value, alias=path[0]), start)

    # Clauses

    def _clauses(self) -> dict[str, Callable[[Select, int], None]]:
        return {
            "FROM": self._from,
            "EVENTTIME": self._eventtime,
            "WHERE": self._where,
            "WINDOW": self._window,
            "GRACE": self._grace,
            "GROUP": self._group,
            "HAVING": self._having,
            "QUALIFY": self._qualify,
            "ORDER": lambda node, _: node.set("order", self.order_by()),
            "LIMIT": lambda node, _: node.set("limit", self._limit()),
            "OFFSET": lambda node, _: node.set("offset", self._offset()),
            "EMIT": self._emit,
        }

    def _begins_clause(self, word: str) -> bool:
        following = self.peek()
        if word in ("EVENTTIME", "GRACE", "WINDOW", "GROUP", "ORDER"):
            return following.kind is Kind.WORD
        return True

    def _check_order(self, word: str, rank: int, last: int, seen: dict[str, Span]) -> None:
        token = self.token
        name = CLAUSE_NAMES.get(word, word)
        if word in seen:
            self.report(codes.CLAUSE_ORDER, f"{name} stands twice", token.span, "join the two clauses to one")
            return
        # GRACE BY may also stand behind what it belongs to.
        swapped = (word, CLAUSES[last]) in (("LIMIT", "OFFSET"), ("GRACE", "ORDER"))
        if rank < last and not swapped:
            behind = CLAUSE_NAMES.get(CLAUSES[last], CLAUSES[last])
            self.report(
                codes.CLAUSE_ORDER,
                f"{name} stands after {behind}",
                token.span,
                f"write {name} before {behind}",
            )

    def _from(self, node: Select, start: int) -> None:
        self.advance()
        node.set("from_", self.mark(exp.From(this=self.source()), start))
        self.joins(node)

    def _eventtime(self, node: Select, _: int) -> None:
        self.advance()
        self.expect_word("BY", after=" after `EVENTTIME`")
        node.set("eventtime", self.expression())

    def _where(self, node: Select, start: int) -> None:
        self.advance()
        node.set("where", self.mark(exp.Where(this=self.expression()), start))

    def _window(self, node: Select, _: int) -> None:
        self.advance()
        if self.peek().upper == "AS":
            self._named_windows(node)
            return
        self.expect_word("BY", after=" after `WINDOW`")
        node.set("window", self.window())

    def _named_windows(self, node: Select) -> None:
        while True:
            begin = self.position
            name = self.identifier("a name for the window")
            self.expect_word("AS")
            definition = self.window_definition()
            definition.set("this", name)
            node.append("windows", self.mark(definition, begin))
            if not self.take_mark(","):
                return

    def _grace(self, node: Select, _: int) -> None:
        self.advance()
        self.expect_word("BY", after=" after `GRACE`")
        node.set("grace", self.duration())

    def _group(self, node: Select, start: int) -> None:
        self.advance()
        self.expect_word("BY", after=" after `GROUP`")
        group = exp.Group()
        if self.at_word("ALL") and (self.peek().kind is not Kind.MARK or self.peek().text in (")", ";")):
            self.advance()
            group.set("all", True)
        else:
            group.append("expressions", self._group_item())
            while self.take_mark(","):
                group.append("expressions", self._group_item())
        node.set("group", self.mark(group, start))

    def _group_item(self) -> exp.Expression:
        start = self.position
        if self.at_window_call():
            return self.window()
        sets: dict[str, type[exp.Expression]] = {"ROLLUP": exp.Rollup, "CUBE": exp.Cube}
        node_type = sets.get(self.token.upper) if self.peek().text == "(" else None
        if node_type is None and self.at_words("GROUPING", "SETS"):
            self.advance()
            node_type = exp.GroupingSets
        if node_type is None:
            self._check_window_name()
            return self.expression()
        self.advance()
        opening = self.expect_mark("(")
        items = [self._grouping_set()]
        while self.take_mark(","):
            items.append(self._grouping_set())
        self.close(opening)
        return self.mark(node_type(expressions=items), start)

    def _check_window_name(self) -> None:
        token = self.token
        near = meant(token.text, WINDOWS) if token.kind is Kind.WORD and self.peek().text == "(" else None
        if near is not None:
            self.fail(
                codes.UNKNOWN_WINDOW, f"`{token.text}` is not a window", token.span, f"did you mean `{near}`?"
            )

    def _grouping_set(self) -> exp.Expression:
        start = self.position
        if self.at_mark("(") and self.peek().text == ")":
            self.position += 2
            return self.mark(exp.Tuple(expressions=[]), start)
        return self.expression()

    def _having(self, node: Select, start: int) -> None:
        self.advance()
        node.set("having", self.mark(exp.Having(this=self.expression()), start))

    def _qualify(self, node: Select, start: int) -> None:
        self.advance()
        node.set("qualify", self.mark(exp.Qualify(this=self.expression()), start))

    def _limit(self) -> exp.Limit:
        start = self.position
        self.advance()
        return self.mark(exp.Limit(expression=self.expression()), start)

    def _offset(self) -> exp.Offset:
        start = self.position
        self.advance()
        value = self.expression()
        self.take_word("ROWS", "ROW")
        return self.mark(exp.Offset(expression=value), start)

    def _emit(self, node: Select, _: int) -> None:
        self.advance()
        node.set("emit", self.expect_word("CHANGES", "FINAL", after=" after `EMIT`").upper)

    def _check_end_of_select(self) -> None:
        token = self.token
        if token.upper == "INTO":
            self.fail(
                codes.UNSUPPORTED_STATEMENT,
                "SELECT … INTO is not supported",
                token.span,
                "begin the statement with `INSERT INTO topic`, then SELECT",
            )
        sample = self.at_words("USING", "SAMPLE") or token.upper == "TABLESAMPLE"
        if sample or token.upper == "FETCH":
            self.fail(
                codes.UNSUPPORTED_STATEMENT,
                f"{'SAMPLE' if sample else 'FETCH'} is not supported",
                token.span,
                "take a tenth of the records by `WHERE random() < 0.1`" if sample else "write LIMIT",
            )
        if token.upper == "LATERAL" or token.upper in JOIN_WORDS:
            self.fail(
                codes.CLAUSE_ORDER,
                f"{token.upper} stands after another clause",
                token.span,
                f"write {token.upper} directly behind FROM and its joins",
            )

    def after_query(self) -> None:
        """Fail unless the query's end is also the end of the statement."""
        if not self.at_end() and not self.statement_begins():
            self.unexpected("the end of the statement", (*_ENDS, *STATEMENTS))


def _identifier(name: str, span: Span) -> exp.Identifier:
    node = exp.Identifier(this=name, quoted=PLAIN.match(name) is None)
    set_span(node, span)
    return node
