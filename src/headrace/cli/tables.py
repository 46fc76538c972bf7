"""Tables: drawn on a terminal, plain where the output is piped."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def print_rows(header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[bool] = ()) -> None:
    """Print a table. On a terminal long cells are cut to its width; piped output is aligned and whole.

    Args:
        header: the names of the columns.
        rows: one text a cell.
        right: which columns stand at the right (numbers); by default those whose cells are all numbers.
    """
    aligned = right or [
        bool(rows) and all(_is_number(row[column]) for row in rows) for column in range(len(header))
    ]
    if sys.stdout.isatty():
        _draw(header, rows, aligned)
        return
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in [header, *rows]:
        cells = (
            cell.rjust(width) if at_right else cell.ljust(width)
            for cell, width, at_right in zip(row, widths, aligned, strict=True)
        )
        click.echo("  ".join(cells).rstrip())


def print_pairs(pairs: Iterable[tuple[str, str]]) -> None:
    """Print names and values, a line each."""
    rows = list(pairs)
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        click.echo(f"{name:<{width}}  {value}")


def _draw(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool]) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name, at_right in zip(header, right, strict=True):
        table.add_column(name, justify="right" if at_right else "left", no_wrap=True, overflow="ellipsis")
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).removeprefix("-").isdigit()
