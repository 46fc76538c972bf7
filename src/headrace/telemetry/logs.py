"""Sets logging up for the command line: plain lines, or one JSON object a line."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import IO

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


class PlainFormatter(logging.Formatter):
    """`2026-01-31T12:00:00.123Z INFO message`."""

    def format(self, record: logging.LogRecord) -> str:
        """Give one line (and the traceback, if there is one)."""
        line = f"{_time(record)} {record.levelname} {record.getMessage()}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message; event and its facts if it is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Give one line."""
        line: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if event := getattr(record, "event", None):
            line["event"] = event
            line.update(getattr(record, "facts", {}))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def set_up_logging(level: str = "INFO", *, as_json: bool = False, stream: IO[str] | None = None) -> None:
    """Send the log lines of Headrace to `stream` (standard error by default).

    Args:
        level: one of `LEVELS`, in any case; an unknown word means INFO.
        as_json: one JSON object a line in place of plain text.
        stream: where to write.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if as_json else PlainFormatter())
    logger = logging.getLogger("headrace")
    for old in list(logger.handlers):
        logger.removeHandler(old)
    logger.addHandler(handler)
    logger.propagate = False
    logger.setLevel(level.upper() if level.upper() in LEVELS else "INFO")


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, tz=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
