"""Makes the page of results and its plots anew from the raw figures of a folder: `python -m benchmarks.results`."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.results.page import pages
from benchmarks.results.raw import read

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "results"


def main() -> None:
    """Write the files, and name them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.results", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER, help="docs/results by default")
    folder = parser.parse_args().folder
    for name, text in pages(read(folder)).items():
        (folder / name).write_text(text, encoding="utf-8")
        print(folder / name)


if __name__ == "__main__":
    main()
