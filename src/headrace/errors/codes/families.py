"""The families of codes."""

from __future__ import annotations

from headrace.errors.codes import catalog, cli, format, log, plan, run, sql

FAMILIES = (sql, plan, catalog, format, log, run, cli)
