"""The options that the benchmarks beside peers share, and the file that each of them writes."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.journal import Journal
from benchmarks.machine import machine, session, versions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.peers.engines import Engine


def parser(
    module: str, description: str | None, engines: Sequence[Engine], **default: Any
) -> argparse.ArgumentParser:
    """Give a parser of the shared options.

    Args:
        module: that is run.
        description: of it.
        engines: that there are.
        default: of `runs`, `commit` and `threads`.
    """
    made = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    slugs = [engine.slug for engine in engines]
    made.add_argument("--engines", default="", help=f"{', '.join(slugs)}, by commas; all by default")
    made.add_argument("--guarantee", default="exactly_once", choices=("exactly_once", "at_least_once"))
    made.add_argument("--runs", type=int, default=default["runs"], help="of each figure; the median counts")
    made.add_argument(
        "--commit", type=float, default=default["commit"], help="seconds between commits, of every engine"
    )
    made.add_argument(
        "--threads", type=int, default=default.get("threads", os.cpu_count()), help="that process records"
    )
    made.add_argument("--out", type=Path, default=Path("peers-results"), help="folder of the figures")
    return made


def chosen(engines: Sequence[Engine], options: argparse.Namespace) -> list[Engine]:
    """Give the engines that the options name, ready to be run."""
    found = [item for item in engines if not options.engines or item.slug in options.engines.split(",")]
    for engine in found:
        engine.prepare()
    return found


def journal(
    module: str,
    name: str,
    engines: Sequence[Engine],
    options: argparse.Namespace,
    settings: Sequence[str],
) -> Journal:
    """Open the file of the figures in the folder of the options, and say on which machine they are made.

    Args:
        module: that is run.
        name: of the file.
        engines: all that there are: which of them are measured may change from one call to the next.
        options: parsed.
        settings: names of the options with which every figure of the file is measured.
    """
    measured_with = {setting: getattr(options, setting) for setting in settings}
    known = {**versions(), **{engine.name: engine.version for engine in engines}}
    here, now = machine(), session(module)
    print(f"{now['command']}\n{now['date']}, {here['cores']} cores, load {now['load']}\n", flush=True)
    return Journal(options.out / name, {"machine": here, "versions": known, "settings": measured_with}, now)
