"""What programs cost in engines, from the raw runs."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from benchmarks.peers.measure import Cost
from benchmarks.spread import Spread, spread

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MEBI: Final = 1 << 20
OURS: Final = "Headrace"
START: Final = "start"
RUN: Final = "run"
_NOISE: Final = 0.1
"""A share by which the start of an engine may vary."""


@dataclass(frozen=True, slots=True)
class Figures:
    """One program in one engine.

    Args:
        program: its name.
        title: what it does.
        engine: its name.
        records: that it reads.
        rows: that must come out.
        differing: how the first run's results differ from DuckDB's; empty when they are the same.
        starts: what each run over a few records takes.
        costs: of each run over all.
    """

    program: str
    title: str
    engine: str
    records: int
    rows: int
    differing: list[str]
    starts: list[Cost]
    costs: list[Cost]

    @property
    def start(self) -> Cost:
        """The cheapest start."""
        return min(self.starts, key=lambda cost: cost.cpu)

    @property
    def cpu(self) -> Spread:
        """CPU seconds for a million records, without what the start takes."""
        return spread([(cost.cpu - self.start.cpu) / self.records * 1e6 for cost in self.costs])

    @property
    def whole_cpu(self) -> float:
        """CPU seconds of the whole process for a million records, the start in it."""
        return statistics.median(cost.cpu for cost in self.costs) / self.records * 1e6

    @property
    def drowned(self) -> bool:
        """Whether the CPU without the start is less than what the start may vary by."""
        return self.cpu.median * self.records / 1e6 <= self.start.cpu * _NOISE

    @property
    def rate(self) -> float | None:
        """Records a second, without what the start takes; None where that is all but everything."""
        wall = statistics.median(cost.wall for cost in self.costs) - self.start.wall
        return self.records / wall if wall > self.start.wall * _NOISE else None

    @property
    def peak(self) -> Spread:
        """Peaks of resident memory in MiB."""
        return spread([cost.peak / MEBI for cost in self.costs])

    @property
    def first(self) -> Spread | None:
        """Seconds from the start to the first result, over the few records."""
        found = [cost.first for cost in self.starts if cost.first is not None]
        return spread(found) if found else None


def figures_of(entries: Iterable[dict[str, Any]]) -> list[Figures]:
    """Give the figures of raw runs, as `benchmarks.peers` writes them; a program without a start and a run has none yet."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for entry in entries:
        groups.setdefault((entry["program"], entry["engine"]), []).append(entry)
    found = []
    for (program, engine), runs in groups.items():
        costs = {kind: [Cost(**run["cost"]) for run in runs if run["kind"] == kind] for kind in (START, RUN)}
        compared = [run for run in runs if "rows" in run]
        if all(costs.values()) and compared:
            first = compared[0]
            found.append(
                Figures(
                    program,
                    first["title"],
                    engine,
                    first["records"],
                    first["rows"],
                    first["differing"],
                    costs[START],
                    costs[RUN],
                )
            )
    return found


def ratio(item: Figures, ours: Figures | None) -> Spread | None:
    """Give how many times our CPU an engine takes; None where a start drowns one of them."""
    if ours is None or ours.drowned or item.drowned:
        return None
    return item.cpu.over(ours.cpu.median)


def table(figures: Sequence[Figures]) -> str:
    """Give lines for a terminal."""
    lines = []
    for item in figures:
        first = "-" if item.first is None else f"{item.first.median:.2f} s"
        rate = "-" if item.rate is None else f"{item.rate:,.0f}"
        verdict = f"{item.rows:,} results" if not item.differing else "; ".join(item.differing)
        lines.append(
            f"  {item.engine:<14} {item.cpu.text(2)} CPU s/M (whole {item.whole_cpu:.2f}) "
            f"{rate:>12} records/s {item.peak.median:6.0f} MiB, first result {first}, {verdict}"
        )
    return "\n".join(lines)
