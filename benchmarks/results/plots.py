"""Plots as SVG: bars on a scale of logarithms, and curves in panels. Text stands on a ground of its own, light or dark as the
reader's system is."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from benchmarks.spread import Spread

_COLOURS: Final = ("#3b82d6", "#e07b1f", "#35a353", "#9a6dd0", "#b0664f", "#8a8a8a")
"""Tones that are told apart on a light ground and on a dark one."""
_STYLE: Final = (
    "<style>text{fill:#222;font:12px sans-serif}.ground{fill:#fff}.grid{stroke:#ccc}.mark{stroke:#222}"
    ".title{font-weight:bold}.end{text-anchor:end}.middle{text-anchor:middle}"
    "@media (prefers-color-scheme:dark){text{fill:#ddd}.ground{fill:#1b1e23}.grid{stroke:#4a4e55}.mark{stroke:#ddd}}</style>"
)
_ROW: Final = 16


@dataclass(frozen=True, slots=True)
class Line:
    """One curve: where each value stands on the axis, and the value with its spread."""

    name: str
    points: Sequence[tuple[float, Spread]]


@dataclass(frozen=True, slots=True)
class Panel:
    """One small plot.

    Args:
        title: above it.
        ticks: places on the axis along the bottom, and what is written there.
        lines: in it.
        logarithmic: the scale of the values; otherwise it begins at zero.
    """

    title: str
    ticks: Sequence[tuple[float, str]]
    lines: Sequence[Line]
    logarithmic: bool = False


def bars(groups: Mapping[str, Mapping[str, Spread]], unit: str) -> str:
    """Draw a bar for each value, with a whisker from the lowest to the highest, on one scale of logarithms.

    Args:
        groups: values by group, then by name; none of them zero.
        unit: written behind each value.
    """
    names = _colours(name for group in groups.values() for name in group)
    values = [value for group in groups.values() for value in group.values()]
    if not values:
        return _drawing([], 300, 40)
    left, width, top = 90, 640, 40
    # So that the shortest bar is still one.
    steps = _around(min(value.low for value in values) * 0.8, max(value.high for value in values))
    low, high = log10(steps[0]), log10(steps[-1])

    def place(value: float) -> float:
        return left + (log10(value) - low) / (high - low) * width

    parts, end_of_names = _legend(names, left)
    y = top
    for title, group in groups.items():
        parts.append(_text(left - 8, y + _ROW * len(group) / 2 + 4, title, "title end"))
        for name, value in group.items():
            end, middle = place(value.median), y + _ROW / 2 - 1
            parts.append(_box(left, y, max(end - left, 1), _ROW - 3, names[name]))
            parts.append(_line(place(value.low), middle, place(value.high), middle, "mark"))
            digits = 1 if value.median < 100 else 0
            shown = max(end, place(value.high)) + 6
            parts.append(_text(shown, y + 11, f"{value.median:,.{digits}f}{unit}"))
            y += _ROW
        y += 8
    grid = []
    for step in steps:
        grid.append(_line(place(step), top - 4, place(step), y - 4, "mark" if step == 1 else "grid"))
        grid.append(_text(place(step), y + 10, _number(step), "middle"))
    return _drawing([*grid, *parts], max(left + width + 80, end_of_names), y + 20)


def curves(panels: Sequence[Panel], columns: int) -> str:
    """Draw panels side by side, each with a scale of its own; the area from lowest to highest is tinted."""
    names = _colours(line.name for panel in panels for line in panel.lines)
    width, height, top = 370, 250, 34
    parts, end_of_names = _legend(names, 50)
    for number, panel in enumerate(panels):
        x, y = number % columns * width, top + number // columns * height
        parts += _panel(panel, names, x + 60, y + 28, width - 80, height - 64)
    rows = ceil(len(panels) / columns)
    return _drawing(parts, max(min(columns, len(panels)) * width, end_of_names), top + rows * height)


def _panel(
    panel: Panel, colours: Mapping[str, str], x: float, y: float, width: float, height: float
) -> list[str]:
    values = [value for line in panel.lines for _, value in line.points]
    places = [place for place, _ in panel.ticks]
    first, last = min(places), max(max(places), min(places) + 1e-9)
    highest = max(value.high for value in values)
    lowest = max(min(value.low for value in values), highest / 1e6) if panel.logarithmic else 0.0
    steps = _around(lowest, highest) if panel.logarithmic else _even(highest)
    bottom, upper = (log10(steps[0]), log10(steps[-1])) if panel.logarithmic else (0.0, steps[-1])

    def across(place: float) -> float:
        return x + (place - first) / (last - first) * width

    def up(value: float) -> float:
        scaled = log10(max(value, steps[0])) if panel.logarithmic else value
        return y + height - (scaled - bottom) / (upper - bottom) * height

    parts = [_text(x, y - 12, panel.title, "title")]
    for step in steps:
        parts.append(_line(x, up(step), x + width, up(step), "grid"))
        parts.append(_text(x - 6, up(step) + 4, _number(step), "end"))
    for place, name in panel.ticks:
        parts.append(_line(across(place), y + height, across(place), y + height + 4, "mark"))
        parts.append(_text(across(place), y + height + 18, name, "middle"))
    for line in panel.lines:
        colour = colours[line.name]
        upward = [(across(place), up(value.high)) for place, value in line.points]
        back = [(across(place), up(value.low)) for place, value in reversed(line.points)]
        parts.append(f'<polygon points="{_points([*upward, *back])}" fill="{colour}" fill-opacity="0.2"/>')
        middle = [(across(place), up(value.median)) for place, value in line.points]
        parts.append(f'<polyline points="{_points(middle)}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{at:.1f}" cy="{of:.1f}" r="2.5" fill="{colour}"/>' for at, of in middle]
    return parts


def _colours(names: Iterable[str]) -> dict[str, str]:
    """Give each name its colour, in the order in which they come."""
    known = list(dict.fromkeys(names))
    return {name: _COLOURS[number % len(_COLOURS)] for number, name in enumerate(known)}


def _steps(low: float, high: float) -> list[float]:
    """Give 1, 2 and 5 times the powers of ten from one value to another."""
    exponents = range(floor(log10(low)), ceil(log10(high)) + 1)
    every = [factor * 10.0**exponent for exponent in exponents for factor in (1, 2, 5)]
    return [step for step in every if low * 0.999 <= step <= high * 1.001]


def _around(low: float, high: float) -> list[float]:
    """Give such steps that both values are within them."""
    every = _steps(low / 10, high * 10)
    below = max(step for step in every if step <= low)
    above = min(step for step in every if step >= high and step > below)
    return [step for step in every if below <= step <= above]


def _even(high: float) -> list[float]:
    """Give even steps from zero to a value or a little above it."""
    size = next(step for step in _steps(high / 100, high * 10) if high / step <= 6)
    return [number * size for number in range(ceil(high / size) + 1)]


def _number(value: float) -> str:
    return f"{value / 1e6:g}M" if value >= 1e6 else f"{value:,g}"


def _legend(names: Mapping[str, str], x: float) -> tuple[list[str], float]:
    """Give the names with their colours, and where they end."""
    parts = []
    for name, colour in names.items():
        parts += [_box(x, 10, 12, 12, colour), _text(x + 18, 20, name)]
        x += 36 + 7 * len(name)
    return parts, x


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}">{escape(text)}</text>'


def _line(x: float, y: float, to_x: float, to_y: float, kind: str) -> str:
    return f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}" class="{kind}"/>'


def _box(x: float, y: float, width: float, height: float, colour: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>'


def _drawing(parts: Sequence[str], width: float, height: float) -> str:
    """Give the whole, a part a line, so that a change of a figure is a small diff."""
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}">'
    return "\n".join(
        [head, _STYLE, '<rect width="100%" height="100%" class="ground"/>', *parts, "</svg>", ""]
    )
