"""The grammar of statements: SET, WITH, INSERT, CREATE, a query by itself, and commands."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sqlglot import exp

from headrace.errors import Span
from headrace.errors.codes import sql as codes
from headrace.sql.command_grammar import COMMANDS, CommandGrammar
from headrace.sql.nodes import ColumnDef, CreateTable, Insert, Named, Query, Set, Statement, With
from headrace.sql.spans import span_of
from headrace.sql.tokens import Kind, Token
from headrace.sql.words import STATEMENTS

if TYPE_CHECKING:
    from headrace.sql.commands import CreateSynonym, CreateView

_UNSUPPORTED = {
    "ALTER": "change a topic with `headrace topics`",
    "UPDATE": "write the new values: INSERT INTO topic SELECT … FROM …",
    "MERGE": "a topic with compaction keeps the last value of each key by itself",
    "LIVE": "follow a topic with `headrace query --follow`",
    "EXPLAIN": "explain a program with `headrace plan`",
    "PIVOT": "write a column for each value: `COUNT(*) FILTER (WHERE column = 'value') AS name`",
    "UNPIVOT": "join the columns by UNION ALL",
    "COPY": "move records with `headrace produce` and `headrace consume`",
}
_MAX_NUMBER = 18  # digits of a whole number in SET; longer ones stay text


class StatementGrammar(CommandGrammar):
    """Reads statements."""

    def statement(self) -> Statement:
        """Read one statement, up to its end, the `;` left."""
        token = self.token
        word = token.upper
        if word == "SET":
            return self._set()
        if word == "INSERT":
            return self._insert(())
        if word == "WITH":
            return self._with()
        if word == "CREATE":
            return self._create()
        if word in ("SELECT", "VALUES", "FROM") or self.at_mark("("):
            return self._query((), self.position)
        if self.at_command():
            return self.command()
        if word in _UNSUPPORTED:
            self.fail(
                codes.UNSUPPORTED_STATEMENT,
                f"{word} is not supported in a program",
                token.span,
                _UNSUPPORTED[word],
            )
        self.unexpected(
            "a statement: SET, WITH, INSERT, CREATE TABLE or SELECT", (*STATEMENTS, *COMMANDS, *_UNSUPPORTED)
        )

    # SET

    def _set(self) -> Set:
        start = self.position
        self.advance()
        key = self._setting_key()
        self.expect_mark("=", " after the name of the setting")
        begin = self.position
        value = self._setting_value()
        if not self.at_end() and not self.statement_begins():
            self.fail(
                codes.SYNTAX,
                f"expected `;` after the value, found {self.describe(self.token)}",
                self.token.span,
                "put a value with other characters than letters, digits, `.` and `-` between quotes",
            )
        return Set(key, value, self.span_from(start), self.span_from(begin))

    def _setting_key(self) -> tuple[str, ...]:
        parts: list[str] = []
        while True:
            token = self.token
            if token.kind is Kind.QUOTED:
                parts.append(self.identifier().name)
            else:
                if token.kind not in (Kind.WORD, Kind.NUMBER, Kind.DURATION, Kind.SUFFIXED):
                    self.unexpected("the name of a setting")
                self.advance()
                self._run_of_text()
                parts.extend(self.text[token.start : self.previous.end].split("."))
            if not self.take_mark("."):
                return tuple(parts)

    def _run_of_text(self) -> None:
        """Take what follows without a space: words, numbers, hyphens, and dots with more of it behind."""
        while self.token.start == self.previous.end:
            following = self.peek()
            goes_on = following.start == self.token.end and following.kind in (
                Kind.WORD,
                Kind.NUMBER,
                Kind.DURATION,
                Kind.SUFFIXED,
            )
            plain = self.token.kind in (Kind.WORD, Kind.NUMBER, Kind.DURATION, Kind.SUFFIXED)
            if not plain and not (self.at_mark("-", ".") and goes_on):
                return
            self.advance()

    def _setting_value(self) -> str | int | float | bool:
        token = self.token
        if token.kind is Kind.STRING:
            self.advance()
            return token.value
        if token.kind is Kind.QUOTED:
            return str(self.identifier().name)
        sign = self.take_mark("-")
        token = self.token
        if token.kind not in (Kind.WORD, Kind.NUMBER, Kind.DURATION, Kind.SUFFIXED):
            self.unexpected("a value")
        self.advance()
        self._run_of_text()
        first = sign or token
        text = self.text[first.start : self.previous.end]
        if token.upper in ("TRUE", "FALSE") and text.upper() == token.upper:
            return token.upper == "TRUE"
        if token.kind is Kind.NUMBER and self.previous is token:
            number = _number(text.replace("_", ""))
            return text if number is None else number
        return text

    # INSERT

    def _insert(self, names: tuple[Named, ...], start: int | None = None) -> Insert:
        begin = self.position if start is None else start
        self.advance()
        self.expect_word("INTO", after=" after `INSERT`")
        target = self.topic("the name of a topic after `INTO`")
        columns = self._insert_columns() if self.at_mark("(") and not self.at_query() else ()
        store_key, store_value = self._store()
        if self.at_word("WITH"):
            names = (*names, *self.with_names())
        if not (self.at_word("SELECT", "VALUES", "FROM") or self.at_mark("(")):
            self.unexpected("`SELECT` or `VALUES`", ("SELECT", "VALUES", "STORE", "WITH"))
        query = self.query()
        self.after_query()
        self._require_from(query)
        return Insert(
            target=target.value,
            columns=columns,
            store_key=store_key.value if store_key else None,
            store_value=store_value.value if store_value else None,
            names=names,
            query=query,
            span=self.span_from(begin),
            target_span=target.span,
            store_key_span=store_key.span if store_key else None,
            store_value_span=store_value.span if store_value else None,
        )

    def _insert_columns(self) -> tuple[tuple[str, ...], ...]:
        opening = self.advance()
        columns = [self.dotted("the name of a column")]
        while self.take_mark(","):
            columns.append(self.dotted("the name of a column"))
        self.close(opening)
        return tuple(tuple(part.name for part in path) for path in columns)

    def _store(self) -> tuple[Token | None, Token | None]:
        if not self.take_word("STORE"):
            return None, None
        found: dict[str, Token] = {}
        while self.at_word("KEY", "VALUE") and self.token.upper not in found:
            side = self.advance().upper
            self.expect_word("AS", after=f" after `{side}`")
            found[side] = self._format()
        if not found:
            self.unexpected("`KEY AS` or `VALUE AS` after `STORE`", ("KEY", "VALUE"))
        return found.get("KEY"), found.get("VALUE")

    def _format(self) -> Token:
        """Read the name of a format: `AVRO`, `TW[AVRO]`, `TW<AVRO>`."""
        token = self.token
        if token.kind is not Kind.WORD:
            self.unexpected("the name of a format such as AVRO or JSON")
        self.advance()
        inner = self.take_mark("[", "<")
        if inner is None:
            return token
        name = self.token
        if name.kind is not Kind.WORD:
            self.unexpected("the name of a format such as AVRO or JSON")
        self.advance()
        self.expect_mark("]" if inner.text == "[" else ">")
        value = f"{token.text}[{name.text}]"
        return Token(Kind.WORD, value, token.start, self.previous.end, value, value.upper())

    def _require_from(self, query: exp.Expression) -> None:
        """A query with columns or a condition reads from somewhere; one of constants need not."""
        if not isinstance(query, exp.Select) or query.args.get("from_") is not None:
            return
        if _names_columns(query) or query.args.get("where") is not None:
            span = span_of(query) or self.previous.span
            self.fail(
                codes.MISSING_FROM,
                "the query has no FROM",
                Span(span.end, span.end),
                "add `FROM` and the topic to read",
            )

    # WITH and queries

    def _with(self) -> Statement:
        start = self.position
        names = self.with_names()
        if self.at_end() or (self.statement_begins() and not self.at_word("SELECT", "INSERT")):
            return With(names, self.span_from(start))
        if self.at_word("INSERT"):
            return self._insert(names, start)
        if self.at_word("SELECT", "VALUES", "FROM") or self.at_mark("("):
            return self._query(names, start)
        self.unexpected("`,`, `;`, `SELECT` or `INSERT` after the names of WITH", ("SELECT", "INSERT"))

    def _query(self, names: tuple[Named, ...], start: int) -> Query:
        query = self.query()
        self.after_query()
        self._require_from(query)
        return Query(query, names, self.span_from(start))

    # CREATE

    def _create(self) -> CreateTable | CreateView | CreateSynonym:
        start = self.position
        self.advance()
        replaces = self.take_words("OR", "REPLACE")
        if self.at_word("VIEW"):
            return self.create_view(start, replaces=replaces)
        if self.at_word("SYNONYM") and not replaces:
            return self.create_synonym(start)
        if not self.at_word("TABLE"):
            what = self.token
            if what.upper in ("STREAM", "FUNCTION", "INDEX", "SCHEMA", "TEMP", "TEMPORARY"):
                self.fail(
                    codes.UNSUPPORTED_STATEMENT,
                    f"CREATE {what.upper} is not supported",
                    what.span,
                    "name a query by `WITH name AS (…);`, declare a topic by CREATE TABLE",
                )
            self.unexpected("`TABLE`, `VIEW` or `SYNONYM` after `CREATE`", ("TABLE", "VIEW", "SYNONYM"))
        return self._create_table(start)

    def _create_table(self, start: int) -> CreateTable:
        self.advance()
        if_not_exists = self.take_words("IF", "NOT", "EXISTS")
        name = self.topic("the name of a topic after `TABLE`")
        opening = self.expect_mark("(", " before the columns")
        columns = [self._column()]
        while self.take_mark(","):
            columns.append(self._column())
        self.close(opening, ("FORMAT",))
        self.expect_word("FORMAT", after=" after the columns")
        opening = self.expect_mark("(", " before the formats of key and value")
        key = self._format()
        self.expect_mark(",", " between the formats of key and value")
        value = self._format()
        self.close(opening)
        properties = self._properties() if self.take_word("PROPERTIES") else ()
        return CreateTable(
            name=name.value,
            columns=tuple(columns),
            key_format=key.value,
            value_format=value.value,
            properties=properties,
            span=self.span_from(start),
            name_span=name.span,
            key_format_span=key.span,
            value_format_span=value.span,
            if_not_exists=if_not_exists,
        )

    def _column(self) -> ColumnDef:
        start = self.position
        path = self.dotted("the name of a column")
        type_ = self.data_type()
        nullable = True
        if self.take_word("NOT"):
            self.expect_word("NULL", after=" after `NOT`")
            nullable = False
        else:
            self.take_word("NULL")
        return ColumnDef(tuple(part.name for part in path), type_, nullable, self.span_from(start))

    def _properties(self) -> tuple[tuple[str, str], ...]:
        opening = self.expect_mark("(", " before the properties")
        found: list[tuple[str, str]] = []
        while not self.at_mark(")"):
            token = self.token
            key = (self.advance().value,) if token.kind is Kind.STRING else self._setting_key()
            self.expect_mark("=", " after the name of the property")
            value = self._setting_value()
            found.append((".".join(key), str(value).lower() if isinstance(value, bool) else str(value)))
            if not self.take_mark(","):
                break
        self.close(opening)
        return tuple(found)


def _names_columns(query: exp.Select) -> bool:
    """Say whether a query names columns of a source: neither the names of lambdas count, nor those of an inner query."""
    nodes: list[tuple[exp.Expression, frozenset[str]]] = [
        (part, frozenset()) for part in query.iter_expressions()
    ]
    while nodes:
        node, local = nodes.pop()
        if isinstance(node, exp.Star) or (isinstance(node, exp.Column) and node.parts[0].name not in local):
            return True
        if isinstance(node, exp.Column | exp.Query):
            continue
        if isinstance(node, exp.Lambda):
            nodes.append((node.this, local | {item.name for item in node.expressions}))
        else:
            nodes += [(part, local) for part in node.iter_expressions()]
    return False


def _number(text: str) -> int | float | None:
    """Give the number that a text stands for; None where Python's own number would be another."""
    if text.lstrip("-").isdigit():
        return int(text) if len(text) <= _MAX_NUMBER else None
    value = float(text)
    return value if math.isfinite(value) else None
