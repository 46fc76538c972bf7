"""How the planner reports: a refusal ends one expression or clause, the collector keeps them all for the user."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from headrace.errors import Diagnostic, ProgramError, Severity, Source, Span

if TYPE_CHECKING:
    from collections.abc import Iterable

    from headrace.errors import Code


def refusal(
    code: Code, message: str, span: Span | None, help: str | None = None, notes: tuple[str, ...] = ()
) -> ProgramError:
    """Make the exception for one fault."""
    return ProgramError((Diagnostic(code, message, span, help, notes),))


def placed(fault: ProgramError, span: Span | None) -> ProgramError:
    """Give a place to those of an exception's diagnostics that have none."""
    found = (item if item.span is not None else replace(item, span=span) for item in fault.diagnostics)
    return ProgramError(tuple(found), fault.source)


class Faults:
    """Collects diagnostics, so that a user sees all that is wrong at once; the same fault is kept once."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._found: dict[tuple[str, str, Span | None], Diagnostic] = {}

    def add(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Keep these."""
        for item in diagnostics:
            self._found.setdefault((item.code.id, item.message, item.span), item)

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """What is worth knowing and stops nothing."""
        return tuple(item for item in self._found.values() if item.severity is Severity.WARNING)

    def raise_if_any(self) -> None:
        """Raise ProgramError with all that was found, in the order of the text, if an error is among it."""
        if any(item.severity is Severity.ERROR for item in self._found.values()):
            # A warning may be the cause: a misspelt setting is one.
            found = sorted(
                self._found.values(), key=lambda item: (item.span is None, item.span or Span(0, 0))
            )
            raise ProgramError(tuple(found), self._source)
