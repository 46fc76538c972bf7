"""What `headrace demo` shows: a table that renews itself on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections import deque
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

import click
from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

ROWS = 14
PLAIN_ROWS_A_SECOND = 4
FIELDS = ("MMSI", "Speed", "Long", "Lat", "Timestamp")


class Screen(Protocol):
    """Where the demo shows its state."""

    def records(self, records: pa.RecordBatch, values: Any) -> None:
        """Show records that came out of the processor: the raw ones and their decoded values."""

    def counts(self, sent: int, seconds: float) -> None:
        """Show how many reports were sent so far, and how long it has been running."""


class _Counter:
    """Counts what came out, and its rate over the last seconds."""

    def __init__(self) -> None:
        self.total = 0
        self._marks: deque[tuple[float, int]] = deque(maxlen=40)

    def add(self, count: int) -> None:
        self.total += count
        self._marks.append((time.monotonic(), self.total))

    def rate(self) -> float:
        if len(self._marks) < 2:
            return 0.0
        (first, before), (last, after) = self._marks[0], self._marks[-1]
        return (after - before) / max(last - first, 1e-9)


class PlainScreen:
    """Lines: some of the records, and once a second the counts."""

    def __init__(self, program: str, title: str) -> None:
        click.echo(f"{title}\n\n{program}")
        self._counter = _Counter()
        self._shown = 0
        self._second = -1

    def records(self, records: pa.RecordBatch, values: Any) -> None:
        """Print the first few of each second."""
        self._counter.add(len(values))
        for value in values.slice(0, PLAIN_ROWS_A_SECOND - self._shown).to_pylist():
            click.echo("  ".join(_cells(value)))
            self._shown += 1

    def counts(self, sent: int, seconds: float) -> None:
        """Print the counts when a new second begins."""
        if int(seconds) != self._second:
            self._second, self._shown = int(seconds), 0
            click.echo(_status(sent, self._counter, seconds))


class LiveScreen:
    """A table of the newest records that renews itself, with the counts above it."""

    def __init__(self, program: str, title: str, live: Live) -> None:
        self._program = Syntax(program.strip(), "sql", background_color="default")
        self._title = title
        self._live = live
        self._counter = _Counter()
        self._newest: deque[tuple[str, ...]] = deque(maxlen=ROWS)

    def records(self, records: pa.RecordBatch, values: Any) -> None:
        """Keep the newest."""
        self._counter.add(len(values))
        self._newest.extend(_cells(value) for value in values.slice(max(len(values) - ROWS, 0)).to_pylist())

    def counts(self, sent: int, seconds: float) -> None:
        """Draw."""
        table = Table(box=box.SIMPLE_HEAD, title="fastVehiclesProcessor", title_justify="left")
        for name in FIELDS:
            table.add_column(name, justify="right")
        for row in self._newest:
            table.add_row(*row)
        status = Text(_status(sent, self._counter, seconds), style="bold")
        self._live.update(Group(Text(self._title), Text(), self._program, Text(), status, table))


@contextmanager
def open_screen(program: str, title: str) -> Iterator[Screen]:
    """Give the screen that fits standard output."""
    if not sys.stdout.isatty():
        yield PlainScreen(program, title)
        return
    with Live(console=Console(), refresh_per_second=10) as live:
        yield LiveScreen(program, title, live)


def _status(sent: int, counter: _Counter, seconds: float) -> str:
    return f"{seconds:5.1f} s  {sent:,} reports in, {counter.total:,} fast ones out ({counter.rate():,.0f}/s)"


def _cells(value: dict[str, object]) -> tuple[str, ...]:
    moment = value["Timestamp"]
    when = moment.astimezone(UTC) if isinstance(moment, datetime) else moment
    return (
        str(value["MMSI"]),
        f"{value['Speed']:.1f}",
        f"{value['Long']:.6f}",
        f"{value['Lat']:.6f}",
        f"{when:%H:%M:%S}" if isinstance(when, datetime) else str(when),
    )
