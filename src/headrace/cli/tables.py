"""Tables: drawn on a terminal, plain where the output is piped."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Self

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import TracebackType

NULL = "null"


def print_rows(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a whole table: a name for each column, a text for each cell."""
    with TableWriter(header) as table:
        table.write(rows)


def print_pairs(pairs: Iterable[tuple[str, str]]) -> None:
    """Print names and values, a line each."""
    rows = list(pairs)
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        click.echo(f"{name:<{width}}  {value}")


class TableWriter:
    """Prints a table part by part. Columns of numbers stand at the right; the first part decides that, and the widths.

    On a terminal long cells are cut to its width; piped output is aligned and whole.
    """

    def __init__(self, header: Sequence[str]) -> None:
        self._header = list(header)
        self._right: list[bool] | None = None
        self._widths: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._right is None and kind is None:
            self.write([])

    def write(self, rows: Sequence[Sequence[str]]) -> None:
        """Print some rows; the header stands above the first ones."""
        first = self._right is None
        if self._right is None:
            columns = list(zip(*rows, strict=True)) or [()] * len(self._header)
            self._right = [bool(column) and all(map(_is_number, column)) for column in columns]
            self._widths = [
                max(map(len, (name, *column))) for name, column in zip(self._header, columns, strict=True)
            ]
        if sys.stdout.isatty():
            self._draw(rows, self._right, with_header=first)
        else:
            for row in [self._header, *rows] if first else rows:
                click.echo(self._line(row, self._right))

    def _line(self, row: Sequence[str], right: Sequence[bool]) -> str:
        cells = (
            cell.rjust(width) if at_right else cell.ljust(width)
            for cell, width, at_right in zip(row, self._widths, right, strict=True)
        )
        return "  ".join(cells).rstrip()

    def _draw(self, rows: Sequence[Sequence[str]], right: Sequence[bool], *, with_header: bool) -> None:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, show_header=with_header)
        for name, width, at_right in zip(self._header, self._widths, right, strict=True):
            table.add_column(
                Text(name),
                justify="right" if at_right else "left",
                no_wrap=True,
                overflow="ellipsis",
                min_width=min(width, 8),
            )
        for row in rows:
            table.add_row(*map(Text, row))
        Console().print(table)


def _is_number(text: str) -> bool:
    return text == NULL or text.replace(".", "", 1).replace("e", "", 1).lstrip("-+").isdigit()
