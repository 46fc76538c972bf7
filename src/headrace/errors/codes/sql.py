"""Codes of the parser: SQL01xx."""

from __future__ import annotations

from headrace.errors.codes.code import Code

SYNTAX = Code(
    "SQL0101",
    "syntax error",
    "The text does not follow the grammar. The caret shows the first token that does not fit.",
)

UNCLOSED_QUOTE = Code(
    "SQL0102",
    "quote is not closed",
    "A string (`'…'` or `\"…\"`), a back-ticked name or a comment (`/* … */`) begins but never ends. "
    "Inside a string, write the quote twice to mean the quote itself.",
)

UNCLOSED_BRACKET = Code(
    "SQL0103",
    "bracket is not closed",
    "A `(`, `[` or `{` has no partner. The caret shows the opening one, the label the place where the closing one was due.",
)

MISSPELT_KEYWORD = Code(
    "SQL0104",
    "misspelt keyword",
    "A word stands where only certain keywords can, and resembles one of them. "
    "If it is meant as a name, put it between back-ticks or write `AS` before it.",
)

MISSING_FROM = Code(
    "SQL0105",
    "no FROM clause",
    "A query that names columns, or that feeds a topic, says with `FROM` where its records come from.",
)

CLAUSE_ORDER = Code(
    "SQL0106",
    "clause out of order",
    "The clauses of a query stand in one order: SELECT, FROM with JOIN and LATERAL, EVENTTIME BY, WHERE, WINDOW BY, "
    "GRACE BY, GROUP BY, HAVING, QUALIFY, ORDER BY, LIMIT, OFFSET, EMIT; each at most once.",
)

BAD_DURATION = Code(
    "SQL0107",
    "not a duration",
    "A duration is a whole number and a unit without a space between: `500ms`, `10s`, `5m`, `1h`, `7d`, `2w`. "
    "The 2018 form `(5, m)` is understood in windows and in WITHIN.",
)

EMPTY_PROGRAM = Code(
    "SQL0108",
    "empty program",
    "The text holds no statement: it is empty, or nothing but comments and semicolons.",
)

MISSING_SEMICOLON = Code(
    "SQL0109",
    "no semicolon between statements",
    "Statements are separated by `;`. The last one may go without.",
)

UNSUPPORTED_STATEMENT = Code(
    "SQL0110",
    "statement is not supported",
    "The statement is known from SQL, but Headrace does not run it. The help says what does the same.",
)

TOO_COMPLEX = Code(
    "SQL0111",
    "statement is too deep",
    "Brackets, functions or queries are nested further than Headrace follows, or a chain of operators is longer than that. "
    "Name parts of it by `WITH name AS (…)`.",
)

BAD_CHARACTER = Code(
    "SQL0112",
    "character out of place",
    "The character is not part of the language outside strings and back-ticked names. NUL is allowed nowhere.",
)

UNKNOWN_TYPE = Code(
    "SQL0113",
    "unknown type",
    "The name of a type is not known. Types: boolean, int, long, float, double, decimal(p, s), string, bytes, date, time, "
    "timestamp, `type[]`, struct(name type, …), map(type, type).",
)

UNKNOWN_WINDOW = Code(
    "SQL0114",
    "unknown window",
    "Windows are TUMBLE size, HOP size,advance, SESSION gap and SLIDE size.",
)
