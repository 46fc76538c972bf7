"""Refuse the clauses that a stream cannot run: they need an end of the rows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlglot import exp

from headrace.errors import Diagnostic, Span
from headrace.errors.codes import plan as codes
from headrace.planner.stateful.frames import aggregates_over
from headrace.planner.stateful.rank import row_number
from headrace.sql.nodes import Duration
from headrace.sql.spans import nearest_span, span_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.errors import Source

_CLAUSES = {
    "qualify": "QUALIFY",
    "limit": "LIMIT",
    "offset": "OFFSET",
    "windows": "WINDOW",
    "sample": "USING SAMPLE",
}

_CLAUSES_OF_ALL = {**_CLAUSES, "order": "ORDER BY behind UNION ALL"}

_EMIT = re.compile(r"\bEMIT\s+(CHANGES|FINAL)\b", re.IGNORECASE)

_FIRST_ROWS = (
    "`QUALIFY ROW_NUMBER() OVER (ORDER BY …) <= 10` keeps the first rows of an order; "
    "`headrace query` sorts what is there now"
)
_IN_BRACKETS = "put the UNION ALL in brackets: `SELECT STREAM * FROM (… UNION ALL …) ORDER BY …`"
_WAYS_OUT = {
    "limit": _FIRST_ROWS,
    "offset": "`headrace query` runs it over what is there now",
    "qualify": "in a stream QUALIFY bounds a ROW_NUMBER() OVER (…), for example by `<= 10`, or asks for aggregates OVER rows",
    "windows": "write what stands behind its name into OVER",
}


def refuse_stateful(select: exp.Select) -> Iterator[Diagnostic]:
    """Give a diagnostic for each clause of a SELECT that cannot run in a stream, at the clause."""
    for lateral in select.args.get("laterals") or ():
        if isinstance(lateral, exp.Lateral):
            yield _not_yet("LATERAL (SELECT …)", lateral)
    for key, name in _CLAUSES.items():
        part = select.args.get(key)
        if part and not (key == "qualify" and (row_number(select) or aggregates_over(select))):
            yield _not_yet(name, part[0] if isinstance(part, list) else part, _WAYS_OUT.get(key))


def refuse_set_operation(node: exp.SetOperation) -> Iterator[Diagnostic]:
    """Give a diagnostic for a set operation that needs state, and for the clauses of the whole."""
    if not isinstance(node, exp.Union):
        yield _not_yet(type(node).__name__.upper(), node)
    elif node.args.get("distinct"):
        message = "UNION without ALL removes duplicates"
        way_out = "write UNION ALL, and SELECT DISTINCT over it if duplicates are to go"
        yield Diagnostic(codes.NOT_YET, message, span_of(node), way_out)
    for key in ("order", "limit", "offset"):
        part = node.args.get(key)
        if part is not None:
            yield _not_yet(_CLAUSES_OF_ALL[key], part, _WAYS_OUT.get(key, _IN_BRACKETS))


def emit_span(select: exp.Select, source: Source) -> Span | None:
    """Give the place of EMIT, which the tree keeps as a word alone; None if the SELECT has none."""
    if not select.args.get("emit"):
        return None
    around = span_of(select)
    if around is None:
        return None
    found = list(_EMIT.finditer(source.text, around.start, around.end))
    return Span(found[-1].start(), found[-1].end()) if found else around


def _not_yet(what: str, node: exp.Expression, way_out: str | None = None) -> Diagnostic:
    message = f"{what} cannot run in a stream"
    span = nearest_span(node)
    if isinstance(node, Duration):
        span = span_of(node) or span
    return Diagnostic(codes.NOT_YET, message, span, way_out)
