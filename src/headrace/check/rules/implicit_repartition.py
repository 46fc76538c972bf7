"""Rows that go through a topic of their own, to meet by another key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace.check.rule import Finding, Rule
from headrace.errors.codes.lint import IMPLICIT_REPARTITION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.check.program import CheckedProgram


def _find(checked: CheckedProgram) -> Iterator[Finding]:
    topology = checked.topology
    if topology is None:
        return
    for name, sink in topology.sinks.items():
        if not sink.internal:
            continue
        # Operators and their topics have names that begin with the target they were made for.
        short = name.rpartition("}-")[2]
        targets = [item for item in checked.inserts if short.startswith(f"{item.target}-")]
        target = max(targets, key=lambda item: len(item.target), default=None)
        sources = sorted({pipeline.source for pipeline in topology.pipelines if pipeline.sink == name})
        rows = ", ".join(f"`{source}`" for source in sources)
        yield Finding(
            None if target is None else target.target_span,
            f"the rows of {rows} are written again by another key, to the internal topic `{short}`",
            "read a topic that has this key, or silence this",
        )


RULE = Rule(
    IMPLICIT_REPARTITION,
    "CREATE TABLE orders(_key string, country string, amount double) FORMAT(STRING, JSON);\n"
    "SET autocreate = true;\n"
    "INSERT INTO by_country\nSELECT STREAM country, SUM(amount) AS total\nFROM orders\nWINDOW BY TUMBLE 1h\nGROUP BY country;",
    "CREATE TABLE orders(_key string, country string, amount double) FORMAT(STRING, JSON);\n"
    "SET autocreate = true;\n"
    "INSERT INTO by_key\nSELECT STREAM _key AS id, SUM(amount) AS total\nFROM orders\nWINDOW BY TUMBLE 1h\nGROUP BY _key;",
    _find,
    planned=True,
)
