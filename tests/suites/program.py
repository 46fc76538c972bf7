"""What a program of a suite is: where its rows are, what it says in our SQL, how its results are compared."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Refused:
    """A program that our SQL cannot say, or that is about something else than SQL."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Program:
    """A program that our SQL can say.

    Args:
        name: as the suite names it.
        sql: in our SQL. It writes the topic `result`, whose value has the columns of the expected rows, in their order.
        table: results are the latest row of each key; otherwise each record is a result.
        keys: of each topic that has a meaningful key, the column that holds it; the records of others are numbered.
        flush: a row of the far future ends each input, as the suite's own engine closes all windows at the end.
        end_only: compare what there is at the end alone: the suite shows nothing of windows that are still open.
        clock: it goes by the clock of the machine: the rows of each side of the restart come at one moment, and then time passes.
        updates: each update counts, not only the latest.
        times: columns of the result that hold times, milliseconds since 1970.
    """

    name: str
    sql: str
    table: bool = False
    keys: Mapping[str, str] = field(default_factory=dict)
    flush: bool = False
    end_only: bool = False
    clock: bool = False
    updates: bool = False
    times: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a program: `pass`, `wrong` or `refused`, and why."""

    name: str
    outcome: str
    reason: str = ""
