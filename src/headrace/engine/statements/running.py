"""Which queries run on this machine, and how one is stopped from another process.

They are noted in an SQLite file of the user, which all commands of this user share: Kafka knows of consumers, not of queries.
A query looks now and then whether somebody wants it to end.
"""

from __future__ import annotations

import getpass
import os
import sqlite3
import time
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_KEPT: Final = 1000
"""Queries that are remembered after their end."""

_EVERY: Final = 0.5
"""Seconds between two looks at whether a query is to end."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS queries (
    id INTEGER PRIMARY KEY AUTOINCREMENT, process INTEGER NOT NULL, log TEXT NOT NULL, user TEXT NOT NULL, sql TEXT NOT NULL,
    started INTEGER NOT NULL, finished INTEGER, status TEXT NOT NULL, killed INTEGER NOT NULL DEFAULT 0
)
"""


@dataclass(frozen=True, slots=True)
class Noted:
    """A query that runs or ran. Times in epoch ms; `status` is Running, Completed, Killed, Failed or Lost."""

    id: int
    status: str
    started: int
    finished: int | None
    user: str
    sql: str


class RunningQueries:
    """The queries of this user on one log. Each call opens the file anew, so any thread may call."""

    def __init__(self, file: Path, log: str) -> None:
        self._file = file
        self._log = log

    @contextmanager
    def noted(self, sql: str) -> Iterator[Callable[[], bool]]:
        """Note a query as long as the context is open; gives what tells whether it is to end."""
        with self._opened() as database:
            cursor = database.execute(
                "INSERT INTO queries (process, log, user, sql, started, status) VALUES (?, ?, ?, ?, ?, 'Running')",
                (os.getpid(), self._log, _user(), sql, _now()),
            )
            number = cursor.lastrowid
            database.execute(
                "DELETE FROM queries WHERE id <= ? AND status <> 'Running'", ((number or 0) - _KEPT,)
            )
        status = "Failed"
        try:
            yield self._watch(number or 0)
            status = "Completed"
        except GeneratorExit:
            status = "Completed"
            raise
        finally:
            with self._opened() as database:
                database.execute(
                    "UPDATE queries SET finished = ?, status = CASE WHEN killed THEN 'Killed' ELSE ? END WHERE id = ?",
                    (_now(), status, number),
                )

    def listed(self, *, all: bool) -> list[Noted]:
        """Give the queries that run, or all that are remembered, the oldest first."""
        if not self._file.exists():
            return []
        with self._opened() as database:
            for number, process in database.execute(
                "SELECT id, process FROM queries WHERE status = 'Running'"
            ).fetchall():
                if not _lives(process):
                    database.execute(
                        "UPDATE queries SET status = 'Lost', finished = ? WHERE id = ?", (_now(), number)
                    )
            rows = database.execute(
                "SELECT id, status, started, finished, user, sql FROM queries WHERE log = ? AND (? OR status = 'Running') "
                "ORDER BY id",
                (self._log, all),
            ).fetchall()
        return [Noted(*row) for row in rows]

    def kill(self, number: int) -> bool:
        """Ask a query to end; False if none of that number runs."""
        if all(item.id != number for item in self.listed(all=False)):
            return False
        with self._opened() as database:
            database.execute("UPDATE queries SET killed = 1 WHERE id = ?", (number,))
        return True

    def _watch(self, number: int) -> Callable[[], bool]:
        looked = time.monotonic()
        killed = False

        def ended() -> bool:
            nonlocal looked, killed
            if not killed and time.monotonic() - looked >= _EVERY:
                looked = time.monotonic()
                # A file that cannot be read is no reason to end what runs.
                with suppress(sqlite3.Error), self._opened() as database:
                    row = database.execute("SELECT killed FROM queries WHERE id = ?", (number,)).fetchone()
                    killed = row is not None and bool(row[0])
            return killed

        return ended

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        new = not self._file.exists()
        with closing(sqlite3.connect(self._file, timeout=10.0)) as database:
            if new:
                # The text of a query may hold what others are not to see.
                self._file.chmod(0o600)
            database.execute(_SCHEMA)
            with database:
                yield database


def _now() -> int:
    return time.time_ns() // 1_000_000


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
