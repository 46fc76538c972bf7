"""Where local state is kept if nobody says."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def state_folder(flag: str | None, variable: str | None, log: str) -> Path | None:
    """Give the folder of local state; None keeps it in memory, for a log that is in memory itself.

    Args:
        flag: of the command line, which goes first.
        variable: of the environment.
        log: name of the log.
    """
    if flag or variable:
        return Path(flag or variable or "").expanduser()
    if log == "sqlite::memory:":
        return None
    return _user_data() / "headrace" / "state"


def _user_data() -> Path:
    """Give the folder for data of programs of this user, as the system has it."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
