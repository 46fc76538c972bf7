"""Arguments that are read when the plan is made: they must be literals."""

from __future__ import annotations

from sqlglot import exp

from headrace.errors import Diagnostic, ProgramError, Span
from headrace.errors.codes import function as codes
from headrace.sql.spans import span_of


def literal_text(node: exp.Expression, what: str, call: Span | None) -> str:
    """Give the text of a string literal.

    Args:
        node: the argument.
        what: what it is, for the message: `the pattern of FORMAT_DATE`.
        call: place of the call, used if the argument has none.

    Raises:
        ProgramError: the argument is something else.
    """
    if isinstance(node, exp.Literal) and node.is_string:
        return str(node.this)
    message = f"{what} must be a text in quotes"
    raise ProgramError(
        (
            Diagnostic(
                codes.LITERAL_NEEDED,
                message,
                span_of(node) or call,
                help="it is translated once, when the plan is made, so it cannot come from a column",
            ),
        )
    )


def inside(node: exp.Expression, text: str, start: int, end: int, call: Span | None) -> Span | None:
    """Give the place of a part of a literal, as exactly as its quoting lets us."""
    span = span_of(node)
    if span is None:
        return call
    if span.end - span.start == len(text) + 2:
        return Span(span.start + 1 + start, span.start + 1 + max(end, start + 1))
    return span
