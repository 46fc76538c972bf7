"""What an error code is."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, order=True)
class Code:
    """A kind of fault.

    Args:
        id: stable for ever, for example `SQL0312`.
        title: a few words, for the list of codes.
        explanation: what it means and how to mend it, a paragraph of Markdown for the reference page.
    """

    id: str
    title: str = field(compare=False)
    explanation: str = field(compare=False)

    def __str__(self) -> str:
        return self.id
