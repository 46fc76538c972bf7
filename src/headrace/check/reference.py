"""The page of the reference about the rules."""

from __future__ import annotations

from typing import Final

from headrace.check.rules import RULES

_SILENCED: Final = """```sql
SELECT STREAM machine, COUNT(*) AS n
FROM alarms
GROUP BY machine -- headrace: ignore=LINT0104 forty machines
```"""


def checks_reference() -> str:
    """Give the page: each rule with its reason, an example and the way out."""
    parts = [
        "# Checks",
        "What `headrace check` finds in a program that can run. Each finding has a code; a comment silences it:",
        _SILENCED,
        "The comment stands on the line of the finding, on a line of its own above it, or above the first statement, where "
        "it holds for the whole text. Several codes have commas between them.",
    ]
    for rule in RULES:
        parts += [f"## {rule.code.id}: {rule.code.title}", rule.code.explanation]
        if rule.typed:
            parts.append(
                "Without a log, the types are those of `CREATE TABLE`; with `--log`, those of all topics."
            )
        if rule.planned:
            parts.append("Found where the topics are known: with `--log`.")
        parts += [
            f"Found:\n\n```sql\n{rule.example.strip()}\n```",
            f"Better:\n\n```sql\n{rule.better.strip()}\n```",
        ]
    return "\n\n".join(parts)
