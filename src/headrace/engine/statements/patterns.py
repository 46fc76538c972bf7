"""LIKE over names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def like(names: Iterable[str], pattern: str | None) -> list[str]:
    """Give the names that match, sorted; case does not count, `%` is any text and `_` any character; None matches all."""
    if pattern is None:
        return sorted(names)
    parts = {"%": ".*", "_": "."}
    expression = re.compile("".join(parts.get(char) or re.escape(char) for char in pattern), re.IGNORECASE)
    return [name for name in sorted(names) if expression.fullmatch(name)]
