"""The families of codes."""

from __future__ import annotations

from headrace.errors.codes import catalog, cli, format, function, lint, log, plan, run, setting, sql

FAMILIES = (sql, plan, function, catalog, format, log, run, setting, cli, lint)
