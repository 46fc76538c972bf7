"""What could stand at the cursor: keywords, topics, views, columns of the tables in the text, functions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from prompt_toolkit.completion import Completer, Completion

from headrace.errors import HeadraceError
from headrace.functions import forms, function_names
from headrace.types.shape import field_names

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prompt_toolkit.completion import CompleteEvent
    from prompt_toolkit.document import Document

    from headrace.engine.statements import Workspace

KEYWORDS: Final = tuple(
    """SELECT FROM WHERE GROUP BY HAVING ORDER LIMIT OFFSET DISTINCT AS AND OR NOT IN IS NULL LIKE BETWEEN CASE WHEN THEN ELSE
    END CAST JOIN LEFT RIGHT FULL INNER ON USING UNION ALL WITH LATERAL INSERT INTO VALUES CREATE TABLE VIEW SYNONYM FORMAT
    PROPERTIES DROP DELETE TRUNCATE SHOW TABLES VIEWS SYNONYMS FUNCTIONS QUERIES DESCRIBE FORMATTED FUNCTION SET USE KILL QUERY
    COUNT SUM AVG MIN MAX STATE OVER PARTITION ROW_NUMBER QUALIFY""".split()  # noqa: SIM905 - a word a line is harder to read
)
META: Final = ("_key", "_value", "_headers", "_meta.offset", "_meta.partition", "_meta.timestamp")
_FUNCTIONS: Final = (*function_names(), *(form.name for form in forms()))
_WORD: Final = re.compile(r"[\w.\-`\\]+$")
_SOURCES: Final = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE|TABLE|FORMATTED)\s+`?([\w.\-]+)`?", re.IGNORECASE)
_NAME_FOLLOWS: Final = re.compile(
    r"\b(?:FROM|JOIN|INTO|TABLE|FORMATTED|FOR|VIEW|SYNONYM)\s+\S*$", re.IGNORECASE
)
_PLAIN: Final = re.compile(r"\w+\Z")


class SqlCompleter(Completer):
    """Completes the word at the cursor. What topics hold is looked up once for each of them."""

    def __init__(self, workspace: Workspace, commands: Iterable[str]) -> None:
        self._workspace = workspace
        self._commands = tuple(commands)
        self._columns: dict[str, list[str]] = {}
        self._topics: list[str] | None = None

    def forget(self) -> None:
        """Look anew: a statement has changed something."""
        self._columns.clear()
        self._topics = None

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """Give what begins as the word at the cursor does."""
        before = document.text_before_cursor
        found = _WORD.search(before)
        word = found[0] if found else ""
        if before.lstrip().startswith("\\"):
            candidates: Iterable[str] = self._commands
        elif _NAME_FOLLOWS.search(before):
            candidates = self._tables()
        elif not word:
            return
        else:
            candidates = [*self._fields(document.text), *META, *KEYWORDS, *_FUNCTIONS, *self._tables()]
        wanted = word.lstrip("`").lower()
        seen = set()
        for name in candidates:
            if name.lower().startswith(wanted) and name not in seen:
                seen.add(name)
                yield Completion(name, start_position=-len(word))

    def _tables(self) -> list[str]:
        if self._topics is None:
            catalog = self._workspace.catalog
            try:
                definitions = catalog.definitions
                names = [*catalog.names(), *definitions.views, *definitions.synonyms]
            except HeadraceError:
                # A log that is away is told of by the statement, not by the completion.
                return []
            self._topics = sorted(name if _PLAIN.match(name) else f"`{name}`" for name in names)
        return self._topics

    def _fields(self, text: str) -> list[str]:
        found: list[str] = []
        for name in _SOURCES.findall(text):
            if name not in self._columns:
                self._columns[name] = self._look(name)
            found += self._columns[name]
        return found

    def _look(self, name: str) -> list[str]:
        try:
            topic = self._workspace.catalog.topic(self._workspace.topic_name(name))
        except HeadraceError:
            return []
        if topic is None:
            return []
        return [*field_names(topic.value.type), *(f"_key.{field}" for field in field_names(topic.key.type))]
