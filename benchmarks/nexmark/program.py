"""The text of a query over given topics, as `headrace run` takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.nexmark.topics import declarations
from headrace.formats.interface import Format

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.nexmark.queries import Query


def program(
    query: Query,
    topics: Mapping[str, str],
    target: str,
    format: Format = Format.JSON,
    guarantee: str = "exactly_once",
) -> str:
    """Give the text.

    Args:
        query: what it is to say.
        topics: by kind of event, and `side`.
        target: where results go.
        format: of the events; for Avro the registry says what they hold. Results are JSON.
        guarantee: `exactly_once` or `at_least_once`.
    """
    used = {kind: topic for kind, topic in topics.items() if f"{{{kind}}}" in query.ours}
    side = used.pop("side", None)
    text = f"SET autocreate=true;\nSET processing.guarantee='{guarantee}';\n"
    if format is Format.JSON:
        text += declarations(used)
    if side is not None:
        text += f"CREATE TABLE {side} (id LONG, label STRING) FORMAT (LONG, JSON);\n"
    ours = query.ours.format(target=target, **topics)
    if format is Format.AVRO:
        ours = ours.replace(f"INSERT INTO {target}", f"INSERT INTO {target} STORE VALUE AS JSON", 1)
    return text + ours.strip() + ";\n"
