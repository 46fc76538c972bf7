"""What a statement gives: rows, or a word that it is done."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from contextlib import AbstractContextManager

    from headrace.engine.snapshot import SnapshotQuery


@dataclass(frozen=True, slots=True)
class Done:
    """The statement has changed something.

    Args:
        message: what, in a few words.
    """

    message: str


@dataclass(frozen=True, slots=True)
class Rows:
    """The statement gives rows.

    Args:
        schema: of the rows.
        batches: the rows; read once.
        query: the query behind them, for what it left out and which limit ended it; None for a list that was at hand.
        while_read: to be open as long as batches are read.
    """

    schema: pa.Schema
    batches: Generator[pa.RecordBatch]
    query: SnapshotQuery | None = None
    while_read: AbstractContextManager[object] = field(default_factory=nullcontext)


Answer = Rows | Done


def table(columns: dict[str, pa.DataType], rows: Sequence[Sequence[Any]]) -> Rows:
    """Give a list that is at hand as an answer."""
    schema = pa.schema([pa.field(name, kind) for name, kind in columns.items()])
    arrays = [pa.array([row[index] for row in rows], kind) for index, kind in enumerate(columns.values())]

    def batches() -> Generator[pa.RecordBatch]:
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    return Rows(schema, batches())


def texts(names: Sequence[str], rows: Sequence[Sequence[str | None]]) -> Rows:
    """Give a list of texts as an answer."""
    return table(dict.fromkeys(names, pa.string()), rows)
