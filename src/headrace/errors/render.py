"""Draws diagnostics under the text they are about, and gives them as data.

Called by the command line (drawing) and by servers (data). The drawing shows every line that a diagnostic points at:

    error[SQL0201]: column `amout` does not exist in `orders`
      --> orders.sql:2:8
     2 | SELECT amout FROM orders
       |        ^^^^^ help: did you mean `amount`?
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headrace.errors.diagnostic import Severity, Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.errors.diagnostic import Diagnostic, HeadraceError, Source

_TAB = 4
_WIDEST = 160
_KEPT_BEFORE = 60
_COLORS = {Severity.ERROR: "1;31", Severity.WARNING: "1;33"}
_BLUE = "1;34"
_BOLD = "1"


def render(error: HeadraceError, *, color: bool = False) -> str:
    """Draw all diagnostics of an error, a blank line between them.

    Args:
        error: with its source, if places are to be drawn.
        color: use ANSI colours; for terminals only.

    Returns:
        Lines without a last line end. Control characters of the text are shown as `·`, tabs as blanks.
    """
    lines = _Lines(error.source) if error.source is not None else None
    return "\n\n".join(_draw(item, lines, _Paint(color)) for item in error.diagnostics)


def to_json(error: HeadraceError) -> dict[str, object]:
    """Give an error as data for JSON: offsets count characters from 0, lines and columns from 1, ends are exclusive."""
    lines = _Lines(error.source) if error.source is not None else None
    return {
        "source": error.source.name if error.source is not None else None,
        "diagnostics": [_data(item, lines) for item in error.diagnostics],
    }


def _data(item: Diagnostic, lines: _Lines | None) -> dict[str, object]:
    labels = [{"text": label.text, "place": _place(label.span, lines)} for label in item.labels]
    return {
        "code": str(item.code),
        "severity": str(item.severity),
        "message": item.message,
        "help": item.help,
        "notes": list(item.notes),
        "place": _place(item.span, lines) if item.span is not None else None,
        "labels": labels,
    }


def _place(span: Span, lines: _Lines | None) -> dict[str, int]:
    place = {"start": span.start, "end": span.end}
    if lines is not None:
        line, column = lines.position(span.start)
        end_line, end_column = lines.position(span.end)
        place |= {
            "line": line + 1,
            "column": column + 1,
            "end_line": end_line + 1,
            "end_column": end_column + 1,
        }
    return place


class _Lines:
    """A text by lines; a carriage return before a line end is not shown."""

    def __init__(self, source: Source) -> None:
        self.name = source.name
        self.texts = [line.removesuffix("\r") for line in source.text.split("\n")]
        self._starts = [0]
        for line in source.text.split("\n")[:-1]:
            self._starts.append(self._starts[-1] + len(line) + 1)

    def position(self, offset: int) -> tuple[int, int]:
        """Give line and column of an offset, both from 0; an offset beyond the text is its end."""
        line = bisect_right(self._starts, max(offset, 0)) - 1
        return line, min(offset - self._starts[line], len(self.texts[line]))


@dataclass(frozen=True, slots=True)
class _Mark:
    """A stretch of one line to underline: columns in characters, and the words behind it."""

    line: int
    start: int
    end: int
    text: str
    primary: bool


class _Paint:
    def __init__(self, color: bool) -> None:
        self._color = color

    def __call__(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._color and text else text


def _draw(item: Diagnostic, lines: _Lines | None, paint: _Paint) -> str:
    head = paint(f"{item.severity}[{item.code}]", _COLORS[item.severity])
    output = [f"{head}{paint(f': {_clean(item.message)}', _BOLD)}"]
    gutter = 1
    if item.span is not None and lines is not None:
        marks = list(_marks(item, lines))
        gutter = len(str(max(mark.line for mark in marks) + 1))
        line, column = lines.position(item.span.start)
        arrow = paint("-->", _BLUE)
        output.append(f"{' ' * (gutter + 1)}{arrow} {_clean(lines.name)}:{line + 1}:{column + 1}")
        output.extend(_excerpt(marks, lines, gutter, paint, item))
    elif item.help:
        output.append(f"{' ' * (gutter + 2)}{paint('=', _BLUE)} help: {_clean(item.help)}")
    equals = paint("=", _BLUE)
    output.extend(f"{' ' * (gutter + 2)}{equals} note: {_clean(note)}" for note in item.notes)
    return "\n".join(output)


def _marks(item: Diagnostic, lines: _Lines) -> Iterator[_Mark]:
    help_ = f"help: {_clean(item.help)}" if item.help else ""
    if item.span is not None:
        yield from _stretches(item.span, help_, lines, primary=True)
    for label in item.labels:
        yield from _stretches(label.span, _clean(label.text), lines, primary=False)


def _stretches(span: Span, text: str, lines: _Lines, *, primary: bool) -> Iterator[_Mark]:
    """Cut a span into its first and last line; what lies between is not underlined."""
    first, start = lines.position(span.start)
    last, end = lines.position(max(span.end, span.start))
    if last > first and end == 0:  # the span ends with a line end
        last -= 1
        end = len(lines.texts[last])
    if first == last:
        yield _Mark(first, start, max(end, start + 1), text, primary)
        return
    yield _Mark(first, start, max(len(lines.texts[first]), start + 1), "", primary)
    indentation = len(lines.texts[last]) - len(lines.texts[last].lstrip())
    yield _Mark(last, min(indentation, end), max(end, 1), text, primary)


def _excerpt(
    marks: list[_Mark], lines: _Lines, gutter: int, paint: _Paint, item: Diagnostic
) -> Iterator[str]:
    previous: int | None = None
    bar = paint("|", _BLUE)
    for line in sorted({mark.line for mark in marks}):
        if previous is not None and line > previous + 1:
            yield f"{' ' * (gutter + 1)}{paint('⋮', _BLUE)}"
        previous = line
        here = sorted(
            (mark for mark in marks if mark.line == line), key=lambda mark: (not mark.primary, mark.start)
        )
        text, offset = _crop(lines.texts[line], here[0].start)
        shown, columns = _columns(text)
        yield f" {paint(str(line + 1).rjust(gutter), _BLUE)} {bar} {shown}".rstrip()
        for mark in here:
            start = _column(columns, mark.start - offset)
            width = max(_column(columns, mark.end - offset) - start, 1)
            sign = ("^" if mark.primary else "-") * width
            code = _COLORS[item.severity] if mark.primary else _BLUE
            underline = paint(f"{sign} {mark.text}".rstrip(), code)
            yield f" {' ' * gutter} {bar} {' ' * start}{underline}"


def _crop(text: str, column: int) -> tuple[str, int]:
    """Cut a very long line to what is around a column; gives the rest and how many characters fell away before it."""
    if len(text) <= _WIDEST:
        return text, 0
    begin = max(column - _KEPT_BEFORE, 0)
    kept = text[begin : begin + _WIDEST]
    after = "…" if begin + _WIDEST < len(text) else ""
    if begin == 0:
        return kept + after, 0
    return "…" + kept[1:] + after, begin


def _columns(text: str) -> tuple[str, list[int]]:
    """Give a line as it is shown, and the screen column of each of its characters, with that of its end."""
    shown: list[str] = []
    columns: list[int] = []
    column = 0
    for character in text:
        columns.append(column)
        if character == "\t":
            width = _TAB - column % _TAB
            shown.append(" " * width)
        else:
            width = _width(character)
            shown.append(character if character.isprintable() else "·")
        column += width
    columns.append(column)
    return "".join(shown), columns


def _column(columns: list[int], index: int) -> int:
    """Give the screen column of a character; beyond the end, each position counts one."""
    index = max(index, 0)
    last = len(columns) - 1
    return columns[index] if index <= last else columns[last] + index - last


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _clean(text: str) -> str:
    return "".join(character if character.isprintable() else "·" for character in text)
