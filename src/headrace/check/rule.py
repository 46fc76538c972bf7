"""What a rule is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from headrace.errors import Code, Diagnostic, Severity, Span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from headrace.check.program import CheckedProgram


@dataclass(frozen=True, slots=True)
class Finding:
    """A place, what is remarkable about it, and the way out. The first place is the one that counts."""

    span: Span | None
    message: str
    help: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule.

    Args:
        code: its explanation says the reason and the way out.
        example: a program in which it finds something, and nothing else does.
        better: the same program, mended.
        find: gives what it finds.
        typed: it finds more where the types of topics are known.
        planned: it needs the topology, and so a log with the program's topics.
    """

    code: Code
    example: str
    better: str
    find: Callable[[CheckedProgram], Iterator[Finding]]
    typed: bool = False
    planned: bool = False

    def diagnostics(self, program: CheckedProgram) -> Iterator[Diagnostic]:
        """Give what it finds, as warnings."""
        for item in self.find(program):
            yield Diagnostic(self.code, item.message, item.span, item.help, severity=Severity.WARNING)
