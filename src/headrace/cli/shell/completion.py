"""What could stand at the cursor: keywords, topics, views, columns of the tables in the text, functions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from prompt_toolkit.completion import Completer, Completion

from headrace.cli.shell.commands import FORMATS
from headrace.config.query_settings import QUERY_SETTINGS
from headrace.errors import HeadraceError
from headrace.functions import forms, function_names
from headrace.types.shape import field_named, field_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pyarrow as pa
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
_SOURCES: Final = re.compile(
    r"\b(?:FROM|JOIN|INTO|UPDATE|TABLE|FORMATTED)\s+(?:`([^`]+)`|([\w.\-]+))(?:\s+(?:AS\s+)?(\w+))?",
    re.IGNORECASE,
)
"""Tables, with what may be their aliases."""
_SETTING: Final = re.compile(r"(?:^|;)\s*SET\s+([\w.]*)\Z", re.IGNORECASE)
_FORMAT: Final = re.compile(r"\s*\\format\s+(\w*)\Z", re.IGNORECASE)
_NAME_FOLLOWS: Final = re.compile(
    r"\b(?:FROM|JOIN|INTO|TABLE|FORMATTED|FOR|VIEW|SYNONYM)\s+\S*$", re.IGNORECASE
)
_PLAIN: Final = re.compile(r"\w+\Z")


class SqlCompleter(Completer):
    """Completes the word at the cursor. What topics hold is looked up once for each of them."""

    def __init__(self, workspace: Workspace, commands: Iterable[str]) -> None:
        self._workspace = workspace
        self._commands = tuple(commands)
        self._records: dict[str, dict[str, pa.DataType]] = {}
        self._topics: list[str] | None = None

    def forget(self) -> None:
        """Look anew: a statement has changed something."""
        self._records.clear()
        self._topics = None

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """Give what begins as the word at the cursor does."""
        before = document.text_before_cursor
        found = _WORD.search(before)
        word = found[0] if found else ""
        if (setting := _SETTING.search(before)) is not None:
            word, candidates = setting[1], iter(QUERY_SETTINGS)
        elif (form := _FORMAT.match(before)) is not None:
            word, candidates = form[1], iter(FORMATS)
        elif before.lstrip().startswith("\\"):
            candidates = iter(self._commands)
        elif _NAME_FOLLOWS.search(before):
            candidates = iter(self._tables())
        elif not word:
            return
        elif "." in word:
            candidates = iter([*self._inside(document.text, word), *META, *self._tables()])
        else:
            names = (alias for _, alias in self._sources(document.text) if alias)
            columns = self._columns(document.text)
            candidates = iter([*columns, *names, *META, *KEYWORDS, *_FUNCTIONS, *self._tables()])
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

    def _sources(self, text: str) -> list[tuple[str, str]]:
        """Give the tables of a text with their aliases."""
        return [
            (quoted or plain, "" if alias.upper() in KEYWORDS else alias)
            for quoted, plain, alias in _SOURCES.findall(text)
        ]

    def _columns(self, text: str) -> Iterator[str]:
        """Give the columns of the tables of a text, and the fields of their keys."""
        for name, _ in self._sources(text):
            for part, kind in self._look(name).items():
                yield from (f"{part}.{field}" if part else field for field in field_names(kind))

    def _inside(self, text: str, word: str) -> Iterator[str]:
        """Give what could follow the last dot: fields of a table by its name or alias, and fields of records."""
        for name, alias in self._sources(text):
            parts = self._look(name)
            if not parts:
                continue
            for owner in (alias, name):
                if owner and word.lower().startswith(f"{owner.lower()}."):
                    yield from _paths(parts, f"{word[: len(owner)]}.", word[len(owner) + 1 :])
            yield from _paths(parts, "", word)

    def _look(self, name: str) -> dict[str, pa.DataType]:
        """Give the types of the parts of a topic's records by their names in a column: the value has none."""
        if name not in self._records:
            self._records[name] = {}
            try:
                topic = self._workspace.catalog.topic(self._workspace.topic_name(name))
            except HeadraceError:
                topic = None
            if topic is not None:
                self._records[name] = {
                    "": topic.value.type,
                    "_value": topic.value.type,
                    "_key": topic.key.type,
                }
        return self._records[name]


def _paths(parts: dict[str, pa.DataType], before: str, word: str) -> Iterator[str]:
    """Give the fields that a dotted word could go on with.

    Args:
        parts: the types of a record's parts by their names.
        before: what stands before the word, and is given with each.
        word: from the first field on, as far as it is typed.
    """
    *steps, _ = word.split(".")
    holder: pa.DataType | None = parts[""]
    if steps and steps[0] in parts:
        holder = parts[steps[0]]
        walked = steps[1:]
    else:
        walked = steps
    for step in walked:
        field = None if holder is None else field_named(holder, step)
        holder = None if field is None else field.type
    if holder is not None:
        start = before + "".join(f"{step}." for step in steps)
        yield from (start + name for name in field_names(holder))
    if before and not steps:
        yield from (before + name for name in META)
