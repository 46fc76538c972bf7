"""What SQLite reports, as an error of the log with a way out."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from headrace.errors import Code, Diagnostic
from headrace.errors.codes import log as codes
from headrace.log.errors import FencedError, LogError

if TYPE_CHECKING:
    from collections.abc import Iterator

_BY_NAME: dict[str, tuple[Code, str, str | None]] = {
    "SQLITE_FULL": (codes.DISK_FULL, "no space left for", "free disk space and run again"),
    "SQLITE_BUSY": (
        codes.LOCKED,
        "another process keeps the lock on",
        "find who writes to it, or raise `lock.timeout.ms`",
    ),
    "SQLITE_LOCKED": (codes.LOCKED, "another user keeps the lock on", None),
    "SQLITE_READONLY": (codes.READ_ONLY, "cannot write to", "make the file and its folder writable"),
    "SQLITE_PERM": (codes.READ_ONLY, "cannot write to", "make the file and its folder writable"),
    "SQLITE_CORRUPT": (
        codes.CORRUPT,
        "found damage in",
        "restore it from a copy, or try `sqlite3 FILE .recover`",
    ),
    "SQLITE_NOTADB": (
        codes.NOT_A_LOG,
        "no log of Headrace in",
        "name another file; this one was not touched",
    ),
    "SQLITE_CANTOPEN": (
        codes.CANNOT_OPEN,
        "cannot open",
        "check the path, and that its folder exists and is writable",
    ),
}


def fault(name: str, error: sqlite3.Error) -> LogError:
    """Give the error of the log for an error of SQLite on the log of this name."""
    # Extended codes (SQLITE_IOERR_WRITE, SQLITE_READONLY_DBMOVED …) begin with the name of their family.
    symbol: str = getattr(error, "sqlite_errorname", "") or ""
    family = "_".join(symbol.split("_")[:2])
    if family in _BY_NAME:
        code, what, way_out = _BY_NAME[family]
        return LogError((Diagnostic(code, f"{what} `{name}`", help=way_out),))
    if isinstance(error, sqlite3.ProgrammingError):
        return LogError((Diagnostic(codes.CLOSED, f"`{name}` was used after it had been closed"),))
    notes = (f"SQLite says: {error}",)
    return LogError((Diagnostic(codes.STORAGE_FAILED, f"cannot read or write `{name}`", notes=notes),))


@contextmanager
def faults(name: str) -> Iterator[None]:
    """Turn errors of SQLite into errors of the log."""
    try:
        yield
    except sqlite3.Error as error:
        raise fault(name, error) from error


def log_error(code: Code, message: str, way_out: str | None = None) -> LogError:
    """Give an error of the log with one diagnostic."""
    return LogError((Diagnostic(code, message, help=way_out),))


def fenced(code: Code, message: str, way_out: str | None = None) -> FencedError:
    """Give the error of a member or producer that somebody else has replaced."""
    return FencedError((Diagnostic(code, message, help=way_out),))
