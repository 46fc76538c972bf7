"""JsonPath, which the language uses, to the paths of DuckDB's JSON functions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_STEP: Final = re.compile(
    r"""
      (?P<deep>\.\.)(?P<deepname>[^.\[\]'"\s()?@*:]+)
    | \.(?P<name>[^.\[\]'"\s()?@*:]+)
    | (?P<every>\.\*|\[\*\])
    | \[(?P<index>-?[0-9]+)\]
    | \['(?P<single>(?:[^'\\]|\\.)*)'\]
    | \["(?P<double>(?:[^"\\]|\\.)*)"\]
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
class DuckdbPath:
    """The path for DuckDB, and whether it can match more than one value (then DuckDB gives a list)."""

    text: str
    many: bool


def translate(path: str) -> DuckdbPath:
    """Translate a JsonPath; a path without `$` begins at the root.

    Raises:
        JsonPathError: it is no path, or uses a filter or a slice.
    """
    at = 1 if path.startswith("$") else 0
    # `a.b` is a common short form of `$.a.b`.
    text = path if at or path.startswith("[") else "." + path
    shift = len(text) - len(path)
    out = ["$"]
    many = False
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None:
            raise _fault(path, max(at - shift, 0))
        if found["deep"]:
            out.append(f"..{_name(found['deepname'])}")
            many = True
        elif found["name"] is not None:
            out.append("." + _name(found["name"]))
        elif found["every"]:
            out.append("[*]" if found["every"] == "[*]" else ".*")
            many = True
        elif found["index"] is not None:
            index = int(found["index"])
            out.append(f"[{index}]" if index >= 0 else f"[#{index}]")
        else:
            quoted = found["single"] if found["single"] is not None else found["double"]
            out.append("." + _name(re.sub(r"\\(.)", r"\1", quoted)))
        at = found.end()
    return DuckdbPath("".join(out), many)


def _name(name: str) -> str:
    return '"' + name.replace('"', '\\"') + '"'


def _fault(path: str, at: int) -> JsonPathError:
    rest = path[at:]
    if rest.startswith("[?"):
        return JsonPathError("filters are not supported in a JSON path", at, len(path))
    if re.match(r"\[-?[0-9]*:", rest):
        return JsonPathError("slices are not supported in a JSON path", at, len(path))
    return JsonPathError("the JSON path cannot be read from here", at, len(path))
