"""The one model of everything that can go wrong where a user can see it.

Every stage reports a `Diagnostic`; exceptions carry one or more. The command line draws them, a server returns them as
data, an editor underlines the span: all from the same object.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headrace.errors.codes import Code


class Severity(StrEnum):
    """How bad a diagnostic is."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A place in a text: character offsets, `end` exclusive."""

    start: int
    end: int

    def cover(self, other: Span | None) -> Span:
        """Give the smallest span that holds this one and the other."""
        if other is None:
            return self
        return Span(min(self.start, other.start), max(self.end, other.end))


@dataclass(frozen=True, slots=True)
class Source:
    """A text with the name under which the user knows it: a file, `SQL`, `<stdin>`, `-e`."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Label:
    """A further place that a diagnostic points at, with a few words about it."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One fault, where it is and the way out.

    Args:
        code: what kind of fault; each kind has a page in the reference.
        message: what is wrong; lower case, names in back-ticks, no final period. Never holds values of records or secrets.
        span: the place in the SQL, if there is one.
        help: what to do, shown beside the caret.
        notes: further facts, a line each.
        severity: an error stops the work, a warning does not.
        labels: other places that belong to the fault: the first of two definitions, say.
    """

    code: Code
    message: str
    span: Span | None = None
    help: str | None = None
    notes: tuple[str, ...] = ()
    severity: Severity = Severity.ERROR
    labels: tuple[Label, ...] = ()


@dataclass
class HeadraceError(Exception):
    """The base of every error that Headrace raises on purpose."""

    diagnostics: tuple[Diagnostic, ...]
    source: Source | None = field(default=None)

    def __str__(self) -> str:
        return "; ".join(f"{item.code}: {item.message}" for item in self.diagnostics)


class ProgramError(HeadraceError):
    """The SQL, or the call, is wrong; nothing was touched. The command line exits with 2."""


class RunError(HeadraceError):
    """Something failed while running. The command line exits with 1."""
