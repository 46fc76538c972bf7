"""Connections to the file, transactions on them, and waiting for what others commit.

A log in a file has one connection for each consumer and producer, so that readers never wait: SQLite's WAL
gives each a snapshot. A log in memory has a single connection behind a lock, because SQLite cannot share
memory between connections without refusing readers while somebody writes.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock, RLock
from typing import TYPE_CHECKING, Final, NamedTuple

from headrace.errors.codes import log as codes
from headrace.log.embedded import layout
from headrace.log.embedded.changes import Changes
from headrace.log.embedded.faults import fault, faults, log_error

if TYPE_CHECKING:
    from collections.abc import Iterator

MEMORY: Final = ":memory:"

_FIRST_PAUSE: Final = 0.001
_LAST_PAUSE: Final = 0.01
"""Bounds of the pauses between two looks for commits of other processes: what they write is seen within 10
ms, for about a hundred cheap looks a second."""


class Version(NamedTuple):
    """Changes when anybody commits to the log."""

    own: int
    others: int


class Session:
    """One user of the database.

    Calls may come from several threads; each transaction belongs to one of them.
    """

    def __init__(
        self, database: Database, connection: sqlite3.Connection, lock: RLock, *, shared: bool
    ) -> None:
        self._database = database
        self._connection = connection
        self._lock = lock
        self._shared = shared
        self._closed = False

    @property
    def name(self) -> str:
        """The log, for messages."""
        return self._database.name

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Make a transaction that can write; all of it is kept when the block ends, nothing if it raises."""
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection
        self._database.changes.note()

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Make a transaction that reads one state of the log."""
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        with self._lock, faults(self.name):
            self._check_open()
            connection = self._connection
            connection.execute(begin)
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                # After some faults (a full disk) SQLite has rolled back already.
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise

    def version(self) -> Version:
        """Give the version of the log; read it before the data, so that no commit is missed by `wait`."""
        count = self._database.changes.count
        if self._shared:
            return Version(count, 0)
        with self._lock, faults(self.name):
            self._check_open()
            return Version(count, self._connection.execute("PRAGMA data_version").fetchone()[0])

    def wait(self, seen: Version, timeout: float) -> None:
        """Return when the log has another version than `seen`, or after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        pause = timeout if self._shared else _FIRST_PAUSE
        while (left := deadline - time.monotonic()) > 0:
            self._database.changes.wait(seen.own, min(left, pause))
            if self.version() != seen:
                return
            pause = min(pause * 2, timeout if self._shared else _LAST_PAUSE)

    def close(self) -> None:
        """Give the connection back; may be called twice."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._database.release(self, None if self._shared else self._connection)

    def _check_open(self) -> None:
        if self._closed:
            raise log_error(codes.CLOSED, f"`{self.name}` was used after it had been closed")


class Database:
    """A log's file, or its memory. Thread safe."""

    def __init__(self, path: str, lock_timeout: float) -> None:
        """Open the database and lay it out if it is new.

        Args:
            path: of the file, or `:memory:`.
            lock_timeout: seconds to wait for another writer.
        """
        self.name = f"sqlite:{path}"
        self.changes = Changes()
        self._path = path
        self._lock_timeout = lock_timeout
        self._lock = Lock()
        self._sessions: set[Session] = set()
        self._closed = False
        # In a file, the first connection stays open: the last one to leave would otherwise clear the WAL each
        # time.
        self._first = self._connect()
        self._first_lock = RLock()
        try:
            with faults(self.name):
                self._lay_out()
        except BaseException:
            self._first.close()
            raise

    def _lay_out(self) -> None:
        # Several processes may begin with the same new file. SQLite does not wait for the lock while it goes over to WAL, so
        # this does.
        deadline = time.monotonic() + self._lock_timeout
        while True:
            try:
                return _lay_out(self._first, self.name)
            except sqlite3.OperationalError as error:
                if "BUSY" not in error.sqlite_errorname or time.monotonic() >= deadline:
                    raise
                time.sleep(_LAST_PAUSE)

    @property
    def in_memory(self) -> bool:
        """Whether the log goes away with the process."""
        return self._path == MEMORY

    def session(self) -> Session:
        """Give a new user of the database."""
        with self._lock:
            if self._closed:
                raise log_error(codes.CLOSED, f"`{self.name}` was used after it had been closed")
            if self.in_memory:
                session = Session(self, self._first, self._first_lock, shared=True)
            else:
                session = Session(self, self._connect(), RLock(), shared=False)
            self._sessions.add(session)
            return session

    def release(self, session: Session, connection: sqlite3.Connection | None) -> None:
        """Forget a session and close its own connection."""
        with self._lock:
            self._sessions.discard(session)
        if connection is not None:
            connection.close()

    def close(self) -> None:
        """Close every session; may be called twice."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            sessions = list(self._sessions)
        for session in sessions:
            session.close()
        with self._first_lock:
            self._first.close()

    def _connect(self) -> sqlite3.Connection:
        if not self.in_memory and Path(self._path).is_dir():
            raise log_error(codes.CANNOT_OPEN, f"`{self.name}` is a folder", "name a file in it")
        try:
            connection = sqlite3.connect(
                self._path,
                timeout=self._lock_timeout,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=256,
            )
        except sqlite3.Error as error:
            raise fault(self.name, error) from error
        try:
            # NORMAL: a commit survives the end of the process at once, a power cut as of the last checkpoint;
            # the file is whole in any case (docs/adr/0002-embedded-log.md).
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA temp_store = MEMORY")
        except sqlite3.Error as error:
            connection.close()
            raise fault(self.name, error) from error
        return connection


def _lay_out(connection: sqlite3.Connection, name: str) -> None:
    """Check whose file it is, and make the tables if it is empty."""
    if _is_ours(connection, name):
        return
    connection.execute("PRAGMA page_size = 16384")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Two processes may begin at once; the second finds the tables made.
        if not _is_ours(connection, name):
            for statement in layout.TABLES:
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {layout.APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {layout.VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _is_ours(connection: sqlite3.Connection, name: str) -> bool:
    """Give False for an empty database; raise LogError for one that is not a log this version can use."""
    # One statement, so one moment: another process may be making the tables.
    application, version, tables = connection.execute(
        "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)"
        " FROM pragma_application_id, pragma_user_version"
    ).fetchone()
    if application != layout.APPLICATION_ID:
        if tables or application:
            raise log_error(
                codes.NOT_A_LOG,
                f"no log of Headrace in `{name}`",
                "name another file; this one was not touched",
            )
        return False
    if version > layout.VERSION:
        raise log_error(
            codes.NEWER_LAYOUT,
            f"`{name}` has layout {version}, this version of Headrace knows {layout.VERSION}",
            "upgrade Headrace, or name another file",
        )
    return True
