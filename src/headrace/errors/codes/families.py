"""The families of codes."""

from __future__ import annotations

from headrace.errors.codes import catalog, cli, format, function, log, plan, run, sql

FAMILIES = (sql, plan, function, catalog, format, log, run, cli)
