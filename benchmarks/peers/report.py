"""The figures as a table, as data, and as a page with bars: `python -m benchmarks.peers.report FOLDER` makes the page anew."""

from __future__ import annotations

import dataclasses
import json
import statistics
import sys
from dataclasses import dataclass
from math import log10
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.peers.measure import Cost

if TYPE_CHECKING:
    from collections.abc import Sequence

MEBI: Final = 1 << 20
OURS: Final = "Headrace"
_NOISE: Final = 0.1
"""A share by which the start of an engine may vary."""
_COLOURS: Final = ("#1f77b4", "#ff7f0e", "#2ca02c", "#9467bd", "#8c564b", "#7f7f7f")


@dataclass(frozen=True, slots=True)
class Figures:
    """One program in one engine.

    Args:
        program: its name.
        title: what it does.
        engine: its name.
        version: of the engine.
        records: that it reads.
        rows: that must come out.
        differing: how the first run's results differ from DuckDB's; empty when they are the same.
        start: what a run over a few records takes.
        costs: of each run.
    """

    program: str
    title: str
    engine: str
    version: str
    records: int
    rows: int
    differing: list[str]
    start: Cost
    costs: list[Cost]

    @property
    def cpus(self) -> list[float]:
        """CPU seconds for a million records, without what the start takes, by run."""
        return [(cost.cpu - self.start.cpu) / self.records * 1e6 for cost in self.costs]

    @property
    def cpu(self) -> float:
        """Their median."""
        return statistics.median(self.cpus)

    @property
    def whole_cpu(self) -> float:
        """CPU seconds of the whole process for a million records, the start in it."""
        return statistics.median(cost.cpu for cost in self.costs) / self.records * 1e6

    @property
    def drowned(self) -> bool:
        """Whether the CPU without the start is less than what the start may vary by."""
        return self.cpu * self.records / 1e6 <= self.start.cpu * _NOISE

    @property
    def rate(self) -> float | None:
        """Records a second, without what the start takes; None where that is all but everything."""
        wall = statistics.median(cost.wall for cost in self.costs) - self.start.wall
        return self.records / wall if wall > self.start.wall * _NOISE else None

    @property
    def peak(self) -> int:
        """Peak of resident memory in bytes."""
        return max(cost.peak for cost in self.costs)

    @property
    def first(self) -> float | None:
        """Seconds from the start to the first result, over the few records."""
        return self.start.first

    def as_data(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def from_data(data: dict[str, Any]) -> Figures:
    """Give the figures that `as_data` gave."""
    costs = [Cost(**cost) for cost in data["costs"]]
    return Figures(**{**data, "start": Cost(**data["start"]), "costs": costs})


def table(figures: Sequence[Figures]) -> str:
    """Give lines for a terminal."""
    lines = []
    for item in figures:
        first = "-" if item.first is None else f"{item.first:.2f} s"
        rate = "-" if item.rate is None else f"{item.rate:,.0f}"
        verdict = f"{item.rows:,} results" if not item.differing else "; ".join(item.differing)
        lines.append(
            f"  {item.engine:<14} {item.cpu:8.2f} CPU s/M (± {_spread(item):.2f}; whole {item.whole_cpu:.2f}) "
            f"{rate:>12} records/s {item.peak / MEBI:6.0f} MiB, first result {first}, {verdict}"
        )
    return "\n".join(lines)


def write_page(folder: Path) -> None:
    """Write `results.md` and `ratios.svg` beside `results.json`."""
    raw = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    figures = [from_data(item) for item in raw["figures"]]
    (folder / "ratios.svg").write_text(bars(figures), encoding="utf-8")
    (folder / "results.md").write_text(page(raw, figures), encoding="utf-8")


def page(raw: dict[str, Any], figures: Sequence[Figures]) -> str:
    """Give the page."""
    versions = ", ".join(dict.fromkeys(f"{item.engine} {item.version}" for item in figures))
    lines = [
        f"{raw['date']}, `{raw['command']}`: {raw['cores']} cores {raw['machine']}, {raw['memory'] / (1 << 30):.0f} GiB, "
        f"load {raw['load']} at the beginning. {versions}; Kafka {raw['kafka']}, Java {raw['java']}, Python {raw['python']}. "
        f"{raw['guarantee'].replace('_', ' ').capitalize()}, a commit each {raw['commit']:g} s, {raw['threads']} threads, "
        f"the median of {raw['runs']} runs.",
        "",
        "![CPU of each engine as a multiple of ours](ratios.svg)",
        "",
    ]
    for program in dict.fromkeys(item.program for item in figures):
        chosen = [item for item in figures if item.program == program]
        ours = next((item for item in chosen if item.engine == OURS), None)
        lines += [
            f"### {chosen[0].title}",
            "",
            "| | records | CPU s per million | ± | with the start | times ours | records/s | peak MiB | first result | results |",
            "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
        ]
        lines += [_row(item, ours) for item in chosen]
        lines.append("")
    return "\n".join(lines)


def _row(item: Figures, ours: Figures | None) -> str:
    rate = "-" if item.rate is None else f"{item.rate:,.0f}"
    ratio = f"{item.cpu / ours.cpu:.1f}" if ours and not (ours.drowned or item.drowned) else "-"
    first = "-" if item.first is None else f"{item.first:.2f} s"
    verdict = (
        f"{item.rows:,}, as DuckDB's" if not item.differing else "**differ**: " + "; ".join(item.differing)
    )
    return (
        f"| {item.engine} | {item.records:,} | {item.cpu:.2f} | {_spread(item):.2f} | {item.whole_cpu:.2f} | {ratio} "
        f"| {rate} | {item.peak / MEBI:.0f} | {first} | {verdict.replace('|', '/')} |"
    )


def _spread(item: Figures) -> float:
    return max(item.cpus) - min(item.cpus)


def bars(figures: Sequence[Figures]) -> str:
    """Draw, for each program, the CPU of each engine as a multiple of ours, on a scale of logarithms."""
    programs = list(dict.fromkeys(item.program for item in figures))
    engines = list(dict.fromkeys(item.engine for item in figures))
    ours = {item.program: item.cpu for item in figures if item.engine == OURS and not item.drowned}
    height, left, unit = 18, 130, 200
    parts, y = [], 30
    for number, engine in enumerate(engines):
        x = left + number * 160
        parts.append(
            f'<rect x="{x}" y="8" width="12" height="12" fill="{_COLOURS[number % len(_COLOURS)]}"/>'
        )
        parts.append(f'<text x="{x + 18}" y="18">{engine}</text>')
    for program in programs:
        parts.append(f'<text x="8" y="{y + height}" font-weight="bold">{program}</text>')
        for item in figures:
            if item.program != program or program not in ours or item.drowned:
                continue
            ratio = max(item.cpu / ours[program], 0.1)
            colour = _COLOURS[engines.index(item.engine) % len(_COLOURS)]
            width = (1 + log10(ratio)) * unit
            parts.append(
                f'<rect x="{left}" y="{y}" width="{width:.0f}" height="{height - 4}" fill="{colour}"/>'
            )
            parts.append(f'<text x="{left + width + 6:.0f}" y="{y + height - 6}">{ratio:.1f} x</text>')
            y += height
        y += 12
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="1100" height="{y}" font-family="sans-serif" font-size="13">'
        '<rect width="100%" height="100%" fill="white"/>' + "".join(parts) + "</svg>\n"
    )


if __name__ == "__main__":
    write_page(Path(sys.argv[1]))
