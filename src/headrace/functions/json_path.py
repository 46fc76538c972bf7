"""JsonPath, which the language uses, to the paths of DuckDB's JSON functions.

DuckDB's paths have neither slices nor filters. A path with them is cut there: each part is a path of DuckDB, and between two
parts elements of an array are chosen.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from headrace.functions.json_filter import FilterError, json_name, read_filter, unescaped

_STEP: Final = re.compile(
    r"""
      (?P<deep>\.\.)(?P<deepname>[^.\[\]'"\s()?@*:]+)
    | \.(?P<name>[^.\[\]'"\s()?@*:]+)
    | (?P<every>\.\*|\[\*\])
    | \[(?P<index>-?[0-9]+)\]
    | \['(?P<single>(?:[^'\\]|\\.)*)'\]
    | \["(?P<double>(?:[^"\\]|\\.)*)"\]
    | \[\ *(?P<begin>-?[0-9]+)?\ *(?P<colon>:)\ *(?P<end>-?[0-9]+)?\ *(?::\ *(?P<step>[0-9]+)?\ *)?\]
    """,
    re.VERBOSE,
)


class JsonPathError(Exception):
    """A path that cannot be translated; `start` and `end` say where."""

    def __init__(self, message: str, start: int, end: int) -> None:
        super().__init__(message)
        self.message = message
        self.start = start
        self.end = end


@dataclass(frozen=True, slots=True)
class Slice:
    """The elements from `begin` up to `end`, below 0 from the end, each `step`-th."""

    begin: int | None
    end: int | None
    step: int


@dataclass(frozen=True, slots=True)
class Filter:
    """The elements that meet a condition: SQL over `hr_element`."""

    condition: str


@dataclass(frozen=True, slots=True)
class DuckdbPath:
    """The path for DuckDB, and whether it can match more than one value (then DuckDB gives a list).

    `chosen`: which elements of the arrays that it leads to are meant, and the path from each of them.
    """

    text: str
    many: bool
    chosen: tuple[Slice | Filter, DuckdbPath] | None = None

    @property
    def gives_list(self) -> bool:
        """Say whether the whole of it can match more than one value."""
        return self.many or self.chosen is not None


def translate(path: str) -> DuckdbPath:
    """Translate a JsonPath; a path without `$` begins at the root.

    Raises:
        JsonPathError: it is no path, or has a filter with more than conditions on fields.
    """
    at = 1 if path.startswith("$") else 0
    # `a.b` is a common short form of `$.a.b`.
    text = path if at or path.startswith("[") else "." + path
    shift = len(text) - len(path)
    parts: list[tuple[DuckdbPath, Slice | Filter]] = []
    here = DuckdbPath("$", many=False)
    while at < len(text):
        choice: Slice | Filter | None = None
        if text.startswith("[?", at):
            try:
                condition, at = read_filter(text, at)
            except FilterError as error:
                raise JsonPathError(error.message, error.at - shift, len(path)) from None
            choice = Filter(condition)
        else:
            found = _STEP.match(text, at)
            if found is None or (found["step"] is not None and int(found["step"]) == 0):
                raise _fault(path, max(at - shift, 0))
            if _quoted(found) in ("", "*"):
                message = "a JSON path cannot lead through a field without a name, or one called `*`"
                raise JsonPathError(message, max(at - shift, 0), found.end() - shift)
            at = found.end()
            if found["colon"]:
                choice = Slice(_number(found["begin"]), _number(found["end"]), int(found["step"] or 1))
            else:
                here = _longer(here, found)
        if choice is not None:
            parts.append((here, choice))
            here = DuckdbPath("$", many=False)
    for before, choice in reversed(parts):
        here = replace(before, chosen=(choice, here))
    return here


def _longer(path: DuckdbPath, found: re.Match[str]) -> DuckdbPath:
    """Give the path with one more step."""
    if found["deep"]:
        return DuckdbPath(f"{path.text}..{json_name(found['deepname'])}", many=True)
    if found["name"] is not None:
        return replace(path, text=f"{path.text}.{json_name(found['name'])}")
    if found["every"]:
        return DuckdbPath(path.text + ("[*]" if found["every"] == "[*]" else ".*"), many=True)
    if found["index"] is not None:
        index = int(found["index"])
        return replace(path, text=path.text + (f"[{index}]" if index >= 0 else f"[#{index}]"))
    return replace(path, text=f"{path.text}.{json_name(_quoted(found) or '')}")


def _quoted(found: re.Match[str]) -> str | None:
    """Give the name between quotes of a step; None if it has none. DuckDB takes `"*"` for all fields, and `""` for a fault."""
    text = found["single"] if found["single"] is not None else found["double"]
    return None if text is None else unescaped(text)


def _number(digits: str | None) -> int | None:
    return None if digits is None else int(digits)


def _fault(path: str, at: int) -> JsonPathError:
    if re.match(r"\[[-0-9 ]*:", path[at:]):
        return JsonPathError(
            "a slice of a JSON path is `[from:to]` or `[from:to:step]`, with a step above 0", at, len(path)
        )
    return JsonPathError("the JSON path cannot be read from here", at, len(path))
