"""The reference page of functions, from their declarations."""

from __future__ import annotations

from typing import Final

from headrace.functions.aggregate import aggregate_named
from headrace.functions.declaration import Function, Kind, Nulls, Volatility
from headrace.functions.registry import FAMILIES

_TITLES: Final = {
    "general": "Any type",
    "string": "Text",
    "number": "Numbers",
    "date": "Dates and times",
    "json": "JSON",
    "array": "Arrays",
    "map": "Maps",
    "url": "URLs",
    "geo": "Places on the Earth",
    "header": "Headers",
    "obfuscation": "Hiding personal data",
    "hash": "Digests",
    "aggregate": "Aggregates",
}


def functions_reference() -> str:
    """Give the page as Markdown."""
    parts = [
        "# Functions",
        "Names count in any case. Beyond these, the scalar functions of DuckDB can be called under their own names. A function "
        "that fails for a record hands the record to `error.policy`; its neighbours go on.",
    ]
    for family in FAMILIES:
        functions: tuple[Function, ...] = tuple(sorted(family.FUNCTIONS, key=lambda item: item.name))
        parts.append(f"## {_TITLES[functions[0].family]}")
        if functions[0].kind is Kind.AGGREGATE:
            parts.append(_AGGREGATES)
        if functions[0].family == "date":
            parts.append(_PATTERNS)
        parts += [_section(function) for function in functions]
    return "\n\n".join(parts) + "\n"


_AGGREGATES: Final = (
    "They give one value for each group of GROUP BY, or for all rows without it. Nulls are left out. `FILTER (WHERE …)` "
    "behind a call takes the rows that meet a condition, `DISTINCT` before the argument each value once. In the examples `x` "
    "is 2, 1, 2 and null, in this order of arrival."
)

_PATTERNS: Final = (
    "Patterns are those of Java's `DateTimeFormatter` and are literals: `yyyy` year, `MM` month, `MMM` and `MMMM` its name, `dd` "
    "day, `EEE` and `EEEE` day of the week, `HH` hour, `hh` with `a` of twelve, `mm` minute, `ss` second, `SSS` and `SSSSSS` a "
    "fraction, `XXX` zone, text in single quotes (two in SQL), and `[…]` for an optional part when reading. Names are English; "
    "times are UTC."
)


def _section(function: Function) -> str:
    lines = [f"### {function.name}"]
    lines.append("```text\n" + "\n".join(function.usage()) + "\n```")
    lines.append(function.description)
    facts = []
    aggregate = aggregate_named(function.name) if function.kind is Kind.AGGREGATE else None
    if aggregate is not None and not aggregate.over_tables:
        facts.append("over streams alone: it cannot take back a row that a table has lost")
    if function.aliases:
        facts.append("also called " + ", ".join(f"`{alias}`" for alias in function.aliases))
    if (
        function.kind is not Kind.AGGREGATE
        and function.nulls is not Nulls.HANDLED
        and function.signatures[0].parameters
    ):
        facts.append(f"{function.nulls.value}")
    if function.volatility is not Volatility.IMMUTABLE:
        facts.append(function.volatility.value)
    if facts:
        lines.append("\n".join(f"- {fact}" for fact in facts))
    if function.examples:
        shown = "\n".join(f"{example.call}  -- {example.result}" for example in function.examples)
        lines.append(f"```sql\n{shown}\n```")
    return "\n\n".join(lines)
