"""A topology for people: text, and graphs as Mermaid and DOT; JSON for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from headrace.plan.explain.graph import dot, mermaid
from headrace.plan.explain.text import text
from headrace.plan.serde import to_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from headrace.plan.topology import Topology

_FORMS: Final[dict[str, Callable[[Topology], str]]] = {
    "text": text,
    "json": to_json,
    "mermaid": mermaid,
    "dot": dot,
}

EXPLAIN_FORMATS: Final = tuple(_FORMS)
"""Names of the forms."""


def explain(topology: Topology, form: str = "text") -> str:
    """Show a topology in one of `EXPLAIN_FORMATS`, without a line end behind the last line."""
    return _FORMS[form](topology).rstrip("\n")


__all__ = ["EXPLAIN_FORMATS", "explain"]
