"""Values that must never be printed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

MASK: Final = "***"

_SECRET: Final = re.compile(
    r"password|secret|\bkey\.pem\b|credential|token|jaas|userinfo|user\.info|private", re.IGNORECASE
)
_USERINFO: Final = re.compile(r"(?<=://)[^/@\s]+(?=@)")


def is_secret(name: str) -> bool:
    """Say whether a property of this name holds a secret."""
    return _SECRET.search(name) is not None


def masked(properties: Mapping[str, str]) -> dict[str, str]:
    """Give the properties for printing, secrets masked."""
    return {name: MASK if is_secret(name) else masked_url(value) for name, value in properties.items()}


def masked_url(url: str) -> str:
    """Give a URL for printing, user and password masked."""
    return _USERINFO.sub(MASK, url)
