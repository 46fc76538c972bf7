"""Counts the instructions of hot paths of the native code, and compares them: `python -m benchmarks.micro.guard`.

Counts do not depend on what else the machine does, as times do. They are callgrind's, of the work alone
(`native/python/examples/hot_paths.rs`). Without valgrind nothing is counted; with another compiler or kind of processor than
those of the counts that are written down nothing fails. `--update` writes the present ones down.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT: Final = Path(__file__).parents[2]
COUNTS: Final = Path(__file__).with_name("instructions.json")
MORE: Final = 1.1
"""So many times as many instructions are a regression: hash tables, which begin anew at random, make up for two in a hundred."""
_COLLECTED: Final = re.compile(r"Collected : (\d+)")


def build() -> Path:
    """Compile the paths as the native module is compiled; gives the program."""
    command = ["cargo", "build", "--release", "--locked", "-p", "headrace-python", "--example", "hot_paths"]
    subprocess.run([*command, "--quiet"], cwd=ROOT / "native", check=True)
    folder = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "native" / "target"))
    return folder / "release" / "examples" / "hot_paths"


def count(program: Path) -> dict[str, int]:
    """Give the instructions of each path."""
    paths = subprocess.run([program], check=True, capture_output=True, text=True).stdout.split()
    return {path: _count(program, path) for path in paths}


def _count(program: Path, path: str) -> int:
    words = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=measured"]
    told = subprocess.run([*words, program, path], check=True, capture_output=True, text=True).stderr
    found = _COLLECTED.search(told)
    if found is None:
        message = f"callgrind told no count of {path}"
        raise RuntimeError(message)
    return int(found[1])


def setting() -> dict[str, str]:
    """Give what counts depend on beside the code."""
    compiler = subprocess.run(
        ["rustc", "--version"], check=True, capture_output=True, text=True
    ).stdout.split()[1]
    with contextlib.suppress(OSError):
        known = set(Path("/proc/cpuinfo").read_text(encoding="utf-8").split())
        return {"rustc": compiler, "vectors": " ".join(sorted(known & {"sse4_2", "avx2"}))}
    return {"rustc": compiler, "vectors": "unknown"}


def regressions(before: Mapping[str, int], now: Mapping[str, int]) -> list[str]:
    """Say which paths take more than they did, or are not written down."""
    found = [f"{path}: no count is written down" for path in now if path not in before]
    return found + [
        f"{path}: {now[path]:,} instructions, {now[path] / before[path]:.2f} times what it was"
        for path in now
        if path in before and now[path] > MORE * before[path]
    ]


def main() -> None:
    """Count and compare."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.micro.guard", description=__doc__)
    parser.add_argument("--update", action="store_true", help="write the present counts down")
    options = parser.parse_args()
    if shutil.which("valgrind") is None:
        print("instructions are not counted: there is no valgrind")
        return
    now, here = count(build()), setting()
    if options.update:
        COUNTS.write_text(json.dumps({"setting": here, "counts": now}, indent=2) + "\n", encoding="utf-8")
        return
    written = json.loads(COUNTS.read_text(encoding="utf-8"))
    before: dict[str, int] = written["counts"]
    for path, instructions in now.items():
        print(f"{path:<16}{instructions:>14,}{instructions / before.get(path, instructions):>8.2f}")
    faults = regressions(before, now)
    if faults and written["setting"] != here:
        print(f"not judged: the counts are of {written['setting']}, this is {here}")
    elif faults:
        sys.exit("\n".join([*faults, "mend it, or say why in the commit and run it with --update"]))


if __name__ == "__main__":
    main()
