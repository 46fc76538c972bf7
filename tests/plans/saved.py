"""Where saved plans lie."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from tests.unit.planner.topics import plan

if TYPE_CHECKING:
    from headrace.plan.topology import Topology

FOLDER = Path(__file__).parent
PROGRAMS = sorted((FOLDER / "programs").glob("*.sql"))
SAVED = sorted(FOLDER.glob("[0-9]*/*.json"))
RELEASE = ".".join(version("headrace").split(".")[:2])


def planned(name: str) -> Topology:
    """Plan one of the programs as this release does."""
    return plan((FOLDER / "programs" / f"{name}.sql").read_text(encoding="utf-8"))
