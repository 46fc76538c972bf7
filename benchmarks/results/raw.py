"""The raw figures of a folder: what each benchmark wrote, and what it comes to."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from benchmarks.peers.figures import Figures, figures_of
from benchmarks.spread import Spread, spread

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable
    from pathlib import Path

FILES: Final = {
    "peers": "Programs beside other engines",
    "latency": "Latency",
    "restart": "Away after `kill -9`",
    "scale": "How cost grows",
}
"""The benchmarks by the names of their files."""


@dataclass(frozen=True)
class Raw:
    """What the benchmarks wrote.

    Args:
        files: each as it was read, by the name of the benchmark; those that have not been run are missing.
    """

    files: dict[str, dict[str, Any]]

    def entries(self, name: str) -> list[dict[str, Any]]:
        """Give the entries of a benchmark; none where it has not been run."""
        found: list[dict[str, Any]] = self.files.get(name, {}).get("entries", [])
        return found

    @cached_property
    def figures(self) -> list[Figures]:
        """What programs cost."""
        return figures_of(self.entries("peers"))

    @cached_property
    def latencies(self) -> dict[tuple[str, int, str], dict[float, Spread]]:
        """Milliseconds by percentile, by guarantee, rate and engine; rates go up."""
        runs = [entry for entry in self.entries("latency") if entry["kind"] == "run"]
        grouped = _grouped(
            sorted(runs, key=lambda run: (run["guarantee"], run["rate"])),
            lambda run: (run["guarantee"], run["rate"], run["engine"]),
        )
        return {
            key: {
                float(percent): spread([run["milliseconds"][percent] for run in same])
                for percent in same[0]["milliseconds"]
            }
            for key, same in grouped.items()
        }

    @cached_property
    def halves(self) -> dict[str, int]:
        """The rate that is half of the slowest engine's capacity, by guarantee."""
        return {entry["guarantee"]: entry["rate"] for entry in self.entries("latency") if entry.get("half")}

    @cached_property
    def away(self) -> dict[tuple[int, str, str], Spread]:
        """Seconds away by keys, way and engine; keys go up."""
        grouped = _grouped(
            sorted(self.entries("restart"), key=lambda run: (run["keys"], run["way"] != "warm")),
            lambda run: (run["keys"], run["way"], run["engine"]),
        )
        return {key: spread([run["seconds"] for run in same]) for key, same in grouped.items()}

    @cached_property
    def curves(self) -> dict[tuple[str, int], dict[str, Spread]]:
        """Records a second, CPU seconds for a million and peaks in MiB, by the curve and how far it has grown."""
        grouped = _grouped(self.entries("scale"), lambda run: (run["curve"], run["at"]))
        return {
            key: {name: spread([run[name] for run in same]) for name in ("rate", "cpu_per_million", "peak")}
            for key, same in grouped.items()
        }


def read(folder: Path) -> Raw:
    """Give what stands in a folder."""
    paths = {name: folder / f"{name}.json" for name in FILES}
    return Raw(
        {name: json.loads(path.read_text(encoding="utf-8")) for name, path in paths.items() if path.exists()}
    )


def _grouped(
    entries: Iterable[dict[str, Any]], key: Callable[[dict[str, Any]], Any]
) -> dict[Any, list[dict[str, Any]]]:
    groups: dict[Hashable, list[dict[str, Any]]] = defaultdict(list)
    for entry in entries:
        groups[key(entry)].append(entry)
    return groups
