"""Every test here runs on both logs, as those of `tests.engine`."""

from __future__ import annotations

from tests.engine.conftest import log, url

__all__ = ["log", "url"]
