"""Whether a case gave what it expects, and the difference as text.

Cases written by hand say what matters: blanks in JSON do not, nor does the order of a record's fields; timestamps, headers, keys,
formats and topic settings count in a section that mentions them; topics, schemas and warnings count if the case has a section
for them. What fails, is refused, or goes to dead letters or late records always counts.
"""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from headrace.testing.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.testing.case_file import Case

_ALWAYS: Final = ("failure", "diagnostics", "dead letters ", "late records ")
_OPTIONAL: Final = ("key", "timestamp", "headers")
_FIELDS: Final[tuple[str, ...]] = ("key", "value", "timestamp", "headers")
_ABOUT: Final = ("format:", "configs:")
_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|\s+')
_DECODER: Final = json.JSONDecoder()
_CONTEXT: Final = 2
_LONGEST: Final = 400
"""Lines of a section from which on differences inside lines are not looked for."""


def difference(case: Case, outcome: Outcome) -> str | None:
    """Give what differs, section by section, with the places in the output; None if all is as expected."""
    expected, found = _relevant(case, outcome)
    marked = replace(outcome, sections=found, unordered=outcome.unordered | case.sets)
    wanted, got = Outcome(expected).comparable(marked)
    parts = [
        _section(title, wanted.get(title), got.get(title))
        for title in sorted({*wanted, *got})
        if wanted.get(title) != got.get(title)
    ]
    return "\n".join(parts) or None


def _relevant(case: Case, outcome: Outcome) -> tuple[dict[str, str], dict[str, str]]:
    """Give the sections to be compared, in one spelling, without what the case does not mention."""
    expected = {title: [_compact(line) for line in _lines(body)] for title, body in case.expected.items()}
    found = {}
    for title, body in outcome.sections.items():
        lines = [_compact(line) for line in _lines(body)]
        if title in expected:
            found[title] = _as_mentioned(expected[title], lines)
        elif title.startswith(_ALWAYS) and lines:
            found[title] = lines
    return {title: _text(lines) for title, lines in expected.items()}, {
        title: _text(lines) for title, lines in found.items()
    }


def _as_mentioned(expected: Sequence[str], found: Sequence[str]) -> list[str]:
    """Leave out of what was found what the expected lines never say."""
    records = [_fields(line) for line in expected if line.startswith("{")]
    silent = [name for name in _OPTIONAL if records and not any(name in record for record in records)]
    kept = []
    for line in found:
        if line.startswith(_ABOUT) and not any(other.startswith(line.split(":")[0]) for other in expected):
            continue
        if line.startswith("{") and silent:
            kept.append(_record({name: text for name, text in _fields(line).items() if name not in silent}))
        else:
            kept.append(line)
    return kept


def _compact(line: str) -> str:
    """Give a record in the one spelling; other lines as they are."""
    if not line.startswith("{"):
        return line
    try:
        return _record(_fields(line))
    except ValueError:
        return line


def _fields(line: str) -> dict[str, str]:
    """Give the fields of a record, and the text of each without blanks; numbers stay as they are written."""
    fields: dict[str, str] = {}
    place = 1
    while line[place:].lstrip(" ,"):
        place += len(line[place:]) - len(line[place:].lstrip(" ,"))
        if line[place] == "}":
            break
        name, place = _DECODER.raw_decode(line, place)
        place = line.index(":", place) + 1
        place += len(line[place:]) - len(line[place:].lstrip())
        _, end = _DECODER.raw_decode(line, place)
        fields[name] = _TOKEN.sub(lambda match: match[0] if match[0][0] == '"' else "", line[place:end])
        place = end
    return fields


def _record(fields: dict[str, str]) -> str:
    names = [name for name in _FIELDS if name in fields]
    names += [name for name in fields if name not in names]
    return "{" + ", ".join(f'"{name}": {fields[name]}' for name in names) + "}"


def _lines(body: str) -> list[str]:
    return [line for line in body.splitlines() if line.strip()]


def _text(lines: Sequence[str]) -> str:
    return "".join(line + "\n" for line in lines)


def _section(title: str, wanted: str | None, got: str | None) -> str:
    """Draw the difference of one section: `-` what was expected, `+` what was found, `?` where in the line they part."""
    if got is None:
        return f"=== {title}: expected, and not found\n" + "\n".join(
            f"- {line}" for line in (wanted or "").splitlines()
        )
    if wanted is None:
        return f"=== {title}: not expected\n" + "\n".join(f"+ {line}" for line in got.splitlines())
    left, right = wanted.splitlines(), got.splitlines()
    places = [number for number, (one, other) in enumerate(zip(left, right, strict=False)) if one != other]
    first = places[0] if places else min(len(left), len(right))
    head = f"=== {title}: {len(left)} lines expected, {len(right)} found; they part at line {first + 1}"
    if max(len(left), len(right)) > _LONGEST:
        drawn = list(difflib.unified_diff(left, right, "expected", "found", lineterm="", n=_CONTEXT))
    else:
        drawn = _near_changes([line.rstrip("\n") for line in difflib.ndiff(left, right)])
    return "\n".join([head, *drawn])


def _near_changes(lines: Sequence[str]) -> list[str]:
    """Leave out what is the same, but for a few lines around each change."""
    changed = [number for number, line in enumerate(lines) if not line.startswith("  ")]
    kept = {near for number in changed for near in range(number - _CONTEXT, number + _CONTEXT + 1)}
    drawn: list[str] = []
    for number, line in enumerate(lines):
        if number in kept:
            drawn.append(line)
        elif drawn and drawn[-1] != "  …":
            drawn.append("  …")
    return drawn
