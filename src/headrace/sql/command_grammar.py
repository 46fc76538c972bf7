"""The grammar of commands: see `headrace.sql.commands`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from headrace.errors.codes import sql as codes
from headrace.sql.commands import (
    Command,
    CreateSynonym,
    CreateView,
    Delete,
    Describe,
    Described,
    Drop,
    Dropped,
    KillQuery,
    Show,
    Shown,
    Truncate,
    Use,
)
from headrace.sql.queries import QueryGrammar
from headrace.sql.tokens import Kind

if TYPE_CHECKING:
    from headrace.sql.nodes import Named

COMMANDS: Final = ("USE", "SHOW", "DESCRIBE", "DESC", "DROP", "TRUNCATE", "DELETE", "KILL")
"""The words that begin a command; CREATE VIEW and CREATE SYNONYM begin as CREATE TABLE does."""


class CommandGrammar(QueryGrammar):
    """Reads commands."""

    def at_command(self) -> bool:
        """Tell whether a command comes next, CREATE left out."""
        return self.at_word(*COMMANDS)

    def command(self) -> Command:
        """Read one command, up to its end."""
        start = self.position
        word = self.advance().upper
        match word:
            case "USE":
                name = self.topic("the name of a connection after `USE`")
                return Use(name.value, self.span_from(start), name.span)
            case "SHOW":
                return self._show(start)
            case "DESCRIBE" | "DESC":
                return self._describe(start)
            case "DROP":
                return self._drop(start)
            case "TRUNCATE":
                self.take_word("TABLE")
                name = self.topic("the name of a topic after `TRUNCATE TABLE`")
                return Truncate(name.value, self.span_from(start), name.span)
            case "DELETE":
                return self._delete(start)
        return self._kill(start)

    def create_view(self, start: int, *, replaces: bool) -> CreateView:
        """Read on behind CREATE [OR REPLACE], where VIEW comes next."""
        self.advance()
        name = self.topic("the name of the view")
        self.expect_word("AS", after=" after the name of the view")
        begin = self.token.start
        names: tuple[Named, ...] = self.with_names() if self.at_word("WITH") else ()
        if not (self.at_word("SELECT", "VALUES", "FROM") or self.at_mark("(")):
            self.unexpected("`SELECT` after `AS`", ("SELECT", "WITH"))
        query = self.query()
        self.after_query()
        text = self.text[begin : self.previous.end]
        return CreateView(name.value, query, names, replaces, text, self.span_from(start), name.span)

    def create_synonym(self, start: int) -> CreateSynonym:
        """Read on behind CREATE, where SYNONYM comes next."""
        self.advance()
        name = self.topic("the name of the synonym")
        self.expect_word("FOR", after=" after the name of the synonym")
        topic = self.topic("the name of a topic after `FOR`")
        return CreateSynonym(name.value, topic.value, self.span_from(start), name.span, topic.span)

    def _show(self, start: int) -> Show:
        if self.take_words("ALL", "QUERIES"):
            return Show(Shown.ALL_QUERIES, None, None, self.span_from(start))
        words = [item.value for item in Shown if item is not Shown.ALL_QUERIES]
        what = Shown(self.expect_word(*words, after=" after `SHOW`").upper)
        if what is Shown.VIEW:
            name = self.topic("the name of a view")
            return Show(what, name.value, None, self.span_from(start), name.span)
        like = None
        if self.take_word("LIKE"):
            token = self.token
            if token.kind is not Kind.STRING:
                self.unexpected("a pattern between quotes after `LIKE`")
            like = self.advance().value
        return Show(what, None, like, self.span_from(start))

    def _describe(self, start: int) -> Describe:
        word = self.take_word(*Described)
        name = self.topic("the name of a table or function")
        what = Described(word.upper) if word is not None else Described.TABLE
        return Describe(what, name.value, self.span_from(start), name.span)

    def _drop(self, start: int) -> Drop:
        what = Dropped(self.expect_word(*Dropped, after=" after `DROP`").upper)
        if_exists = self.take_words("IF", "EXISTS")
        name = self.topic(f"the name of a {what.value.lower()}")
        return Drop(what, name.value, if_exists, self.span_from(start), name.span)

    def _delete(self, start: int) -> Delete | Drop:
        if self.at_word("VIEW"):
            # So the language of 2018 drops one.
            return self._drop(start)
        self.expect_word("FROM", after=" after `DELETE`")
        name = self.topic("the name of a topic after `FROM`")
        if self.at_end():
            self.fail(
                codes.SYNTAX,
                "DELETE without WHERE would remove every record",
                self.span_from(start),
                f"write `TRUNCATE TABLE {name.value}` to empty the topic, or add WHERE",
            )
        self.expect_word("WHERE", after=" after the name of the topic")
        return Delete(name.value, self.expression(), self.span_from(start), name.span)

    def _kill(self, start: int) -> KillQuery:
        self.expect_word("QUERY", after=" after `KILL`")
        token = self.token
        if token.kind is not Kind.NUMBER or not token.text.isdigit():
            self.unexpected("the number of a query, as SHOW QUERIES gives it")
        self.advance()
        return KillQuery(int(token.text), self.span_from(start), token.span)
