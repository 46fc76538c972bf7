"""Where the state of tasks is kept on this machine: one folder a task, used by one owner at a time."""

from __future__ import annotations

import math
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from headrace import _native
from headrace.engine.state.followed import Followed
from headrace.errors import Diagnostic, RunError
from headrace.errors.codes.run import STATE_FAILED
from headrace.telemetry.events import StateDamaged

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from headrace.telemetry.metrics import Metrics

_ASKED: Final = 2.0
"""Seconds for which a task counts as waiting after it has asked for its folder."""

_PATIENCE: Final = 10.0
"""Seconds to wait for a folder that another process has not let go of yet, before another folder is used."""


_MOST_DAMAGES: Final = 3
_DAMAGES_WITHIN: Final = 24 * 3600.0
"""A folder that is damaged more often in so many seconds is not made anew once more: the disk is broken, or we are."""


@dataclass(frozen=True, slots=True)
class TaskFolder:
    """The open state of a task.

    Args:
        store: its stores.
        path: None in memory.
        followed: until when these stores were as their changelogs are.
    """

    store: _native.LocalStore
    path: Path | None
    followed: Followed


def home_of(root: Path, application: str, log: str) -> Path:
    """Give the folder of an application's state that goes with the changelogs of a log.

    Args:
        root: of all applications.
        application: the application id.
        log: identity of the log.
    """
    return root / quote(application, safe="") / quote(log, safe="")


def folder_of(home: Path, task: str, number: int = 0) -> Path:
    """Give the folder of a task; those with a number are used where another process is slow to let go of the first."""
    return home / (quote(task, safe="") + (f"~{number}" if number else ""))


class StateDirectory:
    """The folders of an application's tasks. Thread safe."""

    def __init__(
        self,
        root: Path | None,
        application: str,
        log: str,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Name the place; nothing is touched yet.

        Args:
            root: the state folder of all applications; None keeps state in memory.
            application: the application id.
            log: identity of the log: state goes with a changelog, whose positions mean nothing in another log.
            metrics: of the processor.
            clock: monotonic.
        """
        self._home = None if root is None else home_of(root, application, log)
        self._metrics = metrics
        self._clock = clock
        self._wanted: dict[str, float] = {}
        self._damages: dict[Path, list[float]] = {}

    def open(self, task: str, since: float) -> TaskFolder | None:
        """Give the state of a task; None if another process uses its folder: ask again later.

        A folder that cannot be read any more is emptied: the changelog has all of it.

        Args:
            task: name of the task.
            since: when the caller asked for the first time, by the clock.
        """
        if self._home is None:
            return TaskFolder(_native.LocalStore(None), None, Followed(None))
        number = 0
        while True:
            path = folder_of(self._home, task, number)
            try:
                opened = self._opened(path)
            except _native.LockedStateError:
                self._wanted[task] = self._clock()
                if self._clock() - since < _PATIENCE:
                    return None
                number += 1
            else:
                self._wanted.pop(task, None)
                return opened

    def borrow(self, task: str) -> TaskFolder | None:
        """Give the state of a task to bring it up to date; None if it is in use, or wanted, or kept in memory.

        Whoever borrows it closes it at once when it is `wanted`.
        """
        if self._home is None or self.wanted(task):
            return None
        path = folder_of(self._home, task)
        try:
            return self._opened(path)
        except _native.LockedStateError:
            return None

    def wanted(self, task: str) -> bool:
        """Say whether a task waits for its state to be let go of."""
        # Tasks ask many times a second; one that was taken away again asks no more.
        return self._clock() - self._wanted.get(task, -math.inf) < _ASKED

    def discard(self, folder: TaskFolder) -> None:
        """Close and empty a folder whose files turned out to be damaged.

        Raises:
            RunError: that has happened too often.
        """
        folder.store.close()
        if folder.path is not None:
            self._empty(folder.path)

    def _opened(self, path: Path) -> TaskFolder:
        store = self._open(path)
        return TaskFolder(store, path, Followed(path))

    def _open(self, path: Path) -> _native.LocalStore:
        try:
            path.mkdir(parents=True, exist_ok=True)
            return _native.LocalStore(path)
        except _native.DamagedStateError:
            self._empty(path)
            return _native.LocalStore(path)
        except _native.LockedStateError:
            raise
        except (OSError, RuntimeError) as error:
            raise state_failed(error) from error

    def _empty(self, path: Path) -> None:
        """Let a damaged folder be made anew."""
        StateDamaged(path.name).emit(self._metrics)
        now = self._clock()
        recent = [at for at in self._damages.get(path, ()) if now - at < _DAMAGES_WITHIN]
        self._damages[path] = [*recent, now]
        if len(recent) >= _MOST_DAMAGES:
            raise state_failed(
                RuntimeError(f"`{path.name}` was damaged {len(recent) + 1} times within a day")
            )
        _wipe(path)


def _wipe(path: Path) -> None:
    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise state_failed(error) from error


def forget(home: Path, stores: Mapping[str, str]) -> None:
    """Empty the local copies of stores whose changelogs are about to be deleted.

    Otherwise a task that nothing comes in for, or a process that is killed, would leave copies that look as if somebody else had
    deleted the changelog.

    Args:
        home: of the application's state.
        stores: names, and the fingerprints under which they begin anew.
    """
    for path in sorted(home.iterdir()) if home.is_dir() else ():
        if not path.is_dir():
            continue
        try:
            local = _native.LocalStore(path)
            try:
                for name, fingerprint in stores.items():
                    if local.fingerprint(name) is not None:
                        local.begin(name, fingerprint)
            finally:
                local.close()
        except (_native.LockedStateError, _native.DamagedStateError):
            # In use by a process that will say so itself, or made anew when it is opened.
            continue
        except (OSError, RuntimeError) as error:
            raise state_failed(error) from error


def state_failed(error: Exception) -> RunError:
    """Say that the disk does not do its part."""
    reason = (error.strerror or type(error).__name__) if isinstance(error, OSError) else str(error)
    message = f"local state cannot be used: {reason}"
    return RunError((Diagnostic(STATE_FAILED, message, help="name a folder that works with --state-dir"),))
