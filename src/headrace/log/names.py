"""What Kafka lets a topic be called; the embedded log lets the same."""

from __future__ import annotations

import re
from typing import Final

_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")

WAY_OUT: Final = "use letters, digits, `.`, `_` and `-`, at most 249"


def is_topic_name(name: str) -> bool:
    """Say whether a topic may have this name (Kafka: `org.apache.kafka.common.internals.Topic`)."""
    return bool(_NAME.fullmatch(name)) and name not in {".", ".."}
