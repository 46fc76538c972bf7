"""Golden cases as text: a program, the records that go in, and what must come out.

A file is a row of sections, each begun by a line `=== kind`. Inputs are written by hand:

    === sql
    INSERT INTO fast SELECT …
    === topic positions
    format: STRING, JSON
    {"key": "a", "value": {"Speed": 12}, "timestamp": 1000, "headers": {"h": "x"}}

The program may stand in a file of its own, named from the case: `=== sql from ../fast_vessels.sql`. The other sections (`output`,
`dead letters`, `late records`, `schema`, `failure`, `warnings`, `diagnostics`) are what the run gave; they are filled in by an
update and read by whoever reviews the change, or written by hand. `=== output fast as a set` leaves the order open.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_MARK: Final = "=== "
_INPUTS: Final = ("sql", "topic")
_NAMED: Final = ("output", "dead letters", "late records", "schema")
_PLAIN: Final = ("diagnostics", "failure", "warnings")
_KINDS: Final = ", ".join(
    ["`sql`", "`topic NAME`", *(f"`{kind} NAME`" for kind in _NAMED), *(f"`{kind}`" for kind in _PLAIN)]
)
_FROM: Final = "from "
_SET: Final = " as a set"
_FIELDS: Final = frozenset({"key", "value", "key_hex", "value_hex", "timestamp", "headers", "partition"})


class CaseFileError(Exception):
    """A case file that cannot be read."""


@dataclass(frozen=True, slots=True)
class TopicInput:
    """A topic of a case before the program runs.

    Args:
        options: `format`, `partitions`, `key schema`, `value schema`, as written; `restart`: how many records come before a
            restart in the middle, where not all topics shall be cut at one time.
        records: one JSON object each: `key`, `value`, or their bytes as `key_hex`, `value_hex`; `timestamp` in milliseconds,
            `headers`, `partition`.
    """

    name: str
    options: dict[str, str] = field(default_factory=dict)
    records: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """A case: what goes in, and the sections that must come out, by title."""

    sql: str
    topics: tuple[TopicInput, ...]
    expected: dict[str, str]
    inputs_text: str
    """The input sections as they stand in the file, kept by an update."""
    sets: frozenset[str] = frozenset()
    """Titles of sections whose lines may come in any order."""
    folder: Path = Path()
    """Where relative paths in the program begin."""
    defaults: Mapping[str, str] = field(default_factory=dict)
    """Settings from outside that hold unless the program says otherwise, by their SET keys."""


def read_case(path: Path) -> Case:
    """Read a case file.

    Raises:
        CaseFileError: it cannot be read, has no `sql`, a section twice or of an unknown kind, a record that is no JSON or has
            a field of another name, or names a program that cannot be read.
    """
    sets: set[str] = set()
    sql: str | None = None
    folder = path.parent
    topics: list[TopicInput] = []
    expected: dict[str, str] = {}
    inputs = []
    for line, title, body in _sections(path):
        kind, _, name = title.partition(" ")
        if kind in _INPUTS:
            inputs.append(f"{_MARK}{title}\n{body}")
        if kind == "sql":
            if name and not name.startswith(_FROM):
                message = f"{path}:{line}: there is no section `{title}`: write `sql`, or `sql from {name.strip()}` for a file"
                raise CaseFileError(message)
            if sql is not None:
                message = f"{path}:{line}: the section `sql` stands twice"
                raise CaseFileError(message)
            sql = _program(path, name.strip().removeprefix(_FROM)) if name else body
            if name:
                folder = (path.parent / name.strip().removeprefix(_FROM)).parent
        elif kind == "topic":
            if any(topic.name == name.strip() for topic in topics):
                message = f"{path}:{line}: the section `{title}` stands twice"
                raise CaseFileError(message)
            topics.append(_topic(name.strip(), body, path))
        else:
            plain = title.removesuffix(_SET)
            if plain not in _PLAIN and not any(plain.startswith(f"{known} ") for known in _NAMED):
                message = f"{path}:{line}: there is no section `{title}`: write {_KINDS}"
                raise CaseFileError(message)
            if plain in expected:
                message = f"{path}: the section `{plain}` stands twice"
                raise CaseFileError(message)
            expected[plain] = body
            if plain != title:
                sets.add(plain)
    if sql is None:
        message = f"{path}: there is no section `sql`"
        raise CaseFileError(message)
    return Case(sql, tuple(topics), expected, "".join(inputs), frozenset(sets), folder)


def write_case(path: Path, case: Case, actual: dict[str, str]) -> None:
    """Write a case with what came out; the inputs stay as they are."""
    outputs = "".join(
        f"{_MARK}{title}{_SET if title in case.sets else ''}\n{body}" for title, body in actual.items()
    )
    path.write_text(case.inputs_text + outputs, encoding="utf-8")


def _program(case: Path, name: str) -> str:
    path = case.parent / name
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"{case}: the program `{path}` cannot be read"
        raise CaseFileError(message) from error


def _sections(path: Path) -> list[tuple[int, str, str]]:
    """Give the number of the line, the title and the text of each section."""
    found: list[tuple[int, str, list[str]]] = []
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path}: the case cannot be read"
        raise CaseFileError(message) from error
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        if line.startswith(_MARK):
            found.append((number, line[len(_MARK) :].strip(), []))
        elif found:
            found[-1][2].append(line if line.endswith("\n") else line + "\n")
        elif line.strip():
            message = f"{path}: text before the first section"
            raise CaseFileError(message)
    return [(number, title, "".join(lines)) for number, title, lines in found]


def _topic(name: str, body: str, path: Path) -> TopicInput:
    options: dict[str, str] = {}
    records: list[dict[str, Any]] = []
    for line in body.splitlines():
        text = line.strip()
        if not text:
            continue
        if not text.startswith("{"):
            key, colon, value = text.partition(":")
            if not colon:
                message = f"{path}: topic `{name}`: neither `option: value` nor a record: {text}"
                raise CaseFileError(message)
            options[key.strip()] = value.strip()
            continue
        try:
            records.append(json.loads(text))
        except ValueError as error:
            message = f"{path}: topic `{name}`: {error}: {text}"
            raise CaseFileError(message) from None
        unknown = [key for key in records[-1] if key not in _FIELDS]
        if unknown:
            message = f"{path}: topic `{name}`: a record has no `{unknown[0]}`, but {', '.join(sorted(_FIELDS))}: {text}"
            raise CaseFileError(message)
    return TopicInput(name, options, tuple(records))
