"""Times on the command line."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from headrace.cli.failures import bad_call

_DURATION: Final = re.compile(r"-(\d+)(ms|s|m|h|d|w)")
_MILLIS: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_EPOCH: Final = re.compile(r"0|\d{10,}")
_FEW_DIGITS: Final = re.compile(r"\d+", re.ASCII)

TIME: Final = "TIME"
"""The metavariable of options that take one."""

HELP: Final = (
    "TIME is `2026-11-22T10:00:00Z` (without a zone: UTC), milliseconds since the epoch, or `-2h` before now."
)


def parse_time(text: str, now: datetime) -> int:
    """Give the milliseconds since the epoch that a text stands for.

    Raises:
        ProgramError: it stands for no time.
    """
    before = _DURATION.fullmatch(text.strip())
    if before is not None:
        return int(now.timestamp() * 1000) - int(before[1]) * _MILLIS[before[2]]
    if _EPOCH.fullmatch(text.strip()):
        return int(text)
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        message = f"`{text}` is no time"
        raise bad_call(message, help=_few_digits(text.strip()) or HELP) from None
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    return round(found.timestamp() * 1000)


def _few_digits(text: str) -> str | None:
    """Say how to write milliseconds of so few digits that they could be meant as a year or a date."""
    if not _FEW_DIGITS.fullmatch(text):
        return None
    moment = datetime.fromtimestamp(int(text) / 1000, UTC).isoformat(timespec="milliseconds")
    return f"milliseconds since the epoch have ten digits or more; if these are some, write `{moment.replace('+00:00', 'Z')}`"
