"""The reference page of functions, from their declarations."""

from __future__ import annotations

from typing import Final

from headrace.functions import form
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
    "form": "Forms of queries",
}


def functions_pages() -> dict[str, str]:
    """Give the pages as Markdown, by file name: one for each family, and one that lists them all."""
    listed = [
        "# Functions",
        "Names count in any case. A function that fails for a record hands the record to `error.policy`; its neighbours go on. "
        "Beyond these, the scalar functions of DuckDB can be called under their own names (`SHOW FUNCTIONS LIKE 'list%'`, "
        "`DESCRIBE FUNCTION list_transform`), and [functions of your own](../guides/user-functions.md) in Python.",
    ]
    pages = {}
    for family in (*FAMILIES, form):
        functions: tuple[Function, ...] = tuple(sorted(family.FUNCTIONS, key=lambda item: item.name))
        name, title = f"functions-{family.FAMILY}.md", _TITLES[family.FAMILY]
        links = ", ".join(f"[{item.name}]({name}#{_anchor(item.name)})" for item in functions)
        listed.append(f"## [{title}]({name})\n\n{links}")
        pages[name] = "\n\n".join([f"# {title}", *_introduction(functions[0]), *map(_section, functions)])
    return {"functions.md": "\n\n".join(listed), **pages}


def _introduction(first: Function) -> tuple[str, ...]:
    if first.kind is Kind.AGGREGATE:
        return (_AGGREGATES,)
    if first.kind is Kind.FORM:
        return (_FORMS,)
    return {"date": (_PATTERNS,), "json": (_PATHS,)}.get(first.family, ())


def _anchor(name: str) -> str:
    return name.lower()


_AGGREGATES: Final = (
    "They give one value for each group of GROUP BY, or for all rows without it. Nulls are left out. `FILTER (WHERE …)` "
    "behind a call takes the rows that meet a condition, `DISTINCT` before the argument each value once. In the examples `x` "
    "is 2, 1, 2 and null, in this order of arrival."
)

_FORMS: Final = (
    "They are written like calls, and stand in one place of a query only. In the examples `x` of the topic `xs` is 2, 1, 2 and "
    "null, in this order of arrival; the comment shows the column of the result. The other aggregates take OVER too, in snapshot "
    "queries."
)

_PATHS: Final = (
    "Paths follow JsonPath and are literals: `$` the whole, `.name` and `['name']` a field, `[0]` and `[-1]` an element, `[*]` "
    "and `.*` all of them, `..name` the field at any depth, `[0:2]`, `[-3:]` and `[::2]` a slice, and `[?(…)]` the elements of "
    "an array that meet a condition. A condition compares fields of the element, `@.name`, `@.deep.name[0]` or `@` itself, with "
    "numbers, texts, `true`, `false` and `null` by `==`, `!=`, `<`, `<=`, `>` and `>=`, or asks by `@.name` whether it is there; "
    "`&&`, `||`, `!` and brackets join conditions. A value of another type than the constant is unequal to it and in no order "
    "with it."
)

_PATTERNS: Final = (
    "Patterns are those of Java's `DateTimeFormatter` in its locale `en` and are literals: `yyyy` year, `MM` month, `MMM` and "
    "`MMMM` its name, `dd` day, `EEE` and `EEEE` day of the week, `HH` hour, `hh` with `a` of twelve, `mm` minute, `ss` "
    "second, `S` to `SSSSSSSSS` a fraction, `XXX` zone, text in single quotes (two in SQL), and `[…]` for an optional part when "
    "reading. Times are UTC.\n\n"
    "All letters of Java can be written. Weeks (`w`, `W`, `e`, `Y`) begin on Sunday; `F` is the week of the month counted from "
    "its first day, as since Java 19. Years are those from 1 to 9999. Reading knows the letters for years (of our era alone), "
    "months, days, names of days, hours, minutes, seconds, fractions, milliseconds of the day (`A`, without other letters of "
    "the time), offsets (`X`, `x`, `Z`, `O`) and zones (`VV`, `z`): `G y u M L d D E e c a A H k h K m s S Z X x O V z`. `z` and "
    "`zzzz` read regions (`Europe/Paris`), offsets, UTC and GMT, and by their short or long names the Eastern, Central, "
    "Mountain and Pacific Time, the Central European Time and that of Japan: whichever name is written, summer time is that of "
    "the zone, as in Java. A text must have as many digits as the pattern says, and names in their usual case; a year of two "
    "digits is one of this century; a day of the week must be that of the date. A day that its month does not have, and 24:00, "
    "fail the record, where Java takes the month's last day and the next midnight. A pattern without a year reads one of 1900, "
    "without a month or a day the first, where Java reads no date. With more than six digits of a fraction, years are those from "
    "1678 to 2261."
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
        function.kind not in (Kind.AGGREGATE, Kind.FORM)
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
